"""The rows of an evaluation: each asked once, and the same numbers however it is computed."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from torch import nn

from qvlm_qiskit.basics.same_row import GRID, on_grid
from qvlm_qiskit.blocks import ENCODINGS, build_block
from qvlm_qiskit.data import encode_prompts
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.inference.prefetch import prefetch, tokens_needed
from qvlm_qiskit.inference.same_rows import KnownRows, angles_in_double, asked_once
from qvlm_qiskit.models import VisionLanguageModel
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, make_qnn


class Listening(TorchEstimator):
    """Exact, and remembers the rows of every call."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def run(self, pubs, *, precision=None):
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        for pub in coerced:
            values = pub.parameter_values.as_array(pub.circuit.parameters)
            self.calls.append([row.tobytes() for row in values])
        return super().run(coerced)

    @property
    def rows(self):
        return [row for call in self.calls for row in call]


@pytest.fixture
def listeners(model):
    """An estimator per quantum layer, by the block's name, while the fixture is in use."""
    found = {
        "paqm" if "paqm" in name else "qcnn": (layer, Listening())
        for name, layer in model.quantum_layers.items()
    }
    for layer, listener in found.values():
        layer.run_on(listener)
    return {name: listener for name, (_, listener) in found.items()}


def rows_of(model, processor, samples, batch_size, listeners):
    for listener in listeners.values():
        listener.calls.clear()
    with asked_once(model):
        found = evaluate(model, processor, samples, batch_size=batch_size)
    return found, {name: list(listener.rows) for name, listener in listeners.items()}


def test_no_row_is_asked_twice(model, processor, samples, listeners):
    _, rows = rows_of(model, processor, samples[:8], 8, listeners)
    assert all(len(set(found)) == len(found) > 0 for found in rows.values())


@pytest.mark.slow
def test_the_rows_are_the_same_in_batches_of_another_shape(model, processor, samples, listeners):
    first, together = rows_of(model, processor, samples[:8], 8, listeners)
    second, alone = rows_of(model, processor, samples[:8], 1, listeners)
    assert first == second
    assert set(alone["qcnn"]) == set(together["qcnn"])
    # together, shorter prompts and answers are padded: these tokens are no question's own
    assert set(alone["paqm"]) < set(together["paqm"])


def test_without_it_single_precision_makes_other_rows(model, processor, samples, listeners):
    """The control: what the grid and the double precision are for."""

    def rows(batch_size):
        listeners["qcnn"].calls.clear()
        evaluate(model, processor, samples[:8], batch_size=batch_size)
        return set(listeners["qcnn"].rows)

    assert rows(8) != rows(3)


def test_answers_are_those_of_the_plain_model(model, processor, samples):
    plain = evaluate(model, processor, samples)
    with asked_once(model):
        assert evaluate(model, processor, samples) == plain


def test_the_model_is_as_it_was_afterwards(model, processor, samples):
    batch = encode_prompts(processor, [s.image for s in samples], [s.question for s in samples])
    before = model(**batch.inputs()).logits
    with asked_once(model):
        inside = model(**batch.inputs()).logits
    after = model(**batch.inputs()).logits
    assert torch.equal(before, after)
    assert not torch.equal(before, inside)
    torch.testing.assert_close(before, inside, atol=1e-3, rtol=1e-3)
    assert not any(layer.runs_elsewhere for layer in model.quantum_layers.values())


def test_known_rows_are_those_of_the_estimator_behind(model):
    layer = next(iter(model.quantum_layers.values()))
    network = layer.neural_network
    rng = np.random.default_rng(4)
    values = on_grid(rng.uniform(-1, 1, (6, network.circuit.num_parameters)))
    observables = [[o] for o in network.observables]
    known = KnownRows(StatevectorEstimator())
    known.run([(network.circuit, observables, values[:3])])
    found = known.run([(network.circuit, observables, values[[1, 5, 1, 0]])]).result()[0].data
    job = StatevectorEstimator().run([(network.circuit, observables, values[[1, 5, 1, 0]])])
    np.testing.assert_allclose(found.evs, job.result()[0].data.evs, atol=1e-12)
    assert found.stds.shape == found.evs.shape


def test_a_steep_angle_is_rounded_and_not_its_parameter():
    x = Parameter("x")
    circuit = QuantumCircuit(1)
    circuit.rx(1e6 * x, 0)
    values = np.array([[0.0], [4e-7], [8e-7]])
    found = KnownRows(StatevectorEstimator()).run([(circuit, [["Z"]], values)]).result()[0].data
    np.testing.assert_allclose(found.evs[0], np.cos(1e6 * values[:, 0]), atol=1e-6)


def test_pubs_of_another_shape_are_refused(model):
    network = next(iter(model.quantum_layers.values())).neural_network
    values = np.zeros((2, 2, network.circuit.num_parameters))
    with pytest.raises(InputError, match="rows and observables of a layer"):
        KnownRows(StatevectorEstimator()).run([(network.circuit, network.observables[0], values)])


