"""Every mistake of a user is one line on stderr, status 2, and nothing half-written."""

import json
import shutil

import pytest

QUICK = ("--recipe", "tiny", "--steps", "2", "--train-samples", "16")
QUESTION = ("--question", "what is the sum?")
SMALL = ("--test-samples", "4", "--noisy-samples", "2", "--runtime-samples", "2", "--steps", "1")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("nonsense", ["No such command 'nonsense'", "train", "evaluate", "backends"]),
        ("--nonsense", ["No such option: --nonsense", "--version", "--help"]),
        ("train --nonsense 3", ["--nonsense", "--recipe", "--train-samples", "--resume"]),
        ("train", ["--out"]),
        ("train --out", ["--out"]),
        ("train --out new --steps many", ["--steps", "integer"]),
        ("train --out new --learning-rate fast", ["--learning-rate", "number"]),
        ("train --out new extra", ["extra"]),
        ("evaluate", ["run"]),
        ("evaluate run --nonsense", ["--nonsense", "--backend", "--limit", "--shots"]),
        ("evaluate run --shots 1.5", ["--shots", "integer"]),
        ("ask image.png --run run", ["--question"]),
        ("ask --question x", ["image"]),
        ("caption", ["image"]),
        ("caption image.png --question x", ["--question", "--run"]),
        ("backends nonsense", ["No such command 'nonsense'", "list", "show"]),
        ("backends show", ["name"]),
        ("backends show aer again", ["again"]),
        ("backends list --nonsense", ["--nonsense", "--json"]),
        ("noise nonsense", ["No such command 'nonsense'", "show", "save", "diff"]),
        ("noise diff fake_manila", ["second"]),
        ("demo --nonsense", ["--nonsense", "--device", "--mitigation"]),
        ("demo --shots few", ["--shots", "integer"]),
    ],
)
def test_words_that_are_no_command(refused, words, says):
    line = refused(*words.split())
    assert all(part in line for part in says), line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--steps -3", ["steps must be at least 1", "-3"]),
        ("--steps 0", ["steps must be at least 1", "0"]),
        ("--batch-size 0", ["batch_size must be at least 1"]),
        ("--train-samples -1", ["train_samples must be at least 1"]),
        ("--train-samples 1000001", ["train_samples must be at most 1,000,000", "1,000,001"]),
        (f"--steps 1{'0' * 30}", ["steps must be at most 1,000,000,000"]),
        ("--recipe paper --train-samples 1000000", ["1,000,000 training samples", "GiB"]),
        ("--learning-rate 0", ["learning_rate must be positive"]),
        ("--learning-rate nan", ["learning_rate", "nan"]),
        ("--learning-rate inf", ["learning_rate", "inf"]),
        ("--seed -1", ["seed must be in 0"]),
        ("--threads 0", ["threads must be at least 1", "0"]),
        ("--recipe medium", ["recipe 'medium'", "tiny, small, paper"]),
        ("--recipe smal", ["did you mean 'small'"]),
        ("--blocks quantun", ["'quantun'", "did you mean 'quantum'", "classical, frozen, none"]),
        ("--vision-block qcn(pooling=1)", ["unknown block 'qcn'", "did you mean 'qcnn'"]),
        ("--vision-block qcnn:here", ["NAME(option=value,…)", "'qcnn:here'"]),
        ("--vision-block qcnn(encoding=msp)", ["encoding 'msp'", "did you mean 'mps'"]),
        ("--vision-block qcnn(poling=1)", ["option of block qcnn 'poling'", "'pooling'"]),
        ("--vision-block qcnn(pooling=one)", ["block qcnn: pooling is a number", "'one'"]),
        ("--vision-block qcnn(pooling=2)", ["pooling=2 is more than num_qubits=2 allows"]),
        ("--vision-block qcnn(num_qubits=60)", ["2^60 amplitudes", "encoding=angle"]),
        ("--vision-block doubly-stochastic", ["takes 16 tokens", "4 patches", "(tokens=4)"]),
        ("--vision-block doubly-stochastic(tokens=3)", ["a power of two, got tokens=3"]),
        ("--text-block token-circuit", ["'token-circuit' stands at 'vision', not at 'text'"]),
        ("--text-block paqm(kind=frozen)", ["--blocks says of which kind", "kind="]),
        ("--resume", ["nothing to resume at new.partial"]),
        ("--backend ibm:ibm_x", ["can't train on 'ibm:ibm_x' without --shots"]),
        (
            "--backend ibm:ibm_x --shots 9",
            ["can't train on 'ibm:ibm_x' without --budget-seconds", "--dry-run"],
        ),
        ("--backend ibm:best", ["can't train on 'ibm:best'", "name one here"]),
        ("--store jobs", ["--store goes with --shots"]),
        ("--dry-run", ["--dry-run go with --store or a paid machine", "'statevector'"]),
        (
            "--backend aer --shots 9 --budget-seconds 9",
            ["--budget-seconds", "go with --store or a paid machine", "'aer'"],
        ),
        ("--train circuits", ["--train goes with --from"]),
        ("--from run --train circuit", ["'circuit'", "did you mean 'circuits'"]),
        ("--from nowhere", ["no run folder at nowhere"]),
        ("--from run", ["run was trained with train_samples=200", "not 16"]),
        ("--backend fake_manila", ["can't train on 'fake_manila' without --shots"]),
        ("--shots 9", ["--shots goes with 'aer'", "'statevector'"]),
        ("--backend aer --prune", ["--prune", "go with --shots", "differentiated exactly"]),
        ("--backend aer --shots 9 --gradient adjoint", ["'adjoint'", "param_shift, spsa"]),
        ("--backend aer --shots 9 --gradient spsa --prune", ["prune goes with", "'spsa'"]),
        ("--backend aer --shots 9 --directions 2", ["directions", "go with gradient 'spsa'"]),
        ("--backend aer --shots 9 --gradient spsa --directions 0", ["at least 1", "0 directions"]),
        ("--backend aer --shots 0", ["shots is 0"]),
        ("--backend noisy:fake_manilla", ["did you mean 'noisy:fake_manila'"]),
        ("--backend noisy:fake_manila --blocks none", ["no circuits", "noisy:fake_manila"]),
        ("--noise-scale 2", ["'statevector' takes no option noise_scale="]),
        ("--max-age-days 2", ["'statevector' takes no option max_age_days="]),
        ("--backend noisy:fake_manila --max-age-days 30", ["fake_manila is stale", "2024-05-27"]),
    ],
)
def test_train_with_impossible_options(refused, words, says):
    line = refused("train", "--out", "new", *QUICK, *words.split())
    assert all(part in line for part in says), line


