"""``qvlm adapter`` from two folders of pretrained models to a submitted job."""

import json

import pytest

from qvlm_qiskit.basics.bars import no_transformers_bars
from qvlm_qiskit.runs import Run
from tests.adapter import hubs
from tests.data import miniatures

pytest.importorskip("peft")

QUICK = (
    "--steps",
    "2",
    "--batch-size",
    "4",
    "--train-samples",
    "8",
    "--n-qubits",
    "2",
    "--beams",
    "1",
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with no_transformers_bars():
        return hubs.write(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def fruit(place):
    miniatures.image_folder(place / "fruit", each=4, splits=("train", "test"))
    return ("--data", "folder:fruit", "--prompt", "Describe the image:")


def test_from_two_models_to_a_caption_and_a_job(qvlm, hub, fruit, place):
    words = ("--vision", hub / "clip", "--language", hub / "llama", "--cache", "seen", *fruit)
    (place / "seen").mkdir()
    trained = qvlm("adapter", "train", *words, *QUICK, "--out", "captions")
    assert trained.status == 0, trained.err
    assert "(18 circuit angles)" in trained.err
    assert len(list((place / "seen").iterdir())) == 8
    run = Run.open(place / "captions")
    assert {one.question for one in run.samples("test", 3)} == {"Describe the image:"}

    seen = json.loads(qvlm("adapter", "inspect", "captions", "--json").out)
    assert len(seen) == 4, "queries and values of two layers"
    assert all(len(one["entropies"]) == len(one["control"]) for one in seen)
    table = qvlm("adapter", "inspect", "captions", "--plot", "entropies.png").out
    assert "self_attn.q_proj" in table
    assert (place / "entropies.png").is_file()

    said = qvlm("adapter", "caption", "image.png", "--run", "captions", "--max-new-tokens", "4",
                "--json")  # fmt: skip
    assert json.loads(said.out)["question"] == "Describe the image:"

    noisy = (
        "--backend",
        "noisy:fake_manila",
        "--shots",
        "20",
        "--limit",
        "3",
        "--max-new-tokens",
        "2",
    )
    assert qvlm("adapter", "evaluate", "captions", *noisy).status == 0
    sent = qvlm("adapter", "submit", "captions", *noisy, "--store", "ledger")
    assert sent.status == 0, sent.err
    assert "3 rows by 1 jobs" in sent.out, "the circuit runs once for each picture"


def test_a_block_of_the_zoo_stands_in_the_circuits_place(qvlm, hub, fruit, place):
    given = ("--vision", hub / "clip", "--language", hub / "llama", *fruit, *QUICK[:6], "--beams",
             "1", "--block", "qkan(inputs=2,outputs=1,repetitions=1)", "--tokens", "2")  # fmt: skip
    counts = {}
    for kind in ("classical", "frozen", "quantum"):
        trained = qvlm("adapter", "train", *given, "--projection", kind, "--out", kind)
        assert trained.status == 0, trained.err
        counts[kind] = Run.open(place / kind).info["parameters"]
    assert len(set(counts.values())) == 1

    said = qvlm("adapter", "caption", "image.png", "--run", "quantum", "--max-new-tokens", "2",
                "--json")  # fmt: skip
    assert json.loads(said.out)["question"] == "Describe the image:"
    machine = ("--shots", "20", "--limit", "3", "--max-new-tokens", "2")
    noisy = ("--backend", "noisy:fake_manila", *machine)
    assert qvlm("adapter", "evaluate", "quantum", *noisy).status == 0
    priced = qvlm("preflight", "quantum", "--backend", "fake_manila", *machine)
    assert "costs of 6 rows in 1 calls" in priced.out, priced.out
    sent = qvlm("adapter", "submit", "quantum", *noisy, "--store", "ledger")
    assert "6 rows by 1 jobs" in sent.out, "two edges for each picture"


@pytest.mark.parametrize("file", ["text.png", "truncated.png", "empty.png", "nowhere.png"])
def test_an_image_that_can_not_be_read_is_named(refused, file):
    said = refused("adapter", "caption", file, "--run", "run")
    assert file in said
    assert "image" in said


def test_training_pictures_that_can_not_be_read_are_named(qvlm, hub, fruit, tree, place):
    for file in (place / "fruit" / "train").rglob("*.png"):
        file.write_bytes(b"no image")
    before = tree(place)
    words = ("--vision", hub / "clip", "--language", hub / "llama", *fruit, *QUICK)
    found = qvlm("adapter", "train", *words, "--out", "captions")
    assert (found.status, found.out, tree(place)) == (2, "", before)
    assert "8 × a damaged or unreadable image (first: train/" in found.err.splitlines()[-1]


def test_only_an_adapter_is_inspected(refused):
    assert "no adapter of a language model" in refused("adapter", "inspect", "run")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--n-qubits", "0"), "num_qubits is a whole number"),
        (("--projection", "quant"), "did you mean 'quantum'"),
        (("--vision", "/no/where"), "can be opened from /no/where: nothing is there"),
        (("--adapter", "lorra"), "unknown adapter 'lorra'"),
        (("--pool", "max"), "unknown pooling"),
        (
            ("--block", "qkan(inputs=8)"),
            "takes the place of the circuit that num_qubits=2 is about",
        ),
        (("--attention", "score"), "did you mean 'scores'"),
        (("--attention", "scores"), "sees 2 × 2 patches of a picture, fewer than a grid of 3 × 3"),
        (("--grid", "2"), "goes with attention"),
        (("--encoding", "amplitude"), "2 qubits have 4 amplitudes, and there are 16 features"),
        (("--vision", "HUB/siglip-headless", "--pool", "pooled"), "no pooled output"),
        (("--adapter", "lora(target_modules=query)"), "(known: down_proj, gate_proj, k_proj"),
        (("--language", "HUB/endless"), "no token that ends a text"),
        (("--language", "HUB/torn/torn.gguf"), "torn.gguf"),
        (("--columns", "ask=what?", "--prompt", "that"), "say it once"),
    ],
)
def test_a_wrong_word_is_one_line(qvlm, hub, fruit, tree, place, words, says):
    before = tree(place)
    given = ("--vision", hub / "clip", "--language", hub / "llama", *fruit[:2], *QUICK)
    words = [word.replace("HUB", str(hub)) for word in words]
    found = qvlm("adapter", "train", *given, *words, "--out", "captions")
    assert (found.status, found.out, tree(place)) == (2, "", before)
    assert says in found.err.splitlines()[-1]
