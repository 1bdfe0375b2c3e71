import json

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError, NoiseModelError
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.models import VisionLanguageModel
from qvlm_qiskit.studies import NoiseSweep, noise_sweep
from qvlm_qiskit.studies.measure import circuits_on, errors_on, evaluate_on


def machines(model):
    return [layer.active_estimator for layer in model.quantum_layers.values()]


@pytest.mark.parametrize("name", ["aer", "statevector", "fake_manila", "ibm:least_busy", "", "noi"])
def test_only_a_noisy_machine_has_a_noise_to_sweep(model, processor, samples, rows, name):
    with pytest.raises(InputError, match="noisy:"):
        noise_sweep(
            Exam(VisionLanguageModel(model, processor), samples[:2]), rows, NoiseSweep(name)
        )


def test_no_factors_are_refused(model, processor, samples, rows):
    with pytest.raises(InputError, match="factors"):
        NoiseSweep("noisy:fake_manila", scales=())


def test_a_factor_below_zero_or_beyond_physics_is_refused(model, processor, samples, rows):
    for scale, error in ((-1.0, InputError), (1e6, NoiseModelError)):
        with pytest.raises(error, match=r"scale|factor"):
            sweep = NoiseSweep("noisy:fake_manila", scales=(scale,))
            noise_sweep(Exam(VisionLanguageModel(model, processor), samples[:2]), rows, sweep)


def test_every_factor_is_a_point_with_interval_and_errors(model, processor, samples, rows, watch):
    seen, before = [], machines(model)
    points = noise_sweep(
        Exam(VisionLanguageModel(model, processor), samples[:4]),
        rows,
        NoiseSweep("noisy:depolarizing(0.05)", scales=(2.0, 0.0, 0.5), shots=400, seed=3),
        track=watch(seen),
    )
    assert [point["scale"] for point in points] == [2.0, 0.0, 0.5]
    assert [point["backend"]["noise"]["noise_scale"] for point in points] == [2.0, 0.0, 0.5]
    assert [what for what, _, _ in seen] == ["noise × 2", "noise × 0", "noise × 0.5"]
    for point in points:
        assert point["low"] <= point["accuracy"] <= point["high"]
        assert point["total"] == 4
        assert [e["rows"] for e in point["expectations"]] == [len(r) for r in rows.values()]
    json.dumps(points, allow_nan=False)
    assert machines(model) == before


@pytest.mark.slow
def test_stronger_noise_shrinks_the_values_more(model, processor, samples, rows):
    sweep = NoiseSweep("noisy:depolarizing(0.05)", scales=(0.0, 1.0, 4.0), shots=4000, seed=1)
    points = noise_sweep(Exam(VisionLanguageModel(model, processor), samples[:2]), rows, sweep)
    bias = [sum(e["bias"] for e in point["expectations"]) for point in points]
    assert bias[0] > bias[1] > bias[2]
    assert abs(bias[0]) < 0.03
    assert bias[2] < -0.1


@pytest.mark.slow
def test_the_seed_makes_a_sweep_repeatable(model, processor, samples, rows):
    def sweep(seed):
        once = NoiseSweep("noisy:fake_manila", scales=(1.0,), shots=50, seed=seed)
        points = noise_sweep(Exam(VisionLanguageModel(model, processor), samples[:2]), rows, once)
        return [point["expectations"] for point in points]

    assert sweep(1) == sweep(1)
    assert sweep(1) != sweep(2)


def test_evaluate_on_puts_the_model_back_after_an_error(
    model, processor, samples, stop_at, stopped
):
    before = machines(model)
    with pytest.raises(stopped):
        evaluate_on(
            Exam(VisionLanguageModel(model, processor), samples[:2]),
            open_backend("aer"),
            track=stop_at("aer", 1),
        )
    assert machines(model) == before


def test_evaluate_on_says_where_the_answers_come_from(model, processor, samples, counted):
    opened = open_backend("noisy:fake_manila", shots=60, seed=4, mitigation="readout")
    backend, device = counted(opened)
    found, record = evaluate_on(Exam(VisionLanguageModel(model, processor), samples[:3]), backend)
    assert device.pubs > 0
    assert record["backend"] == backend.describe()
    assert {key: record[key] for key in found.as_dict()} == found.as_dict()
    assert record["seconds"] >= 0


def test_errors_and_circuits_of_a_simulator_without_a_layout(model, rows):
    backend = open_backend("statevector")
    assert all(error["rms"] < 1e-5 for error in errors_on(model, rows, backend))
    for circuit in circuits_on(model, backend):
        assert circuit["physical_qubits"] == list(range(circuit["qubits"]))
        assert circuit["estimated_success_probability"] is None
