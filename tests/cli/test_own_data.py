"""A user's own pictures, from a folder to answers of a machine."""

import json

import pytest

from tests.cli.small_runs import STORE
from tests.data import miniatures

SHORT = ("--recipe", "tiny", "--steps", "2", "--batch-size", "4")


@pytest.fixture
def pictures(place):
    miniatures.image_folder(place / "fruit", each=4, splits=("train", "test"))
    (place / "fruit" / "train" / "pear" / "3.png").write_bytes(b"no image")
    return place / "fruit"


def test_a_folder_is_trained_on_evaluated_and_submitted(qvlm, pictures, place):
    data = ("--data", "folder:fruit", "--columns", "ask=which fruit is it?")
    trained = qvlm("train", *SHORT, *data, "--image-size", "24", "--out", "own")
    assert trained.status == 0, trained.err
    assert "skipped 1 × a damaged or unreadable image (first: train/pear/3.png)" in trained.err
    about = json.loads((place / "own" / "run.json").read_text())["data"]
    assert about["name"] == f"folder:{place.resolve()}/fruit(ask=which fruit is it?)"
    assert (about["train_samples"], about["skipped"]["a damaged or unreadable image"]["rows"]) == (
        7, 1,
    )  # fmt: skip
    config = json.loads((place / "own" / "model" / "config.json").read_text())
    assert config["vision_config"]["image_size"] == 24

    found = json.loads(qvlm("evaluate", "own", "--json").out)
    assert found["total"] == 8
    assert {entry["expected"] for entry in found["questions"]} == {"red apple", "pear"}
    assert {entry["question"] for entry in found["questions"]} == {"which fruit is it?"}

    miniatures.image_folder(place / "more", labels=("pear",), each=3, splits=("test",))
    other = ("--data", "folder:more", "--columns", "ask=which fruit is it?")
    assert json.loads(qvlm("evaluate", "own", *other, "--json").out)["total"] == 3

    # neither a question nor an evaluation elsewhere needs the pictures that it was trained on
    pictures.rename(place / "moved")
    gone = qvlm("evaluate", "own")
    assert gone.status == 2
    assert "nothing at" in gone.err
    machine = ("--backend", "noisy:fake_manila", "--shots", "10", "--seed", "0")
    sent = qvlm("submit", "own", *other, "--limit", "2", *machine, *STORE, "--json")
    assert sent.status == 0, sent.err
    assert json.loads(sent.out)["result"]["total"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "foldr:fruit"), "unknown data set 'foldr': did you mean 'folder'?"),
        (("--data", "folder:gone"), "nothing at gone: folder is read from"),
        (("--data", "folder:fruit", "--columns", "image=x"), "unknown option of a folder without"),
        (("--data", "folder:fruit", "--columns", "x"), "--columns is of the form image=photo,…"),
        (("--columns", "image=x"), "--columns and --strict say how --data is read: give both"),
        (("--data", "folder:fruit", "--tokenizer", "./gone"), "no folder of a tokenizer at"),
        (("--image-size", "20"), "images of 20 pixels are not filled by patches of 8"),
    ],
)
def test_what_can_not_be_trained_on_is_one_line_and_leaves_nothing(refused, pictures, words, said):
    assert said in refused("train", *SHORT, *words, "--out", "own")


def test_a_strict_training_stops_at_the_first_bad_row(qvlm, pictures, place, tree):
    before = tree(place)
    found = qvlm("train", *SHORT, "--data", "folder:fruit", "--strict", "--out", "own")
    assert (found.status, found.out, tree(place)) == (2, "", before)
    assert found.err.splitlines()[-1].endswith("train/pear/3.png: a damaged or unreadable image")


def test_answers_that_are_too_long_are_refused_before_anything_is_written(qvlm, place, tree):
    miniatures.picture(place / "a.png", 1)
    rows = [{"image": "a.png", "caption": " ".join(["word"] * 70), "split": "train"}]
    miniatures.write(place / "long.json", rows)
    before = tree(place)
    found = qvlm("train", *SHORT, "--data", "table:long.json", "--out", "own")
    said = found.err.splitlines()[-1].removeprefix("qvlm: ")
    assert (found.status, found.out, tree(place)) == (2, "", before)
    assert said.startswith("80 tokens of image, question and answer are more than the 64")
    assert "(long.json, row 1 (a.png))" in said
