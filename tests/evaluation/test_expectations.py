import json
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from torch import nn

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import encode_prompts
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import capture_rows, expectation_errors
from qvlm_qiskit.quantum import cut_layer, make_qnn
from qvlm_qiskit.training import TrainingOptions, build_model

LIMIT = 15


@pytest.fixture
def batch(processor, samples):
    return encode_prompts(processor, [s.image for s in samples], [s.question for s in samples])


@pytest.fixture
def rows(model, batch):
    return capture_rows(model, batch.inputs(), LIMIT)


def hooks(model):
    return [len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules()]


class Listening(StatevectorEstimator):
    """Keeps the values of the inputs that a layer sends: the slow twin."""

    def __init__(self, network):
        super().__init__()
        self.parameters = [*network.input_params, *network.weight_params]
        self.num_inputs = network.num_inputs
        self.rows = []

    def run(self, pubs, *, precision=None):
        pubs = [EstimatorPub.coerce(pub) for pub in pubs]
        values = [pub.parameter_values.as_array(self.parameters) for pub in pubs]
        self.rows += [array[:, : self.num_inputs] for array in values]
        return super().run(pubs, precision=precision)


def sent_rows(model, batch):
    """What a forward pass sends for every layer."""
    listeners = {
        name: Listening(layer.neural_network) for name, layer in model.quantum_layers.items()
    }
    # off the exact engine, features reach a layer as the angles that its circuit takes
    with torch.inference_mode(), ExitStack() as stack:
        for name, layer in model.quantum_layers.items():
            stack.enter_context(layer.run_on(listeners[name]))
        model(**batch.inputs())
    return {name: np.concatenate(one.rows) for name, one in listeners.items()}


def test_the_rows_are_those_that_the_model_sends_each_once(model, batch):
    captured = capture_rows(model, batch.inputs(), 10**6)
    sent = sent_rows(model, batch)
    assert captured.keys() == sent.keys() == model.quantum_layers.keys()
    for name, rows in captured.items():
        assert rows.shape[1] == model.quantum_layers[name].neural_network.num_inputs
        assert len({row.tobytes() for row in rows}) == len(rows) <= len(sent[name])
        assert {row.tobytes() for row in rows} <= {row.tobytes() for row in sent[name]}
        distance = np.abs(sent[name][:, None] - rows[None]).max(axis=-1).min(axis=1)
        assert distance.max() == 0


@pytest.mark.parametrize("limit", [1, 2, LIMIT])
def test_the_rows_are_limited_to_the_first_ones(model, batch, limit):
    everything = capture_rows(model, batch.inputs(), 10**6)
    for name, rows in capture_rows(model, batch.inputs(), limit).items():
        np.testing.assert_array_equal(rows, everything[name][:limit])


def test_capturing_leaves_no_hooks(model, batch):
    before = hooks(model)
    capture_rows(model, batch.inputs(), 3)
    assert hooks(model) == before


def test_capturing_leaves_no_hooks_after_an_error(model, batch):
    before = hooks(model)
    # one image less than the text has image tokens for
    broken = type(batch)(batch.input_ids, batch.attention_mask, batch.pixel_values[1:])
    with pytest.raises(ValueError, match="image tokens"):
        capture_rows(model, broken.inputs(), 3)
    assert hooks(model) == before


def test_capturing_changes_nothing_in_the_model(model, batch):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    capture_rows(model, batch.inputs(), 3)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_another_exact_machine_has_no_error(model, rows):
    errors = expectation_errors(model, rows, open_backend("aer"))
    assert [error.block for error in errors] == list(model.quantum_layers)
    for error in errors:
        assert error.rows == len(rows[error.block])
        assert error.rms < 1e-5
        assert abs(error.bias) < 1e-5


def test_noise_has_an_error_that_shrinks_the_values(model, rows):
    backend = open_backend("noisy:depolarizing(0.2)", shots=4000, seed=1)
    for error in expectation_errors(model, rows, backend):
        assert error.rms > 0.02
        assert error.bias < -0.02
        assert error.rms >= abs(error.bias)


def test_a_sampled_value_has_an_error_of_its_shots(model, rows):
    few, many = (
        expectation_errors(model, rows, open_backend("aer", shots=shots, seed=2))
        for shots in (100, 10_000)
    )
    for worse, better in zip(few, many, strict=True):
        assert 0 < better.rms < worse.rms < 0.2


def test_errors_are_the_difference_to_the_models_own_values(model, rows):
    class Shifted:
        """The exact engine with 0.25 added to every value."""

        def estimator(self):
            from qiskit.primitives import StatevectorEstimator

            class Estimator(StatevectorEstimator):
                def run(self, pubs, *, precision=None):
                    job = super().run(pubs, precision=precision)
                    for answer in job.result():
                        answer.data.evs[...] += 0.25
                    return job

            return Estimator()

    for error in expectation_errors(model, rows, Shifted()):
        assert error.rms == pytest.approx(0.25, abs=1e-5)


def test_measuring_leaves_the_model_on_its_own_machine(model, rows):
    before = {name: layer.active_estimator for name, layer in model.quantum_layers.items()}
    expectation_errors(model, rows, open_backend("aer"))
    after = {name: layer.active_estimator for name, layer in model.quantum_layers.items()}
    assert all(after[name] is before[name] for name in before)


def test_errors_are_json_able(model, rows):
    errors = expectation_errors(model, rows, open_backend("aer"))
    records = json.loads(json.dumps([error.as_dict() for error in errors], allow_nan=False))
    assert all(set(record) == {"block", "rows", "rms", "bias"} for record in records)


def test_a_model_without_circuits_has_none_to_compare(samples):
    plain, processor = build_model(TrainingOptions(recipe="tiny", blocks="none"))
    batch = encode_prompts(processor, [samples[0].image], [samples[0].question])
    assert capture_rows(plain, batch.inputs(), 5) == {}
    assert expectation_errors(plain, {}, open_backend("aer")) == []


def test_a_layer_whose_wires_are_cut_is_refused(batch):
    circuit = QuantumCircuit(3)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    model = nn.ModuleDict({"cut": cut_layer(make_qnn(circuit, [], []), [(1, 1)])})
    with pytest.raises(InputError, match="cut runs as fragments"):
        capture_rows(model, batch.inputs(), 1)
