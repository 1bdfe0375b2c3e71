"""A whole study of extrapolation, as small as it can be, and its fits."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from qiskit.quantum_info import DensityMatrix, SparsePauliOp

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.zne import cells
from qvlm_qiskit.studies.zne.limits import fitted_limits, network_limits
from qvlm_qiskit.studies.zne.options import ZneOptions
from qvlm_qiskit.studies.zne.study import ZneStudy
from tests.studies.sectioned import check_report

P = (0.01, 0.02, 0.03, 0.05)
OPTIONS = ZneOptions(
    qubits=(1, 2), layers=(1,), strengths=P, seeds=2, networks=2, steps=5, shots=100
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ZneStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "zne")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_fits_are_exact_for_curves_of_their_kind():
    p = np.array(P)
    assert fitted_limits(P, 0.4 - 3 * p)["linear"] == pytest.approx(0.4)
    assert fitted_limits(P, 0.4 - 3 * p + 50 * p**3)["richardson"] == pytest.approx(0.4)
    for amplitude in (0.7, -0.3):
        found = fitted_limits(P, amplitude * np.exp(-20 * p))
        assert found["exponential"] == pytest.approx(amplitude, abs=1e-4)
        assert found["none"] == pytest.approx(amplitude * np.exp(-0.2))


def test_an_exponential_fit_ends_for_values_that_no_exponential_has():
    for values in ([0.1, -0.1, 0.1, -0.1], [0.0, 0.0, 0.0, 0.0], [0.1, 0.2, 0.3, 0.5]):
        found = fitted_limits(P, values)["exponential"]
        assert abs(found) <= np.exp(2) * max(map(abs, values))


@pytest.mark.skipif(find_spec("mitiq") is None, reason="needs mitiq")
def test_fits_are_those_of_mitiq():
    from qvlm_qiskit.backends.mitigation.mitiq_bridge import zero_noise_weights

    values = np.random.default_rng(0).normal(size=4)
    scales = tuple(p / P[0] for p in P)
    for name in ("linear", "richardson"):
        weights = zero_noise_weights(name, scales)
        assert fitted_limits(P, values)[name] == pytest.approx(float(np.dot(weights, values)))


def test_networks_learn_their_points_and_differ_by_their_seed():
    values = [0.5 - 4 * p for p in P]
    one, two, again = network_limits(P, values, [0, 1, 0], 8, 300)
    assert one == again != two
    assert network_limits(P, values, [1], 8, 300) == pytest.approx([two])
    assert abs(one - 0.5) < 0.1


def test_values_under_noise_are_those_of_channels():
    """One gate on one qubit: depolarising p leaves 1 - p of ⟨Z⟩ after each sx."""
    cell = cells.Cell(1, 1, 0)
    circuit, operator = cells.ansatz(cell), SparsePauliOp("Z")
    exact = DensityMatrix(circuit).expectation_value(operator).real
    options = replace(OPTIONS, shots=0)
    found = [cells._value(circuit, operator, p, cell, options) for p in (1e-6, 0.02)]
    assert found[0] == pytest.approx(exact, abs=1e-4)
    assert found[1] == pytest.approx(exact * 0.98**2, abs=1e-5)


def test_rows_say_how_far_every_method_is_off(results):
    for row in results["rows"]:
        for name, limit in row["limits"].items():
            assert row["errors"][name] == pytest.approx(abs(limit - row["exact"]))
        off = [abs(limit - row["exact"]) for limit in row["networks"]]
        assert row["errors"]["network"] == pytest.approx(np.mean(off))
        assert row["errors"]["mean of networks"] <= row["errors"]["network"] + 1e-12
        assert row["spread"] == pytest.approx(np.std(row["networks"], ddof=1))
    assert {one["error"]["seeds"] for one in results["overall"]} == {4}


def test_page_and_tables_say_it(study, results):
    check_report(study, results)


def test_a_row_can_be_computed_again(study, results):
    cell = study.cells()[0]
    row = results["rows"][0]
    again = cells.compute(cell, OPTIONS)
    assert again == {name: row[name] for name in again}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mitiq") is None, reason="needs mitiq")
def test_the_learned_mitigation_stands_beside(tmp_path):
    options = replace(OPTIONS, qubits=(2,), seeds=1, folded=True)
    (row,) = run_study(ZneStudy(options, tmp_path / "zne"))["rows"]
    assert 0 <= row["errors"]["learned-zne"] < 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"qubits": (9,)}, "qubits must be at most 8"),
        ({"strengths": (0.1, 0.2)}, "three probabilities or more"),
        ({"strengths": (0.1, 0.2, 1.2)}, "strengths must be at most 1, got 0.1,0.2,1.2"),
        ({"strengths": (0.1, 0.1, 0.2)}, "strengths must be distinct"),
        ({"networks": 1}, "networks must be at least 2"),
        ({"folded": True, "shots": 0}, "folded extrapolation takes shots"),
    ],
)
def test_what_makes_no_study_is_refused(change, says):
    with pytest.raises(InputError, match=says):
        replace(OPTIONS, **change)
