"""Every command has help, and its options change on purpose only."""

import re

import pytest

from qvlm_qiskit import __version__
from qvlm_qiskit.cli import common
from qvlm_qiskit.recipes import MAX_NEW_TOKENS

OPTIONS = {
    "": {"--version"},
    "demo": {
        "--out", "--device", "--shots", "--mitigation", "--steps", "--test-samples",
        "--noisy-samples", "--runtime-samples", "--seed", "--threads", "--overwrite",
    },
    "train": {
        "--out", "--recipe", "--blocks", "--vision-block", "--text-block", "--data", "--steps",
        "--batch-size", "--learning-rate", "--train-samples", "--backend", "--noise-scale",
        "--max-age-days", "--seed", "--threads", "--resume", "--overwrite", "--shots",
        "--gradient", "--prune", "--directions", "--from", "--train", "--store", "--blobs",
        "--store-group", "--budget-seconds", "--budget-executions", "--dry-run",
        "--columns", "--strict", "--tokenizer", "--image-size", "--schedule", "--clip",
        "--accumulate", "--evaluate-every", "--patience", "--report-to", "--json", "--model",
        "--model-option", "--streams", "--vision-attention", "--router-loss", "--precision",
        "--recompute",
    },
    "evaluate": {
        "--backend", "--limit", "--shots", "--precision", "--mitigation", "--noise-scale",
        "--error-kinds",
        "--method", "--max-age-days", "--optimization-level", "--layout-trials",
        "--tiles", "--tile-factor", "--tile-spacing", "--tile-repeats", "--fractional", "--device",
        "--batch", "--metric", "--caption-tokenizer", "--seed", "--threads", "--json", "--data",
        "--columns", "--strict", "--max-new-tokens", "--report",
    },
    "preflight": {
        "--backend", "--limit", "--batch", "--shots", "--precision", "--mitigation",
        "--noise-scale", "--error-kinds", "--method", "--max-age-days", "--optimization-level",
        "--layout-trials",
        "--tiles", "--tile-factor", "--tile-spacing", "--tile-repeats", "--fractional",
        "--device", "--seed", "--json", "--data", "--columns", "--strict", "--max-new-tokens",
        "--service-dry-run",
    },
    "submit": {
        "--backend", "--limit", "--shots", "--precision", "--mitigation", "--noise-scale",
        "--error-kinds",
        "--optimization-level", "--layout-trials",
        "--tiles", "--tile-factor", "--tile-spacing", "--tile-repeats", "--fractional",
        "--device", "--seed", "--budget-seconds",
        "--budget-executions", "--mode", "--prefetch", "--calibration", "--fresh", "--store",
        "--blobs", "--store-group", "--dry-run", "--detach", "--json", "--data", "--columns",
        "--strict", "--metric", "--caption-tokenizer", "--max-new-tokens", "--replan-if",
    },
    "push": {"--evaluation", "--private", "--dry-run"},
    "jobs": set(),
    "jobs list": {"--store", "--blobs", "--store-group", "--json"},
    "jobs show": {"--store", "--blobs", "--store-group", "--json"},
    "jobs resume": {
        "--budget-seconds", "--budget-executions", "--detach", "--store", "--blobs",
        "--store-group", "--json",
    },
    "jobs watch": {"--interval", "--store", "--blobs", "--store-group", "--json"},
    "jobs cancel": {"--store", "--blobs", "--store-group"},
    "jobs retry": {
        "--budget-seconds", "--budget-executions", "--detach", "--store", "--blobs",
        "--store-group", "--json",
    },
    "jobs results": {"--store", "--blobs", "--store-group", "--json"},
    "jobs usage": {"--ask", "--store", "--blobs", "--store-group", "--json"},
    "jobs verify": {"--rebuild", "--restore", "--store", "--blobs", "--store-group"},
    "jobs export": {"--out", "--overwrite", "--store", "--blobs", "--store-group"},
    "ask": {
        "--question", "--run", "--backend", "--shots", "--mitigation", "--seed", "--json",
        "--max-new-tokens",
    },
    "caption": {
        "--run", "--backend", "--shots", "--mitigation", "--seed", "--json", "--max-new-tokens",
    },
    "backends": {"--json"},
    "backends list": {"--kind", "--qubits", "--json"},
    "backends show": {"--device", "--json"},
    "noise": set(),
    "noise show": {"--max-age-days", "--json"},
    "noise save": {"--max-age-days", "--overwrite"},
    "noise diff": {"--all", "--json"},
    "noise learn": {
        "--backend", "--error-kinds", "--mitigation", "--noise-scale", "--method", "--max-age-days",
        "--optimization-level", "--layout-trials", "--tiles", "--tile-factor", "--tile-spacing",
        "--seed", "--only-learned", "--overwrite", "--budget-seconds", "--budget-executions",
        "--store", "--blobs", "--store-group", "--dry-run", "--detach", "--json",
    },
    "study": set(),
    "study ablation": {
        "--out", "--data", "--columns", "--strict", "--image-size", "--recipe", "--steps",
        "--batch-size", "--train-samples", "--learning-rate", "--variants", "--seeds", "--metric",
        "--caption-tokenizer", "--limit", "--max-new-tokens", "--backend", "--shots",
        "--mitigation", "--processes", "--format", "--json",
        "--streams", "--vision-attention", "--router-loss", "--rounds",
    },
    "study blocks": {
        "--out", "--data", "--columns", "--strict", "--image-size", "--blocks", "--seeds",
        "--steps", "--batch-size", "--train-samples", "--learning-rate", "--limit", "--grid",
        "--width", "--reads", "--tokens", "--residual", "--rounds", "--device", "--shots",
        "--mitigation", "--noisy-limit", "--quick", "--processes", "--format", "--json",
    },
    "study compare": {
        "--out", "--data", "--columns", "--strict", "--image-size", "--recipe", "--steps",
        "--batch-size", "--train-samples", "--learning-rate", "--variants", "--seeds", "--metric",
        "--caption-tokenizer", "--limit", "--max-new-tokens", "--model", "--backend", "--shots",
        "--mitigation", "--processes", "--format", "--json",
    },
    "study denoise": {
        "--out", "--data", "--side", "--kinds", "--sigmas", "--seeds", "--qubits", "--layers",
        "--epochs", "--batch-size", "--learning-rate", "--train-pictures", "--test-pictures",
        "--processes", "--format", "--json",
    },
    "study compression": {
        "--out", "--language", "--text", "--targets", "--bonds", "--cores", "--healing", "--seeds",
        "--batch", "--length", "--windows", "--learning-rate", "--quick", "--processes", "--format",
        "--json",
    },
    "study drift": {
        "--out", "--calibrations", "--mitigations", "--limit", "--rows", "--shots", "--processes",
        "--format", "--json",
    },
    "study kernels": {
        "--out", "--parts", "--data", "--regressions", "--features", "--points", "--qubits",
        "--samples", "--draws", "--seeds", "--processes", "--format", "--json",
    },
    "study field": {
        "--out", "--pictures", "--kinds", "--seeds", "--side", "--steps", "--learning-rate",
        "--qubits", "--layers", "--hidden", "--processes", "--format", "--json",
    },
    "study noise": {
        "--out", "--backend", "--error-kinds", "--strengths", "--mitigations", "--seeds", "--twins",
        "--train-at", "--limit", "--rows", "--shots", "--method", "--max-age-days", "--processes",
        "--format", "--json",
    },
    "study optimisers": {
        "--out", "--data", "--optimisers", "--circuits", "--samples", "--batch-size",
        "--repetitions", "--seeds", "--tuning-seeds", "--against", "--shots", "--quick",
        "--processes", "--format", "--json",
    },
    "study replacement": {
        "--out", "--data", "--columns", "--strict", "--image-size", "--variants", "--channels",
        "--repetitions", "--epochs", "--batch-size", "--train-samples", "--test-samples",
        "--learning-rates", "--seeds", "--quick", "--processes", "--format", "--json",
    },
    "study robustness": {
        "--out", "--data", "--columns", "--strict", "--image-size", "--variants", "--block",
        "--steps", "--batch-size", "--train-samples", "--learning-rate", "--seeds", "--limit",
        "--epsilons", "--attack-steps", "--more-steps", "--quick", "--processes", "--format",
        "--json",
    },
    "study search": {
        "--out", "--tasks", "--qubits", "--gates", "--depth", "--pool", "--training",
        "--epochs", "--encoders", "--budget", "--seeds", "--iterations", "--quick", "--processes",
        "--format", "--json",
    },
    "study shrinking": {
        "--out", "--problems", "--nodes", "--items", "--workers", "--layers", "--left", "--samples",
        "--seeds", "--starts", "--steps", "--quick", "--processes", "--format", "--json",
    },
    "study starts": {
        "--out", "--costs", "--starts", "--qubits", "--bonds", "--staircases", "--added",
        "--spread", "--fit", "--seeds", "--draws", "--steps", "--learning-rate", "--quick",
        "--processes", "--format", "--json",
    },
    "study zne": {
        "--out", "--qubits", "--layers", "--strengths", "--shots", "--seeds", "--networks",
        "--hidden", "--steps", "--folded", "--quick", "--processes", "--format", "--json",
    },
    "adapter train": {
        "--vision", "--language", "--projection", "--block", "--n-qubits", "--layers", "--ansatz",
        "--read", "--tokens", "--keep", "--encoding", "--attention", "--grid", "--pool",
        "--adapter", "--beams", "--cache", "--prompt",
        "--out", "--resume", "--overwrite", "--steps", "--batch-size", "--learning-rate",
        "--schedule", "--clip", "--accumulate", "--evaluate-every", "--patience", "--report-to",
        "--train-samples", "--seed", "--data", "--columns", "--strict", "--backend", "--shots",
        "--gradient", "--prune", "--directions", "--noise-scale", "--max-age-days",
        "--budget-seconds", "--budget-executions", "--store", "--blobs", "--store-group",
        "--dry-run", "--threads", "--json",
    },
    "adapter caption": {
        "--run", "--prompt", "--backend", "--shots", "--mitigation", "--seed", "--max-new-tokens",
        "--json",
    },
    "adapter inspect": {"--plot", "--json"},
    "profile": {
        "--recipe", "--streams", "--vision-attention", "--vision-block", "--text-block", "--data",
        "--batch-size", "--vocabulary", "--backend", "--shots", "--rounds", "--plot", "--threads",
        "--json",
    },
}  # fmt: skip
OPTIONS |= {f"adapter {name}": OPTIONS[name] for name in ("evaluate", "submit")}
COMMANDS = {
    "": [
        "demo", "train", "evaluate", "preflight", "submit", "ask", "caption", "push", "profile",
        "jobs",
        "backends",
        "noise", "study", "adapter",
    ]
}  # fmt: skip
COMMANDS["backends"] = ["list", "show"]
COMMANDS["jobs"] = [
    "list", "show", "resume", "watch", "cancel", "retry", "results", "usage", "verify",
    "export",
]  # fmt: skip
COMMANDS["noise"] = ["show", "save", "diff", "learn"]
COMMANDS["adapter"] = ["train", "caption", "evaluate", "submit", "inspect"]
COMMANDS["study"] = sorted(name.split()[1] for name in OPTIONS if name.startswith("study "))