@pytest.mark.parametrize(
    "out",
    ["run", "folder", "file", "file/new", "file/deep/new", ".", "", "/", "..", "n" * 300],
    ids=["run", "folder", "file", "below", "deep", "here", "nothing", "root", "up", "long"],
)
@pytest.mark.parametrize("command", ["train", "demo"])
def test_a_place_that_can_not_be_written(refused, command, out):
    options = QUICK if command == "train" else (*SMALL, "--device", "fake_manila")
    line = refused(command, "--out", out, *options)
    assert "--out" in line


@pytest.mark.parametrize("command", ["train", "demo"])
def test_overwriting_something_that_is_no_folder(refused, command):
    options = QUICK if command == "train" else (*SMALL, "--device", "fake_manila")
    assert "file is not a folder" in refused(command, "--out", "file", "--overwrite", *options)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--limit 0", ["at least 1 sample", "0"]),
        ("--limit -2", ["at least 1 sample", "-2"]),
        (f"--limit 1{'0' * 30}", ["at most 1,000,000 samples"]),
        ("--limit 1000001", ["at most 1,000,000 samples", "1,000,001"]),
        ("--threads -1", ["threads must be at least 1", "-1"]),
        ("--backend aerr", ["unknown backend 'aerr'", "did you mean 'aer'", "statevector"]),
        ("--backend noisy:fake_manilla", ["did you mean 'noisy:fake_manila'"]),
        ("--backend noisy:bitflip(0.1)", ["bitflip"]),
        ("--backend noisy:depolarizing(2)", ["probability", "between 0 and 1"]),
        ("--backend noisy:depolarizing(x)", ["'x'", "is no number"]),
        ("--backend aer --shots 0", ["shots is 0", "at least 1"]),
        ("--backend aer --shots -5", ["shots is -5", "at least 1"]),
        ("--backend aer --precision 0", ["precision is 0", "above 0"]),
        ("--backend aer --precision nan", ["precision is nan"]),
        ("--backend aer --shots 9 --precision 0.1", ["shots or precision, not both"]),
        ("--backend aer --seed -1", ["seed is -1", "at least 0"]),
        ("--backend aer --optimization-level 4", ["optimization_level is 4", "from 0 to 3"]),
        ("--backend noisy:fake_manila --noise-scale -1", ["noise_scale is -1", "at least 0"]),
        ("--backend aer --noise-scale 2", ["no option noise_scale", "it takes"]),
        ("--backend aer --mitigation magic", ["mitigation 'magic'", "readout, zne"]),
        ("--backend aer --mitigation zne", ["no mitigation 'zne'", "it offers: none"]),
        ("--backend noisy:fake_manila --mitigation resilience-1", ["resilience-1", "readout"]),
        ("--backend statevector --mitigation readout", ["no mitigation 'readout'"]),
        ("--backend aer --method density", ["method is 'density'", "takes auto, statevector"]),
        ("--backend noisy:fake_manila --method exact", ["method 'exact'", "auto, density, aer"]),
        ("--backend noisy:fake_manila --method aer --precision 0", ["method='aer' draws shots"]),
        ("--backend noisy:fake_manila --max-age-days 30", ["fake_manila is stale"]),
        ("--backend noisy:zz(0.1) --max-age-days 9", ["has no calibration date"]),
        ("--backend aer --max-age-days 9", ["no option max_age_days="]),
        ("--backend noisy:fake_manila --mitigation dd", ["idle qubits have no noise"]),
    ],
)
def test_evaluate_with_impossible_options(refused, words, says):
    line = refused("evaluate", "run", *words.split())
    assert all(part in line for part in says), line