def test_after_prefetch_a_generation_asks_for_nothing(model, processor, samples, listeners):
    with asked_once(model):
        prefetch(VisionLanguageModel(model, processor), samples[:10])
        bought = {name: len(listener.calls) for name, listener in listeners.items()}
        evaluate(model, processor, samples[:10], batch_size=10)
    assert bought == {"paqm": 1, "qcnn": 1}
    assert {name: len(listener.calls) for name, listener in listeners.items()} == bought


def test_after_prefetch_even_random_words_ask_for_nothing(model, processor, samples, listeners):
    """What noise could make of the words: any of them, anywhere."""
    images, asked = zip(*((s.image, s.question) for s in samples[:6]), strict=True)
    batch = encode_prompts(processor, list(images), list(asked))
    torch.manual_seed(5)
    with asked_once(model), torch.inference_mode():
        prefetch(VisionLanguageModel(model, processor), samples[:6])
        model.generate(
            **batch.inputs(), max_new_tokens=16, do_sample=True, temperature=50.0, top_k=0
        )
    assert len(listeners["paqm"].calls) == 1


def test_prefetch_asks_for_prompts_and_every_word_at_every_later_place(model, processor, samples):
    batch = encode_prompts(processor, [s.image for s in samples[:1]], [samples[0].question])
    length = batch.input_ids.shape[1]
    needed = tokens_needed(model, batch, max_new_tokens=4)
    image = model.config.image_token_id
    prompt = {(int(t), p) for p, t in enumerate(batch.input_ids[0]) if t != image}
    words = set(range(model.config.text_config.vocab_size)) - {image}
    assert set(needed) == prompt | {(w, length + k) for w in words for k in range(3)}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["qcnn", "paqm"])
def test_every_encoding_asks_for_the_same_rows_whatever_the_batches_are(name, encoding):
    torch.manual_seed(1)
    options = {"num_qubits": 3, "num_layers": 2, "encoding": encoding, "pooling": 1}
    block, listener = build_block(name, 96, options), Listening()
    for parameter in block.circuit_parameters():
        nn.init.normal_(parameter)
    tokens, positions = torch.randn(1, 24, 96), torch.arange(24)[None]
    (layer,) = block.layers.values()
    layer.run_on(listener)

    def rows(size, once=asked_once):
        listener.calls.clear()
        with torch.inference_mode(), once(nn.ModuleList([block])):
            for start in range(0, 24, size):
                part = slice(start, start + size)
                block(tokens[:, part], *([positions[:, part]] if name == "paqm" else []))
        return sorted(listener.rows)

    assert rows(24) == rows(1) == rows(7)
    values = np.stack([np.frombuffer(row) for row in listener.rows])
    assert np.array_equal(on_grid(values, 1.0, GRID), values)
    assert len(set(listener.rows)) == 24
    assert rows(24, nullcontext) != rows(1, nullcontext)  # the control: single precision


class Free(nn.Module):
    """A linear map and a quantum layer that lie in no block."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        circuit, angle = QuantumCircuit(1), Parameter("x")
        circuit.ry(angle, 0)
        self.map = nn.Linear(300, 1)
        self.layer = QuantumLayer(make_qnn(circuit, [angle], []))

    def forward(self, values):
        return self.layer(self.map(values))


def test_what_stands_before_a_layer_in_no_block_is_computed_in_double_and_rounded_once():
    model, values = Free(), torch.randn(5, 300)
    exact = model.map.double()(values.double()).float()
    model.map.float()
    with torch.inference_mode(), angles_in_double(model):
        assert torch.equal(model.map(values), exact)
    with torch.inference_mode():
        assert model.map(values).dtype == torch.float32


class Doubled(nn.Linear):
    """A linear map that does more than linear maps do."""

    def forward(self, values, *, factor):
        return factor * super().forward(values)


def test_what_a_map_of_ones_own_computes_stays_what_it_computes():
    model, values = Free(), torch.randn(5, 300)
    model.map = Doubled(300, 3)
    with torch.inference_mode(), angles_in_double(model):
        found = model.map(values, factor=2.0)
    torch.testing.assert_close(found, model.map(values, factor=2.0).detach())


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_a_convolution_keeps_what_it_pads_with(mode):
    convolution, pixels = nn.Conv2d(2, 4, 3, padding=1, padding_mode=mode), torch.rand(2, 2, 6, 6)
    with torch.inference_mode(), angles_in_double(convolution):
        found = convolution(pixels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, convolution(pixels).detach())


def test_a_layer_in_no_block_is_asked_on_the_grid_and_for_equal_rows_once():
    model, listener = Free(), Listening()
    model.layer.run_on(listener)
    values = torch.randn(3, 300)
    with torch.inference_mode(), asked_once(model):
        model(torch.cat([values, values]))
        model(values.flip(0))
    assert len(listener.rows) == 3
    angles = np.array([np.frombuffer(row) for row in listener.rows])
    assert np.array_equal(on_grid(angles, 1.0, GRID), angles)