@pytest.mark.parametrize("command", sorted(OPTIONS))
def test_the_options_of_every_command(qvlm, command):
    found = qvlm(*command.split(), "--help")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(f"Usage: {' '.join(['qvlm', *command.split()])} ")
    options = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", found.out, re.MULTILINE))
    assert options == OPTIONS[command] | {"--help"}


@pytest.mark.parametrize("command", sorted(OPTIONS))
def test_every_option_and_command_is_explained(qvlm, command):
    text = qvlm(*command.split(), "--help").out
    assert max(map(len, text.splitlines())) <= 80
    usage, _, rest = text.partition("\n\n")
    assert usage
    assert len(rest.splitlines()[0].split()) > 3
    for line in rest.splitlines():
        option = re.match(r"^  (?:-h, )?(--[a-z-]+)( [A-Z]+)?(.*)$", line)
        if option and len(line) < 40:  # a long name has its text on the next line
            continue
        if option:
            assert option[3].strip(), line


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_commands_are_listed_in_the_order_of_work(qvlm, command):
    text = qvlm(*command.split(), "--help").out.partition("Commands:")[2]
    assert re.findall(r"^  ([a-z]+)  ", text, re.MULTILINE) == COMMANDS[command]


def test_no_words_at_all_show_the_help(qvlm):
    assert qvlm() == qvlm("--help")


def test_the_version_alone(qvlm):
    found = qvlm("--version")
    assert (found.status, found.out, found.err) == (0, f"qvlm {__version__}\n", "")


def test_the_version_exits_before_any_command(qvlm):
    assert qvlm("--version", "backends").out == f"qvlm {__version__}\n"


def test_answers_are_as_long_as_they_are_in_python():
    assert common.MAX_NEW_TOKENS == MAX_NEW_TOKENS