@pytest.mark.parametrize(
    "words",
    [
        "--backend aer --seed 9223372036854775808",
        "--backend aer --precision 1e-12",
        "--backend aer --precision 1e-200",
    ],
)
def test_evaluate_with_numbers_beyond_the_simulator(refused, words):
    refused("evaluate", "run", "--limit", "1", *words.split())


@pytest.mark.parametrize("name", ["fake_armonk", "noisy:fake_armonk"])
@pytest.mark.parametrize("command", ["evaluate", "caption"])
def test_more_qubits_than_the_backend_has(refused, command, name):
    words = ("evaluate", "run", "--limit", "2")
    if command == "caption":
        words = ("caption", "image.png", "--run", "run")
    line = refused(*words, "--backend", name)
    assert "2 qubits" in line
    assert "1" in line


def test_too_many_qubits_leave_no_traceback(qvlm):
    """The weaker promise: whatever the progress bar has said, the last line is the error."""
    found = qvlm("evaluate", "run", "--limit", "2", "--backend", "fake_armonk")
    assert (found.status, found.out) == (2, "")
    assert found.err.splitlines()[-1].startswith("qvlm: the circuit has 2 qubits, the device 1")


@pytest.mark.parametrize("command", ["evaluate", "ask", "caption"])
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere", "qvlm train --out nowhere"),
        ("file", "no run folder at file"),
        ("folder", "folder is not a run folder"),
        ("n" * 300, "no run folder"),
    ],
    ids=["missing", "file", "folder", "long"],
)
def test_a_path_that_is_no_run_folder(refused, command, path, says):
    words = {
        "evaluate": ("evaluate", path),
        "ask": ("ask", "image.png", "--run", path, *QUESTION),
        "caption": ("caption", "image.png", "--run", path),
    }
    assert says in refused(*words[command])


def test_a_message_of_several_lines_becomes_one(refused):
    assert "no run folder at no where" in refused("evaluate", "no\nwhere")


def damage_version(folder):
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps({**record, "version": 99}), encoding="utf-8")


def damage_format(folder):
    (folder / "run.json").write_text('{"format": "qvlm-results", "version": 1}')


def damage_json(folder):
    (folder / "run.json").write_text('{"format": "qvlm-run", ')


def damage_weights(folder):
    path = folder / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])


def damage_tokenizer(folder):
    (folder / "model" / "tokenizer.json").unlink()


def damage_incomplete(folder):
    (folder / "model" / "config.json").unlink()


