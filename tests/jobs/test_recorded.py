import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import Ledger, Recorded, record_key


class Counting(StatevectorEstimator):
    def __init__(self):
        super().__init__(seed=1)
        self.jobs = []

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.jobs.append(len(pubs))
        return super().run(pubs, precision=precision)


def circuit(gate="ry"):
    made = QuantumCircuit(2)
    getattr(made, gate)(ParameterVector("a", 1)[0], 0)
    made.cx(0, 1)
    return made


def test_answered_pubs_are_served_from_the_ledger(tmp_path):
    inner = Counting()
    estimator = Recorded(inner, Ledger(tmp_path), {"device": "a"})
    pubs = [(circuit(), ["ZI", "IX"], [0.3]), (circuit(), "ZZ", [0.3])]
    first = estimator.run(pubs, precision=0.1).result()
    second = Recorded(inner, Ledger(tmp_path), {"device": "a"}).run(pubs, precision=0.1).result()
    assert inner.jobs == [2]
    for fresh, stored in zip(first, second, strict=True):
        np.testing.assert_array_equal(fresh.data.evs, stored.data.evs)
        np.testing.assert_array_equal(fresh.data.stds, stored.data.stds)
        assert fresh.data.evs.shape == stored.data.evs.shape
        assert fresh.metadata["record"]["source"] == "device"
        assert stored.metadata["record"]["source"] == "ledger"
        assert stored.metadata["target_precision"] == 0.1


def test_only_new_pubs_run_and_in_one_job(tmp_path):
    inner = Counting()
    estimator = Recorded(inner, Ledger(tmp_path), {})
    estimator.run([(circuit(), "ZI", [0.1])]).result()
    pubs = [(circuit(), "ZI", [value]) for value in (0.3, 0.1, 0.2, 0.3)]
    results = estimator.run(pubs).result()
    assert inner.jobs == [1, 2]
    exact = [np.cos(value) for value in (0.3, 0.1, 0.2, 0.3)]
    found = [float(result.data.evs) for result in results]
    # "ZI" measures qubit 1, which the cx makes a copy of qubit 0.
    assert found == pytest.approx(exact)
    sources = [result.metadata["record"]["source"] for result in results]
    assert sources == ["device", "ledger", "device", "device"]


def test_damage_is_an_error_and_not_a_second_run(tmp_path):
    inner = Counting()
    ledger = Ledger(tmp_path)
    estimator = Recorded(inner, ledger, {})
    estimator.run([(circuit(), "ZI", [0.1])]).result()
    (tmp_path / ledger.keys()[0] / "result.npz").write_bytes(b"")
    with pytest.raises(LedgerError, match="damaged"):
        estimator.run([(circuit(), "ZI", [0.1])])
    assert inner.jobs == [1]


def test_the_record_says_what_was_asked(tmp_path):
    ledger = Ledger(tmp_path)
    values = np.full((4, 1), 0.5)
    Recorded(Counting(), ledger, {"device": "x"}).run(
        [(circuit(), [["ZI"], ["IX"]], values)]
    ).result()
    (record,) = ledger.entries()
    assert "OPENQASM 3" in record["circuit_qasm3"]
    assert record["observables"] == [[["Z", [1], 1.0]], [["X", [0], 1.0]]]
    assert (record["observables_shape"], record["parameters_shape"]) == ([2, 1], [4])
    assert (record["shape"], record["parameters"]) == ([2, 4], ["a[0]"])
    assert record["context"] == {"device": "x"}
    assert record["versions"]["qiskit"]
    assert record["created_utc"].endswith("+00:00")


def key(
    gate="ry",
    value=0.1,
    observable="ZI",
    precision=0.1,
    shape=(1,),
    **context,
):
    pub = EstimatorPub.coerce((circuit(gate), observable, np.full(shape, value)), precision)
    return record_key(pub, {"name": "a", "seed": 1, "options": {"level": 0}, **context})


def test_every_ingredient_gives_another_key():
    keys = [
        key(),
        key(gate="rx"),
        key(value=np.nextafter(0.1, 1)),
        key(observable="IZ"),
        key(observable={"ZI": 0.5}),
        key(observable=["ZI"]),
        key(precision=0.2),
        key(precision=None),
        key(shape=(2, 1)),
        key(name="b"),
        key(seed=2),
        key(seed=None),
        key(options={"level": 1}),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == key()


question = st.fixed_dictionaries(
    {
        "gate": st.sampled_from(["rx", "ry", "rz"]),
        "value": st.sampled_from([0.0, 0.1, 0.2]),
        "observable": st.sampled_from(["ZI", "IZ", "XX"]),
        "precision": st.sampled_from([None, 0.1, 0.2]),
        "seed": st.sampled_from([None, 1, 2]),
        "name": st.sampled_from(["a", "b"]),
    }
)


@settings(max_examples=100, deadline=None)
@given(first=question, second=question)
def test_keys_are_equal_exactly_for_equal_questions(first, second):
    assert (key(**first) == key(**second)) == (first == second)


def test_a_context_that_is_not_json_able_is_refused(tmp_path):
    estimator = Recorded(Counting(), Ledger(tmp_path), {"device": object()})
    with pytest.raises(LedgerError, match="JSON-able"):
        estimator.run([(circuit(), "ZI", [0.1])])


@pytest.mark.parametrize("name", ["noisy:fake_manila", "fake_manila"])
def test_a_recorded_backend_pays_once_and_mitigates_again(name, tmp_path):
    ledger = Ledger(tmp_path)

    def run(mitigation):
        backend = open_backend(name, shots=500, seed=1, mitigation=mitigation)
        recorded = backend.recorded(lambda device, about: Recorded(device, ledger, about))
        return recorded.estimator().run([(circuit(), [["ZI"], ["ZZ"]], [[0.3], [0.5]])]).result()[0]

    first = run("zne")
    paid = len(ledger.keys())
    assert paid == 3
    again = run("zne")
    np.testing.assert_array_equal(first.data.evs, again.data.evs)
    raw = run("none")
    assert len(ledger.keys()) == paid
    assert raw.metadata["record"]["source"] == "ledger"
    assert raw.metadata["compiled"]["two_qubit_gates"] == 1
    json.dumps(dict(ledger.load(ledger.keys()[0]).record))
