import pytest

from qvlm_qiskit.studies.kernels.options import KernelOptions

SMALL = KernelOptions(
    data=("digits:3-8",), regressions=("diabetes",), features=2, points=24,
    qubits=(1, 2, 3), samples=(20,), draws=2, seeds=2,
)  # fmt: skip


@pytest.fixture(scope="session")
def small():
    """A study as small as it can be."""
    return SMALL
