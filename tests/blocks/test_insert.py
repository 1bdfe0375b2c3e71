"""A block behind a module of any torch model."""

import json

import pytest
import torch
from torch import nn
from transformers import ViTConfig, ViTModel

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.blocks import insert_block, inserted_blocks, load_blocks, save_blocks
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import run_on

SMALL = {"num_qubits": 2, "num_layers": 1}


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


@pytest.fixture
def images():
    return torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("path", "width", "axis"), [("0", 4, 1), ("3", 3, -1)])
@pytest.mark.parametrize("name", ["qcnn", "paqm"])
def test_a_block_blends_what_its_module_returned(images, name, path, width, axis):
    model = net()
    before = model[: int(path) + 1](images)
    block = insert_block(model, path, name, width=width, axis=axis, **SMALL)
    after = model[: int(path) + 1](images)
    tokens = before.movedim(axis, -1).reshape(5, -1, width)
    positions = (torch.arange(tokens.shape[1])[None],) if name == "paqm" else ()
    expected = block(tokens, *positions).reshape(before.movedim(axis, -1).shape).movedim(-1, axis)
    torch.testing.assert_close(after, expected)
    assert after.shape == before.shape
    model(images).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model[0].weight.shape == (4, 1, 3, 3)  # the module's own, through the block


def test_blocks_are_saved_beside_a_model_and_loaded_into_another(images, tmp_path):
    model = net()
    for path, width, axis in (("0", 4, 1), ("3", 3, -1)):
        insert_block(model, path, "qcnn", width=width, axis=axis, initial_gate=0.3, **SMALL)
    save_blocks(model, tmp_path / "blocks")
    other = net()
    assert set(load_blocks(other, tmp_path / "blocks")) == {"0", "3"} == set(inserted_blocks(other))
    assert torch.equal(model(images), other(images))
    assert inserted_blocks(other)["0"].block.config.initial_gate == 0.3


def test_options_may_stand_behind_the_name(images, tmp_path):
    model, text = net(), "qcnn(encoding=re-upload,pooling=1)"
    built = insert_block(model, "3", text, width=3, **SMALL)
    assert (built.config.encoding, built.config.pooling) == ("re-upload", 1)
    torch.nn.init.normal_(built.core.angles.scale)
    save_blocks(model, tmp_path / "blocks")
    other = net()
    load_blocks(other, tmp_path / "blocks")
    assert torch.equal(model(images), other(images))


def test_the_circuits_run_where_they_are_sent(images):
    model = net()
    insert_block(model, "3", "qcnn", width=3, **SMALL)
    exact = model(images)
    with run_on(model, open_backend("noisy:depolarizing(0.1)", precision=0)):
        noisy = model(images)
    assert not torch.allclose(exact, noisy, atol=1e-3)
    assert torch.equal(model(images), exact)


def test_a_transformer_has_blocks_inside_and_keeps_its_outputs_class():
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        image_size=8, patch_size=4,
    )  # fmt: skip
    model = ViTModel(config).eval()
    pixels = torch.rand(2, 3, 8, 8)
    before = model(pixels)
    insert_block(model, "encoder.layer.0" if hasattr(model, "encoder") else "layers.0", "qcnn",
                 width=8, **SMALL)  # fmt: skip
    after = model(pixels)
    assert type(after) is type(before)
    assert after.last_hidden_state.shape == before.last_hidden_state.shape
    assert not torch.equal(after.last_hidden_state, before.last_hidden_state)


class Odd(nn.Module):
    """Returns what it is told to."""

    def __init__(self, returned):
        super().__init__()
        self.returned = returned

    def forward(self):
        return self.returned


def test_the_first_tensor_of_a_tuple_or_a_mapping_is_blended():
    values = torch.rand(2, 3, 4)
    for returned in ((values, "rest"), {"hidden": values, "rest": 1}):
        model = nn.Sequential(Odd(returned))
        block = insert_block(model, "0", "qcnn", width=4, **SMALL)
        found = model[0]()
        first = found[0] if isinstance(found, tuple) else found["hidden"]
        assert type(found) is type(returned)
        torch.testing.assert_close(first, block(values))
    with pytest.raises(InputError, match="stands behind a tensor, and Odd returned int"):
        broken = nn.Sequential(Odd(1))
        insert_block(broken, "0", "qcnn", width=4, **SMALL)
        broken[0]()


@pytest.mark.parametrize(
    ("path", "block", "options", "error", "said"),
    [
        ("00", "qcnn", {"width": 4}, UnknownNameError, "unknown module '00'"),
        ("", "qcnn", {"width": 4}, InputError, "behind a module inside the model"),
        ("0", "qccn", {"width": 4}, UnknownNameError, "did you mean 'qcnn'"),
        ("0", "qcnn", {"width": 4, "num_qubit": 2}, UnknownNameError, "did you mean 'num_qubits'"),
    ],
)
def test_what_is_not_there_is_named(path, block, options, error, said):
    with pytest.raises(error, match=said):
        insert_block(net(), path, block, **options)


def test_another_width_and_a_second_block_are_refused(images):
    model = net()
    insert_block(model, "0", "qcnn", width=3, axis=1, **SMALL)
    with pytest.raises(InputError, match=r"of width 3 was given a tensor of shape \(5, 4, 2, 2\)"):
        model(images)
    with pytest.raises(InputError, match="a block stands behind '0' already"):
        insert_block(model, "0", "qcnn", width=4, axis=1)


def test_files_that_hold_no_blocks_are_refused(tmp_path):
    with pytest.raises(InputError, match="no inserted blocks to save"):
        save_blocks(net(), tmp_path)
    with pytest.raises(InputError, match="no blocks can be loaded"):
        load_blocks(net(), tmp_path)
    model = net()
    insert_block(model, "0", "qcnn", width=4, axis=1, **SMALL)
    save_blocks(model, tmp_path)
    record = tmp_path / "quantum_blocks.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "version": 2}))
    with pytest.raises(InputError, match="of another format or version"):
        load_blocks(net(), tmp_path)
    content["blocks"][0]["options"]["num_layers"] = 2
    record.write_text(json.dumps(content))
    with pytest.raises(InputError, match="are not '0''s"):
        load_blocks(net(), tmp_path)