@pytest.mark.parametrize("command", ["evaluate", "caption"])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_version, "version 99; this qvlm reads version 1"),
        (damage_format, "another format"),
        (damage_json, "not readable as JSON"),
        (damage_incomplete, "model/config.json is missing"),
        (damage_weights, "copy"),
        (damage_tokenizer, "copy"),
    ],
)
def test_a_run_folder_that_can_not_be_used(refused, place, tiny_run, command, damage, says):
    damage(shutil.copytree(tiny_run.path, place / "copy"))
    words = ("evaluate", "copy") if command == "evaluate" else ("caption", "image.png")
    assert says in refused(*words, *(() if command == "evaluate" else ("--run", "copy")))


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("nowhere.png", "no image file at nowhere.png"),
        ("folder", "no image file at folder"),
        ("file/image.png", "no image file"),
        ("file", "file is not an image (PNG, JPEG"),
        ("text.png", "not an image (PNG, JPEG"),
        ("empty.png", "not an image (PNG, JPEG"),
        ("header.png", "header.png is"),
        ("truncated.png", "truncated.png is a damaged or unreadable image"),
        ("damaged.png", "damaged.png is a damaged or unreadable image"),
        ("n" * 300, "no image file"),
    ],
    ids=lambda value: value[:20],
)
@pytest.mark.parametrize("command", ["ask", "caption"])
def test_an_image_that_is_none(refused, command, image, says):
    words = QUESTION if command == "ask" else ()
    assert says in refused(command, image, "--run", "run", *words)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("which cat is on the left?", "'cat'"),
        ("Où est le chiffre ?", "'Où'"),
        ("", "empty"),
        ("   ", "empty"),
        ("<unk>", "'<unk>'"),
        ("what is the <image>?", "'<image>'"),
        ("<s> what is the sum?", "'<s>'"),
        ("what is the sum?</s>", "'</s>'"),
        ("<pad>", "'<pad>'"),
    ],
)
def test_a_question_that_the_model_can_not_read(refused, question, says):
    line = refused("ask", "image.png", "--run", "run", "--question", question)
    assert says in line
    assert "'what is the sum?'" in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--shots 0", "shots is 0"),
        ("--shots -1", "shots is -1"),
        ("--backend nonsense", "unknown backend 'nonsense'"),
        ("--backend aer --mitigation zne", "no mitigation 'zne'"),
        ("--seed -1", "seed is -1"),
    ],
)
@pytest.mark.parametrize("command", ["ask", "caption"])
def test_ask_and_caption_with_impossible_options(refused, command, words, says):
    question = QUESTION if command == "ask" else ()
    assert says in refused(command, "image.png", "--run", "run", *question, *words.split())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fake_torinno", "did you mean 'fake_torino'"),
        ("", "unknown backend ''"),
        ("noisy:", "unknown backend 'noisy:'"),
    ],
)
def test_showing_a_backend_that_is_none(refused, name, says):
    assert says in refused("backends", "show", name)


def test_hardware_without_an_account(refused, monkeypatch, tmp_path_factory):
    from qiskit_ibm_runtime.accounts import management

    for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "QISKIT_IBM_CHANNEL"):
        monkeypatch.delenv(name, raising=False)
    nowhere = str(tmp_path_factory.mktemp("home") / "accounts.json")
    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", nowhere)
    assert "QISKIT_IBM_TOKEN" in refused("backends", "show", "ibm:least_busy")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--noisy-samples 0", "noisy_samples must be between 2 and test_samples = 500"),
        ("--noisy-samples 600", "noisy_samples must be between 2 and test_samples = 500"),
        ("--runtime-samples 1", "runtime_samples must be between 2"),
        ("--test-samples 0", "test_samples = 0"),
        ("--test-samples 100", "noisy_samples must be between 2 and test_samples = 100"),
        ("--shots 0", "shots is 0"),
        ("--steps 0", "steps must be at least 1"),
        ("--seed -1", "seed must be in 0"),
        ("--threads 0", "threads must be at least 1"),
        ("--device fake_manilla", "fake_manila"),
        ("--device aer", "aer"),
        ("--mitigation magic", "mitigation 'magic'"),
        ("--mitigation resilience-1", "resilience-1"),
        ("--out folder", "folder exists already"),
        ("--out file", "file is not a folder"),
    ],
)
def test_demo_with_impossible_options(refused, words, says):
    assert says in refused("demo", "--out", "new", "--device", "fake_manila", *words.split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", ["--out"]),
        ("--out s --backend aer", ["noisy:", "aer"]),
        ("--out s --strengths a,b", ["--strengths", "numbers", "a,b"]),
        ("--out s --strengths -1", ["strengths", "at least 0"]),
        ("--out s --mitigations magic", ["magic"]),
        ("--out s --twins", ["number of seeds"]),
        ("--out s --train-at 0 --seeds 1", ["exact training"]),
        ("--out s --processes 0", ["processes", "at least 1"]),
        ("--out run", ["not a study"]),
        ("--out s --format xls", ["format 'xls'", "csv, parquet"]),
        ("--out s --method magic", ["method 'magic'", "density"]),
        ("--out s --max-age-days 9", ["fake_torino is stale"]),
    ],
)
def test_study_noise_with_impossible_options(refused, words, says):
    message = refused("study", "noise", "run", *words.split())
    assert all(word in message for word in says), message


def test_study_noise_of_what_is_no_run(refused):
    assert "no run folder" in refused("study", "noise", "nowhere", "--out", "s")
