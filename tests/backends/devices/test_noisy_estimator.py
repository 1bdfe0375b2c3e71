"""One estimator in front of two methods that agree."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CapacityError
from qvlm_qiskit.noise_models import KINDS
from tests.parameters import first_by_default

OBSERVABLES = [["ZII"], ["IZZ"], ["XIY"], ["IXI"]]


def evs(backend, circuit, observables, values, **options):
    return backend.estimator().run([(circuit, observables, values)], **options).result()[0]


@pytest.mark.parametrize(
    "name",
    first_by_default(
        "noisy:fake_manila+zz(0.4)+over_rotation(0.1)",
        "noisy:thermal(t1_us=20,t2_us=15)+readout(0.02,0.1)+zz(0.5)",
        "noisy:fake_lagos",
        "noisy:depolarizing(0.02)",
        count=2,
    ),
)
@pytest.mark.parametrize("scale", [0.7, pytest.param(1.5, marks=pytest.mark.slow)])
def test_both_methods_draw_from_the_same_distribution(
    name, scale, make_circuit, values_for, within_errors
):
    """Shots of either lie around the exact values: layouts, bases, readout, crosstalk and all."""
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (3,))
    options = {"noise_scale": scale, "seed": 3}
    exact = evs(open_backend(name, precision=0, **options), circuit, OBSERVABLES, values)
    assert exact.metadata["method"] == "density"
    assert np.all(exact.data.stds == 0)
    for method in ("density", "aer"):
        backend = open_backend(name, shots=40_000, method=method, **options)
        found = evs(backend, circuit, OBSERVABLES, values)
        assert found.metadata["method"] == method
        within_errors(found, exact.data.evs)


NAMED = "noisy:fake_manila+zz(0.6)+readout(0.05)"


def of_kinds(kinds, circuit, values, **options):
    backend = open_backend(NAMED, error_kinds=kinds, seed=3, **options)
    assert backend.device_description().get("error_kinds", "all") == kinds
    return evs(backend, circuit, OBSERVABLES, values)


@pytest.mark.parametrize("kind", first_by_default("crosstalk", *KINDS[:-1], count=3))
def test_shots_and_exact_values_agree_for_each_kind(kind, make_circuit, values_for, within_errors):
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (2,))
    exact = of_kinds(kind, circuit, values, precision=0, noise_scale=1.5)
    within_errors(
        of_kinds(kind, circuit, values, shots=20_000, method="aer", noise_scale=1.5),
        exact.data.evs,
    )


def test_what_the_kinds_do_adds_up(make_circuit, values_for):
    """To first order: a weak noise is the sum of its kinds, and all but one is the rest."""
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (2,))

    def change(kinds):
        found = of_kinds(kinds, circuit, values, precision=0, noise_scale=0.02).data.evs
        return found - free

    free = evs(
        open_backend(NAMED, precision=0, noise_scale=0, seed=3), circuit, OBSERVABLES, values
    ).data.evs
    whole, parts = change("all"), {kind: change(kind) for kind in KINDS}
    scale = np.abs(whole).max()
    assert all(np.abs(part).max() > 1e-3 * scale for part in parts.values())
    np.testing.assert_allclose(sum(parts.values()), whole, atol=0.03 * scale)
    rest = change("+".join(kind for kind in KINDS if kind != "crosstalk"))
    np.testing.assert_allclose(rest + parts["crosstalk"], whole, atol=0.03 * scale)


def test_both_methods_report_the_same_work(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (2,))
    pub = (circuit, ["ZII", "XII"], values)
    reports = []
    for method in ("density", "aer"):
        backend = open_backend("noisy:fake_manila", shots=50, seed=1, method=method)
        metadata = dict(backend.estimator().run([pub]).result()[0].metadata)
        assert metadata.pop("method") == method
        reports.append(metadata)
    assert reports[0] == reports[1]
    assert reports[0]["circuits"] == 2


def test_auto_gives_large_circuits_to_aer():
    circuit = QuantumCircuit(12)
    for qubit in range(11):
        circuit.sx(qubit)
        circuit.cz(qubit, qubit + 1)
    observables = ["Z" * 12]
    backend = open_backend("noisy:depolarizing(0.01)", shots=20, seed=1)
    assert backend.estimator().run([(circuit, observables)]).result()[0].metadata["method"] == "aer"
    for options in ({"precision": 0}, {"shots": 20, "method": "density"}):
        backend = open_backend("noisy:depolarizing(0.01)", seed=1, **options)
        with pytest.raises(CapacityError, match="at most 10"):
            backend.estimator().run([(circuit, observables)]).result()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["density", "aer"])
def test_samples_belong_to_the_seed_and_the_pub(method, make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (3,))

    def run(seed, rows):
        backend = open_backend("noisy:fake_manila", shots=500, seed=seed, method=method)
        estimator = backend.estimator()
        evs = [estimator.run([(circuit, "ZII", v)]).result()[0].data.evs for v in rows]
        return np.array(evs)

    forwards, backwards = run(1, values), run(1, values[::-1])
    np.testing.assert_array_equal(forwards, backwards[::-1])
    assert not np.array_equal(forwards, run(2, values))
    assert not np.array_equal(run(None, values), run(None, values))


def test_the_engine_takes_as_many_qubits_as_the_backend_gives_it():
    from qvlm_qiskit.backends.devices.noisy_estimator import DENSITY_QUBITS
    from qvlm_qiskit.quantum.density.noisy_program import MAX_DENSITY_QUBITS

    assert DENSITY_QUBITS == MAX_DENSITY_QUBITS
