import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils.logging import is_progress_bar_enabled

from qvlm_qiskit.data import open_data
from qvlm_qiskit.errors import RunFolderError, UnknownNameError
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.models import VisionLanguageModel
from qvlm_qiskit.runs import FORMAT, VERSION, Run, no_transformers_bars, write_run

WEIGHTS = "model/model.safetensors"
MODEL_FILES = (
    "model/config.json",
    WEIGHTS,
    "model/processor_config.json",
    "model/tokenizer.json",
    "model/tokenizer_config.json",
)


def edit(path, **changes):
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, **changes}), encoding="utf-8")


def read_all(path):
    """What every command does with a run folder."""
    run = Run.open(path)
    return run.seed, run.model(), run.processor()


def test_a_run_opens_with_all_that_was_trained(tiny_run, tiny_options):
    run = Run.open(tiny_run.path)
    assert (run.info["format"], run.info["version"]) == (FORMAT, VERSION)
    assert run.seed == tiny_options.seed
    assert isinstance(run.model(), HybridVLM)
    assert isinstance(run.processor(), HybridVLMProcessor)
    assert not run.model().training
    assert len(run.history()["step"]) == tiny_options.steps


def test_a_written_run_reads_back_the_same_weights(tiny_run, tmp_path):
    model, processor = tiny_run.model(), tiny_run.processor()
    whole = VisionLanguageModel(model, processor)
    write_run(tmp_path / "again", whole, {"options": {"seed": 5}}, {"step": [1.0]})
    again = Run.open(tmp_path / "again")
    assert (again.seed, again.history()) == (5, {"step": [1.0]})
    for name, tensor in again.model().state_dict().items():
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=0, atol=0)
    question = "what is the sum?"
    assert again.processor().tokenizer(question) == processor.tokenizer(question)


def test_its_samples_are_those_of_its_data_set_and_seed(tiny_run):
    assert tiny_run.info["data"]["name"] == tiny_run.data.name == "digits"
    drawn = [s.sources for s in tiny_run.samples("test", 5)]
    assert drawn == [s.sources for s in open_data("digits", "test", 5, tiny_run.seed)]


def test_a_record_without_a_data_set_is_about_digits():
    assert Run(Path("run"), {"options": {"seed": 0}}).data.name == "digits"


@pytest.mark.parametrize("about", ["digits", {}, {"name": 3}, None])
def test_a_record_whose_data_set_has_no_name_is_damaged(about):
    with pytest.raises(RunFolderError, match="names no data set"):
        Run(Path("run"), {"data": about}).samples("test", 5)


def test_a_data_set_that_is_not_installed_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        Run(Path("run"), {"data": {"name": "digit"}}).samples("test", 5)


def test_a_missing_folder_says_how_to_make_one(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file"):
        with pytest.raises(RunFolderError, match="qvlm train --out"):
            Run.open(tmp_path / name)


def test_a_name_that_no_disk_takes_is_a_missing_folder(tmp_path):
    with pytest.raises(RunFolderError):
        Run.open(tmp_path / ("n" * 300))


def test_a_folder_without_a_record_is_no_run_folder(tmp_path):
    with pytest.raises(RunFolderError, match=r"no run\.json"):
        Run.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{ not json", b"\xff\xfe\x00"])
def test_a_broken_record_is_refused(run_copy, content):
    (run_copy / "run.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"run\.json is not readable as JSON"):
        Run.open(run_copy)


@pytest.mark.parametrize("content", ["[]", "null", "3", "{}", '{"format": "another"}'])
def test_a_record_of_another_format_is_refused(run_copy, content):
    (run_copy / "run.json").write_text(content)
    with pytest.raises(RunFolderError, match="another format"):
        Run.open(run_copy)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_a_run_of_another_version_is_refused(run_copy, version):
    edit(run_copy / "run.json", version=version)
    with pytest.raises(RunFolderError, match=f"version {version}; this qvlm reads version 1"):
        Run.open(run_copy)


@pytest.mark.parametrize("options", [None, {}, [], {"seed": "x"}])
def test_a_record_without_usable_options_is_refused(run_copy, options):
    edit(run_copy / "run.json", options=options)
    with pytest.raises(RunFolderError):
        read_all(run_copy)


@pytest.mark.parametrize("name", ["history.json", *MODEL_FILES])
def test_an_incomplete_run_is_refused(run_copy, name):
    (run_copy / name).unlink()
    with pytest.raises(RunFolderError) as caught:
        read_all(run_copy)
    assert str(run_copy) in str(caught.value)


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("content", [b"{ not json", b"\xff\xfe\x00"], ids=["text", "bytes"])
def test_a_damaged_file_of_the_model_is_refused(run_copy, name, content):
    (run_copy / name).write_bytes(content)
    with pytest.raises(RunFolderError):
        read_all(run_copy)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("hidden_size", "wide", "'hidden_size'.*int"),
        ("num_hidden_layers", 7, "don't fit its configuration at decoder.layers"),
        ("num_qubits", 3, r"at \S+, \(\d+,.*\) in place of \(\d+,"),
    ],
)
def test_an_edited_configuration_is_refused_by_what_was_edited(run_copy, name, value, says):
    config = run_copy / "model" / "config.json"
    edited = re.sub(rf'"{name}": \d+', f'"{name}": {json.dumps(value)}', config.read_text())
    config.write_text(edited)
    with pytest.raises(RunFolderError, match=says) as caught:
        Run.open(run_copy).model()
    assert "\n" not in str(caught.value)


def test_a_damaged_history_is_refused(run_copy):
    (run_copy / "history.json").write_text("{ not json")
    with pytest.raises(RunFolderError):
        Run.open(run_copy).history()


def test_weights_that_were_cut_off_are_refused(run_copy):
    content = (run_copy / WEIGHTS).read_bytes()
    (run_copy / WEIGHTS).write_bytes(content[:-100])
    with pytest.raises(RunFolderError):
        read_all(run_copy)


def test_weights_that_lack_a_tensor_are_refused_and_never_drawn_at_random(run_copy):
    tensors = load_file(run_copy / WEIGHTS)
    (gone,) = [name for name in tensors if name.startswith("paqm.core")]
    del tensors[gone]
    save_file(tensors, run_copy / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(RunFolderError):
        read_all(run_copy)


def test_weights_of_another_shape_are_refused(run_copy):
    tensors = load_file(run_copy / WEIGHTS)
    (name,) = [name for name in tensors if name.startswith("paqm.core")]
    save_file({**tensors, name: torch.zeros(3)}, run_copy / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(RunFolderError):
        read_all(run_copy)


def test_transformers_bars_are_off_inside_and_on_again_outside():
    assert is_progress_bar_enabled()
    with pytest.raises(RuntimeError), no_transformers_bars():
        assert not is_progress_bar_enabled()
        raise RuntimeError
    assert is_progress_bar_enabled()
