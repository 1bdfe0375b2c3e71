"""Where rows run is written down once, for all workers."""

from dataclasses import replace

import numpy as np
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit_ibm_runtime.fake_provider import FakeKolkataV2

from qvlm_qiskit.backends.devices.fake import on_fake_device
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.jobs import JobStore, Recording, recorded_backend
from qvlm_qiskit.jobs.costs.forecast import forecast
from qvlm_qiskit.jobs.ledger.pinned import compiled_bytes, pinned
from qvlm_qiskit.jobs.ledger.places import LedgerPlaces
from qvlm_qiskit.jobs.recording import row_context
from tests.backends.layered import layered


def test_the_first_place_of_a_row_stays(store):
    first, second = LedgerPlaces(store), LedgerPlaces(store)
    assert first.known(["a", "b"]) == {}
    assert first.keep({"b": (4, 2), "a": (0, 1)}) == {"a": (0, 1), "b": (4, 2)}
    assert second.keep({"a": (7, 8), "c": (9, 10)}) == {"a": (0, 1), "c": (9, 10)}
    assert second.known(["c", "a", "x"]) == {"a": (0, 1), "c": (9, 10)}


def test_places_are_there_for_the_next_process_and_in_any_number(store):
    many = {f"{i:064x}": (i, i + 1) for i in range(3000)}
    assert LedgerPlaces(store).keep(many) == many
    again = JobStore(store.folder)
    assert LedgerPlaces(again).known(many) == many
    again.close()


def test_a_row_stays_where_it_was_paid_for_when_the_machine_is_calibrated_again(store):
    """What tiles were before has become bad: new rows avoid it, and known ones cost nothing."""
    circuit, observables = layered(2), [["ZI"], ["IZ"]]
    values = np.random.default_rng(0).uniform(-3, 3, (8, circuit.num_parameters))
    options = BackendOptions(shots=100, seed=1, tiles=3)
    before = on_fake_device(FakeKolkataV2(), options)
    content = compiled_bytes(before.compiler, [circuit])

    def asked(backend, rows):
        estimator = recorded_backend(backend, store).estimator()
        return estimator.run([(circuit, observables, rows)]).result()[0]

    first = asked(replace(before, compiler=pinned(before.compiler, content)), values[:5])
    old = {tuple(tile["qubits"]) for tile in first.metadata["tiles"]}
    assert len(old) == 3
    after = calibrated_again(options, {qubit for place in old for qubit in place}, content)
    pub = EstimatorPub.coerce((circuit, observables, values))
    expected = forecast(
        store, after, [Call((pub,))], row_context(after.device_description(), Recording())
    )
    both = asked(after, values)
    np.testing.assert_array_equal(both.data.evs[:, :5], first.data.evs)
    assert both.metadata["record"]["rows_from_ledger"] == expected.known == 5
    new = {tuple(tile["qubits"]) for tile in both.metadata["tiles"]} - old
    assert len(new) == 3 and len(both.metadata["tiles"]) == 6
    assert not {q for place in new for q in place} & {q for place in old for q in place}


def calibrated_again(options, bad, content):
    """The machine of tomorrow, on which some qubits err, with the circuits of today."""
    device = FakeKolkataV2()
    for name in ("cx", "sx", "x", "measure"):
        for qubits, properties in device.target[name].items():
            properties.error = 0.4 if set(qubits) & bad else 1e-4
    backend = on_fake_device(device, options)
    return replace(backend, compiler=pinned(backend.compiler, content))
