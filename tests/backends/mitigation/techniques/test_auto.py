"""The mitigation that chooses itself, and says why."""

import json

import numpy as np
import pytest
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.mitigation import AutoMitigated
from qvlm_qiskit.backends.mitigation.mitiq_bridge import zero_noise_weights
from qvlm_qiskit.backends.mitigation.report import cost_of
from qvlm_qiskit.backends.mitigation.techniques.auto import Auto
from qvlm_qiskit.errors import BackendError, MitigationError
from qvlm_qiskit.noise_models import build, depolarizing

OBSERVABLES = [["ZII"], ["IZI"], ["IIZ"]]
TARGET = Target.from_configuration(["rz", "sx", "x", "cz", "measure"], num_qubits=5)


def run(backend, circuit, values):
    return backend.estimator().run([(circuit, OBSERVABLES, values)]).result()[0]


def test_large_readout_errors_are_what_it_removes(make_circuit, values_for, exact):
    circuit = make_circuit(layers=1)
    values = values_for(circuit, (4,))
    backend = open_backend(
        "noisy:readout(0.15)",
        shots=2000,
        seed=1,
        mitigation="auto(techniques=none,zne,readout,circuits=6)",
    )
    result = run(backend, circuit, values)
    choice = result.metadata["auto"]
    assert choice["mitigation"] == "readout"
    assert result.metadata["technique"] == "readout"
    by_name = {trial["mitigation"]: trial for trial in choice["trials"]}
    assert by_name["readout"]["error"] < 0.5 * by_name["none"]["error"]
    assert all(trial["standard_error"] > 0 for trial in choice["trials"])
    expected = exact(circuit, OBSERVABLES, values)
    assert np.abs(result.data.evs - expected).max() < 0.12
    assert backend.describe()["choices"] == [choice]
    json.dumps(backend.describe(), allow_nan=False)


def test_where_nothing_helps_it_chooses_none(make_circuit, values_for):
    circuit = make_circuit(layers=1)
    backend = open_backend(
        "noisy:depolarizing(0.0)", shots=2000, seed=2, mitigation="auto(circuits=8)"
    )
    result = run(backend, circuit, values_for(circuit, (2,)))
    choice = result.metadata["auto"]
    assert choice["mitigation"] == "none"
    assert "mitigation" not in result.metadata
    assert result.metadata["calibration_executions"] == choice["executions"]
    costs = [trial["executions"] for trial in choice["trials"] if trial["error"] is not None]
    assert sum(costs) == choice["executions"] <= choice["budget"]


def test_what_the_budget_does_not_pay_for_is_not_tried(make_circuit, values_for):
    circuit = make_circuit(layers=1)
    pub = (circuit, OBSERVABLES, values_for(circuit, (2,)))
    small = open_backend(
        "noisy:fake_manila", shots=100, seed=2, mitigation="auto(circuits=4)", budget=1000
    )
    choice = small.estimator().run([pub]).result()[0].metadata["auto"]
    tried = {trial["mitigation"] for trial in choice["trials"] if trial["error"] is not None}
    assert tried == {"none"}
    left = [trial["note"] for trial in choice["trials"] if trial["error"] is None]
    assert len(left) >= 5
    assert any("of the budget" in note for note in left)
    costs = [trial["executions"] for trial in choice["trials"] if trial["executions"]]
    assert len(costs) >= 3 and costs == sorted(costs)
    with pytest.raises(MitigationError, match=r"budget=100 executions \(the cheapest needs 400\)"):
        open_backend(
            "noisy:fake_manila", shots=100, mitigation="auto(circuits=4)", budget=100
        ).estimator().run([pub])


def test_it_chooses_once_for_a_circuit_and_runs_its_own_isa_circuit(make_circuit, values_for):
    circuit = make_circuit(layers=2)
    backend = open_backend(
        "noisy:fake_manila", shots=200, seed=2, mitigation="auto(techniques=none,zne,circuits=4)"
    )
    estimator = backend.estimator()
    first, second = (
        estimator.run([(circuit, OBSERVABLES, values_for(circuit, (3,), seed=seed))]).result()[0]
        for seed in (1, 2)
    )
    assert first.metadata["auto"] == second.metadata["auto"]
    assert first.metadata["calibration_executions"] > 0
    assert second.metadata["calibration_executions"] == 0
    two = make_circuit(layers=1)
    estimator.run([(two, OBSERVABLES, values_for(two, (3,)))]).result()
    assert len(backend.describe()["choices"]) == 2


def test_candidates_that_cannot_do_the_circuit_are_listed_with_the_reason(
    monkeypatch, make_circuit, values_for
):
    from qvlm_qiskit.backends.mitigation import mitiq_bridge
    from qvlm_qiskit.errors import MissingDependencyError

    def missing():
        raise MissingDependencyError("mitiq", "mitigation", "zero-noise extrapolation")

    zero_noise_weights.cache_clear()
    monkeypatch.setattr(mitiq_bridge, "_inference", missing)
    monkeypatch.setattr("qvlm_qiskit.backends.mitigation.techniques.zne.check_installed", missing)
    circuit = make_circuit(layers=1)
    backend = open_backend(
        "noisy:fake_manila",
        shots=50,
        seed=1,
        mitigation="auto(techniques=none,zne,pec(max_overhead=1),circuits=4)",
    )
    choice = run(backend, circuit, values_for(circuit, (2,))).metadata["auto"]
    notes = {trial["mitigation"]: trial["note"] for trial in choice["trials"]}
    assert "needs mitiq" in notes["zne"]
    assert "max_overhead" in notes["pec(max_overhead=1.0)"]
    assert choice["mitigation"] == "none"


def test_a_device_that_says_nothing_about_its_work_is_refused(
    exact_device, make_circuit, values_for
):
    device = exact_device(build(depolarizing(0.01)))
    circuit = make_circuit()
    estimator = AutoMitigated(device, lambda step: None, ["none"], Auto(circuits=2))
    with pytest.raises(BackendError, match="ExactDevice doesn't say beforehand what it runs"):
        estimator.run([(circuit, ["ZII"], values_for(circuit), 0.1)])
    assert device.jobs_run == []


def test_trials_are_counted_as_calibration(make_circuit, values_for):
    circuit = make_circuit(layers=1)
    mitigation = "auto(techniques=none,circuits=2)"
    backend = open_backend("noisy:depolarizing(0.01)", shots=50, seed=1, mitigation=mitigation)
    pub = EstimatorPub.coerce((circuit, OBSERVABLES, values_for(circuit, (2,))), 0.15)
    counted = cost_of(backend.estimator(), pub)
    metadata = backend.estimator().run([pub]).result()[0].metadata
    assert counted.calibration_executions == metadata["calibration_executions"] > 0
    assert counted.executions == metadata["executions"]


def test_of_two_that_cost_one_execution_too_much_none_is_tried(make_circuit, values_for):
    circuit = make_circuit(layers=1)
    for budget in (199, 200):
        backend = open_backend(
            "noisy:depolarizing(0.01)", shots=100, budget=budget,
            mitigation="auto(techniques=none,twirling(randomizations=2),circuits=2)",
        )  # fmt: skip
        pub = EstimatorPub.coerce((circuit, OBSERVABLES, values_for(circuit, (1,))), 0.1)
        if budget == 199:
            with pytest.raises(MitigationError, match="the cheapest needs 200"):
                backend.estimator().run([pub])
        else:
            choice = backend.estimator().run([pub]).result()[0].metadata["auto"]
            assert [trial["executions"] for trial in choice["trials"]] == [200, 200]
            assert [bool(trial["note"]) for trial in choice["trials"]] == [False, True]
