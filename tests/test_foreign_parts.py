"""A data set and blocks of another distribution, from training to answers that are bought."""

import sys
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
import torch

from qvlm_qiskit import registry
from qvlm_qiskit.blocks import BLOCKS
from qvlm_qiskit.cli.ask import caption
from qvlm_qiskit.data.registry import DATA_SETS
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.inference.prefetch import prefetch
from qvlm_qiskit.inference.preflight import jobs_in_a_row
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, train

# Each is a whole file: a data set, a block around one circuit, and a block with its own circuit.
FILES = {
    "shades": '''
"""Black and white pictures."""
from PIL import Image
from qvlm_qiskit.data import Sample, data_set

ANSWERS = ("black", "white")

@data_set("shades", vocabulary=lambda: ["which colour?", *ANSWERS])
def shades(split, size, seed):
    numbers = range(seed, seed + (size or 10))
    return [Sample(Image.new("L", (8, 8), 255 * (i % 2)), "colour", "which colour?",
                   ANSWERS[i % 2], (f"{split} {i}",)) for i in numbers]
''',
    "plain": '''
"""Tokens through the circuits of PAQM, without their positions."""
from qvlm_qiskit.blocks import CircuitBlock, register_block

@register_block("plain")
class Plain(CircuitBlock):
    """Token embeddings through a circuit, whatever their positions."""
    place = "text"

    def forward(self, embeddings, position_ids):
        return self.mixed(embeddings)
''',
    "two_angles": '''
"""Patches as two angles."""
from dataclasses import dataclass
from qiskit.circuit import ParameterVector, QuantumCircuit
from torch import nn, tanh
from qvlm_qiskit.blocks import Block, Readout
from qvlm_qiskit.quantum import QuantumLayer, make_qnn

@dataclass(frozen=True)
class Config:
    kind: str = "quantum"

class TwoAngles(Block):
    place, config_class = "vision", Config
    angle_maps, circuits = ("angles",), ("layer",)

    def __init__(self, config, width):
        super().__init__(config, width)
        x, w, circuit = ParameterVector("x", 2), ParameterVector("w", 2), QuantumCircuit(2)
        for qubit in range(2):
            circuit.ry(x[qubit], qubit)
            circuit.rx(w[qubit], qubit)
        circuit.cx(0, 1)
        self.angles = nn.Linear(width, 2, bias=False)
        self.layer = QuantumLayer(make_qnn(circuit, list(x), list(w)))
        self.expand = Readout(2, width)

    def forward(self, patches):
        return patches + self.expand(self.layer(self.angles(patches)))
''',
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """The distribution's files on the path, and its entry points."""
    folder = tmp_path_factory.mktemp("foreign")
    for name, text in FILES.items():
        (folder / f"foreign_{name}.py").write_text(text)
    points = {
        DATA_SETS.group: [EntryPoint("shades", "foreign_shades:shades", DATA_SETS.group)],
        BLOCKS.group: [
            EntryPoint("plain", "foreign_plain:Plain", BLOCKS.group),
            EntryPoint("two-angles", "foreign_two_angles:TwoAngles", BLOCKS.group),
        ],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(registry, "entry_points", lambda group: points.get(group, []))
        for known in (DATA_SETS, BLOCKS):
            patch.setattr(known, "_items", dict(known._items))
        yield
    for name in FILES:
        sys.modules.pop(f"foreign_{name}", None)


@pytest.fixture(scope="module")
def options(foreign):
    return TrainingOptions(
        recipe="tiny", steps=3, batch_size=4, train_samples=8,
        data="shades", vision_block="two-angles", text_block="plain",
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(options, tmp_path_factory):
    return train(options, tmp_path_factory.mktemp("trained") / "run")


class Counting(TorchEstimator):
    """Exact, and counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def run(self, pubs, *, precision=None):
        self.calls += 1
        return super().run(pubs, precision=precision)


def test_the_run_folder_says_and_opens_what_it_was_trained_on(run):
    assert run.info["data"] == {"name": "shades", "train_samples": 8}
    opened = Run.open(run.path)
    assert {s.answer for s in opened.samples("test", 4)} == {"black", "white"}
    assert opened.model().config.blocks == {
        "vision": {"name": "two-angles", "kind": "quantum"},
        "text": {"name": "plain", "num_qubits": 2, "num_layers": 1, "kind": "quantum"},
    }


def test_the_circuits_are_trained_and_stored_under_the_blocks_names(run):
    layers = run.model().quantum_layers
    assert list(layers) == [
        "vision.embeddings.patch_embeddings.two_angles.layer", "plain.core.layer",
    ]  # fmt: skip
    assert list(run.history()) == ["step", "loss", "learning_rate", "gate_plain"]


def test_their_rows_are_bought_once_and_ahead(run):
    """The same answers, and no circuit is run after what is asked ahead."""
    model, processor, samples = run.model(), run.processor(), run.samples("test", 4)
    plain = evaluate(model, processor, samples)
    counting = {name: Counting() for name in model.quantum_layers}
    for name, layer in model.quantum_layers.items():
        layer.run_on(counting[name])
    with asked_once(model), torch.inference_mode():
        prefetch(model, processor, samples)
        assert evaluate(model, processor, samples) == plain
    assert [each.calls for each in counting.values()] == [1, 1]
    assert jobs_in_a_row(model, tokens=5) == 1 + 5


def test_a_data_set_without_captions_is_not_asked_for_one(run):
    image = run.path.parent / "image.png"
    run.samples("test", 1)[0].image.save(image)
    with pytest.raises(InputError, match="data set without captions: use qvlm ask"):
        caption(image, run=run.path)


def test_a_frozen_foreign_block_is_not_trained(options, tmp_path):
    frozen = train(replace(options, blocks="frozen", steps=1), tmp_path / "run").model()
    assert [layer.weight.requires_grad for layer in frozen.quantum_layers.values()] == [False] * 2


@pytest.mark.parametrize(
    ("change", "nearest"),
    [
        ({"data": "shade"}, "shades"),
        ({"text_block": "plane"}, "plain"),
        ({"vision_block": "two-angle"}, "two-angles"),
        ({"vision_block": "two-angle", "blocks": "none"}, "two-angles"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_foreign_one(options, change, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
        replace(options, **change)


def test_a_foreign_block_stands_at_its_own_place_only(options):
    with pytest.raises(InputError, match="'plain' stands at 'text', not at 'vision'"):
        replace(options, vision_block="plain")
