"""What a training can't be made of is said in one line, with status 2, before anything is written.

Tests no single module: the data, the vocabulary, the recipe, the disk, the network.
"""

import csv
import shutil
from collections import namedtuple

import huggingface_hub
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from qvlm_qiskit.runs import Run
from qvlm_qiskit.training.checkpoints import is_whole
from tests.data import miniatures

QUICK = ("--recipe", "tiny", "--steps", "2", "--batch-size", "2", "--out", "new")
ROWS = {
    "good.csv": (("photo", "species"), [(f"{i}.png", ("elm", "oak")[i % 2]) for i in range(6)]),
    "gone.csv": (("image", "label"), [(f"no{i}.png", "elm") for i in range(6)]),
    "damaged.csv": (("image", "label"), [("bad.png", "elm") for i in range(6)]),
    "silent.csv": (("image", "colour"), [(f"{i}.png", "red") for i in range(6)]),
    "long.csv": (("image", "label"), [(f"{i}.png", "elm " * 70) for i in range(6)]),
    "empty.csv": (("image", "label"), []),
}  # fmt: skip
LIST = "table:birds/good.csv"
NAMED = (LIST, "--columns", "image=photo,answer=species")


@pytest.fixture
def birds(place, tmp_path_factory):
    """Tables of pictures, and tokenizers with few words."""
    for i in range(6):
        miniatures.picture(place / "birds" / f"{i}.png", 40 * i)
    (place / "birds" / "bad.png").write_bytes(b"no picture")
    (place / "birds" / "torn.parquet").write_bytes(b"PAR1")
    for name, (columns, rows) in ROWS.items():
        with (place / "birds" / name).open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    for name, unknown in (("few", {"unk_token": "<unk>"}), ("silent", {}), ("none", {})):
        words = [*special[: 3 if name == "none" else 4], "what", "is", "it", "?"]
        made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, **unknown))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        PreTrainedTokenizerFast(
            tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", **unknown
        ).save_pretrained(place / name)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((LIST,), ["no column for image", "its columns are photo, species"]),
        (
            (LIST, "--columns", "image=foto,answer=species"),
            ["no column 'foto'", "its columns are photo, species"],
        ),
        ((LIST, "--columns", "image=photo,answer=kind"), ["no column 'kind'", "photo, species"]),
        ((LIST, "--columns", "picture=photo"), ["'picture'", "image, question, answer"]),
        (("table:birds/silent.csv",), ["no column for answer or caption", "image, colour"]),
        (("table:birds/gone.csv",), ["no row of", "× no image file (first: gone.csv, row"]),
        (("table:birds/damaged.csv",), ["no row of", "× a damaged or unreadable image (first: d"]),
        (("table:birds/damaged.csv", "--strict"), ["(bad.png): a damaged or unreadable image"]),
        (("table:birds/empty.csv",), ["empty.csv has no rows"]),
        (("table:birds/torn.parquet",), ["torn.parquet is a damaged table"]),
        (("table:birds/nowhere.csv",), ["nothing at birds/nowhere.csv"]),
        (("table:birds/long.csv",), ["80 tokens", "more than the 64", "long.csv, row"]),
        (
            (*NAMED, "--tokenizer", "few"),
            ["the vocabulary lacks '", "' of the answer '", "good.csv, row", "--tokenizer"],
        ),
        ((*NAMED, "--tokenizer", "silent"), ["the vocabulary lacks '", "of the answer"]),
        ((*NAMED, "--tokenizer", "none"), ["the tokenizer can't read", "UNK"]),
        ((LIST, "--image-size", "20"), ["20 pixels are not filled by patches of 8", "such as 16"]),
        ((LIST, "--image-size", "0"), ["0 pixels are not filled by patches of 8"]),
        ((*NAMED, "--image-size", "8000000"), ["this machine's memory is not enough"]),
        (("digits", "--report-to", "tensorbord"), ["did you mean 'tensorboard'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_can_not_be_trained_on_is_said_before_anything_is_written(
    qvlm, birds, place, tree, words, says
):
    before = tree(place)
    found = qvlm("train", *QUICK, "--data", *words)
    assert (found.status, found.out, tree(place)) == (2, "", before)
    *bars, line = found.err.splitlines()
    assert line.startswith("qvlm: ")
    assert all(part in line for part in says), line
    assert all("samples" in bar or "images" in bar for bar in bars)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("digits", "--tokenizer", "some-owner/some-name"), "no tokenizer can be loaded from"),
        (("hub:some-owner/some-name",), "hub:some-owner/some-name can't be opened"),
    ],
)
def test_a_name_of_the_hub_without_a_network(refused, monkeypatch, words, says):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert says in refused("train", *QUICK, "--data", *words)


def test_a_disk_without_room_for_checkpoints(refused, monkeypatch):
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 2 * 10**6))
    line = refused("train", *QUICK)
    assert line.startswith("checkpoints of 1.2 MB and the run take 2.5 MB, and ")
    assert line.endswith(" has 2.0 MB left: make room or choose another --out")


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("optimizer.pt", OSError(28, "No space left on device")),
        ("scheduler.pt", RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file")),
    ],
)
def test_a_disk_that_is_full_in_the_middle_keeps_the_last_checkpoint(
    qvlm, place, monkeypatch, file, error
):
    miniatures.image_folder(place / "fruit", each=6, splits=("train", "val", "test"))
    save, room = torch.save, [False]

    def full(value, path, *arguments, **options):
        if not room[0] and str(path).endswith(f"checkpoint-2/{file}"):
            raise error
        save(value, path, *arguments, **options)

    monkeypatch.setattr(torch, "save", full)
    words = ("train", *QUICK, "--data", "folder:fruit", "--evaluate-every", "1")
    found = qvlm(*words)
    assert found.status == 2
    line = found.err.splitlines()[-1]
    assert line.startswith("qvlm: can't write the checkpoint of step 2: ")
    assert "the same command goes on from there with --resume" in line
    (kept,) = (place / "new.partial" / "checkpoints").iterdir()
    assert kept.name == "checkpoint-1"
    assert is_whole(kept)
    room[0] = True
    assert qvlm(*words, "--resume").status == 0
    assert Run.open(place / "new").history()["step"] == [1, 2]
