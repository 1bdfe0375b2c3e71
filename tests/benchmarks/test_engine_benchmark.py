"""``benchmarks/engine.py`` runs, stores what it measured, and judges the goals by it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "engine.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark's modules are imported as its commands import them."""
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The printed tables and the stored results of one smoke run, with one peer asked for."""
    path = tmp_path_factory.mktemp("bench") / "engine.json"
    done = run("--smoke", "--only", "deepquantum", "--json", str(path))
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(path.read_text("utf-8"))


def test_results_say_where_and_with_what(smoke):
    _, results = smoke
    assert results["format"] == 1
    assert results["machine"]["cpu"] and results["machine"]["cores"] > 0
    assert results["versions"]["torch"] and results["versions"]["qiskit"]
    assert {"date", "command", "goals", "rows"} <= set(results)


@pytest.mark.parametrize("index", [0, 1])
def test_ours_and_the_stock_pair_agree_and_are_timed(smoke, index):
    table = smoke[1]["rows"]["circuits"][index]
    ours, stock = table["entries"][:2]
    assert (ours["peer"], stock["peer"]) == ("ours", "stock")
    assert stock["status"] == "measured"
    assert stock["deviation"] < 1e-4
    assert stock["ratio"] == stock["both_ms"]["median"] / ours["both_ms"]["median"] > 1
    for entry in (ours, stock):
        for times in (entry["forward_ms"], entry["both_ms"]):
            assert 0 < times["low"] <= times["median"] <= times["high"]


def test_a_peer_that_is_not_installed_is_listed(smoke):
    text, results = smoke
    try:
        installed = version("deepquantum")
    except PackageNotFoundError:
        installed = None
    for table in results["rows"]["circuits"]:
        entry = next(e for e in table["entries"] if e["peer"] == "deepquantum")
        assert entry["status"] == ("measured" if installed else "not installed")
    assert "DeepQuantum" in text


def test_every_task_has_a_result(smoke):
    rows = smoke[1]["rows"]
    assert [b["block"] for b in rows["blocks"][0]["blocks"]] == ["paqm", "qcnn"]
    assert all(block["ratio"] > 0 for block in rows["blocks"][0]["blocks"])
    assert rows["gemm"][0]["floor_ms"] > 0
    assert rows["memory"][0]["features_states"] >= 0
    assert [point["n"] for point in rows["scaling"][0]["qubits"]] == [2, 3]


def test_every_capability_is_measured_and_agrees(smoke, beside):
    names = importlib.import_module("circuits.contenders").NAMES
    tables = smoke[1]["rows"]["capabilities"]
    assert [table["circuit"] for table in tables] == list(names)
    for table in tables:
        assert "failed" not in table, table
        assert {"ours", "torch"} <= {entry["peer"] for entry in table["entries"]}
        for entry in table["entries"]:
            assert entry["status"] in ("measured", "not installed"), (table["title"], entry)
            if entry["status"] == "measured":
                assert entry["ratio"] > 0 and entry["deviation"] < 1e-3
        assert table["entries"][0]["again_s"] > 0


def test_a_contender_with_other_numbers_is_not_timed(beside, monkeypatch):
    names = ("contenders", "measured", "plain_torch", "rows")
    contenders, measured, torch, rows = (importlib.import_module(f"circuits.{n}") for n in names)
    case = rows.sample_weights(4, 3)
    other = replace(case, data=case.data._replace(weights=case.data.weights + 0.01))
    builds = {"right": lambda: torch.build(case), "wrong": lambda: torch.build(other)}
    row = contenders.row_of("sample_weights", smoke=True)
    found = [row.contenders[0], *(contenders.torch(make, name) for name, make in builds.items())]
    monkeypatch.setattr(measured, "row_of", lambda *_: replace(row, contenders=found))
    entries = measured.circuit_row(1, True, "sample_weights", [], 1)["entries"]
    assert [entry["status"] for entry in entries] == ["measured", "measured", "wrong"]
    assert "both_ms" in entries[1] and "both_ms" not in entries[2]


def test_light_cones_by_hand_read_every_qubit_once(beside):
    cones = importlib.import_module("circuits.described").light_cones
    case = importlib.import_module("circuits.rows").cones(20, 2)
    parts = cones(case)
    outputs = np.concatenate([part.outputs for part in parts])
    assert sorted(outputs) == list(range(20)) and len(parts) < 10
    assert max(part.case.num_qubits for part in parts) <= 6


def test_tables_fit_100_columns(smoke):
    assert max(len(line) for line in smoke[0].splitlines()) <= 100


@pytest.mark.parametrize(
    "arguments", [("--rows", "paqn"), ("--only", "penylane"), ("--threads", "0"), ("--rounds", "x")]
)
def test_an_unknown_choice_is_refused(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert arguments[1] in done.stderr


@pytest.mark.parametrize(("name", "rings"), [("paqm", 2), ("qcnn12", 2), ("qcnn192", 2), ("n8", 3)])
def test_every_weight_is_the_angle_of_one_gate(name, rings):
    workload = load("workloads").CIRCUITS[name]
    gates = list(workload.gates())
    used = Counter(gate.other for gate in gates if gate.name != "cx")
    assert used == Counter(range(workload.num_weights))
    ring = [(g.qubit, g.other) for g in gates if g.name == "cx"]
    n = workload.num_qubits
    assert ring == rings * [(q, (q + 1) % n) for q in range(n)]


def test_a_smaller_batch_is_the_first_samples():
    workload = load("workloads").CIRCUITS["n8"]
    whole, part = workload.data(), workload.data(3)
    assert np.array_equal(part.inputs, whole.inputs[:3])
    assert np.array_equal(part.weights, whole.weights)
    assert np.array_equal(part.cotangent, whole.cotangent[:3])


def test_extrapolation_multiplies_every_time():
    spread = load("timing").spread([0.001, 0.003, 0.002], factor=8)
    assert spread == {"best": 8.0, "median": 16.0, "low": 12.0, "high": 20.0, "runs": 3}


def table(circuit: str, ratio: float) -> dict[str, Any]:
    ours = {"peer": "ours", "kind": "ours", "ratio": 1.0, "both_ms": {"median": 3.0}}
    others = [
        {"kind": "stock", "label": "stock", "ratio": ratio},
        {"kind": "peer", "label": "slow", "ratio": 2 * ratio},
        {"kind": "peer", "label": "fast", "ratio": ratio},
        {"kind": "reference", "label": "plain", "ratio": ratio / 2},
        {"kind": "peer", "label": "absent", "status": "not installed"},
    ]
    return {"circuit": circuit, "threads": 1, "entries": [ours, *others]}


def capability(row: str, **ours: Any) -> dict[str, Any]:
    return {"circuit": row, "threads": 1, "entries": [{"peer": "ours", **ours}]}


@pytest.mark.parametrize(
    ("rows", "measured", "met"),
    [
        ({"circuits": [table("paqm", 5.0)]}, 5.0, True),
        ({"circuits": [table("qcnn12", 4.9)]}, 4.9, False),
        ({"circuits": [table("n8", 5000.0)]}, 5000.0, True),
        ({"circuits": [table("n8", 4999.0)]}, 4999.0, False),
        ({"blocks": [{"threads": 1, "blocks": [{"block": "paqm", "ratio": 11.0}]}]}, 11.0, False),
        ({"compile": [{"threads": 1, "circuits": [{"new_process_s": 0.4}]}]}, 0.4, True),
        ({"memory": [{"threads": 1, "features_states": 4.1}]}, 4.1, False),
        ({"aer": [{"threads": 1, "methods": {"adjoint": {"speedup": 21.0}}}]}, 21.0, True),
        ({"aer": [{"threads": 1, "failed": "no such module"}]}, None, None),
        ({"capabilities": [capability("groups", both_ms={"median": 47.0})]}, 47.0, False),
        ({"capabilities": [capability("probabilities12", again_s=0.2)]}, 0.2, True),
        ({"capabilities": [capability("edges", both_ms={"median": 1.0})]}, None, None),
        ({"capabilities": [{"circuit": "cones", "threads": 1, "failed": "died"}]}, None, None),
    ],
)
def test_goals_are_judged_by_the_measured_number(rows, measured, met):
    goals = load("tables/goals").judge({"rows": rows})
    assert [(goal["measured"], goal["met"]) for goal in goals] == (
        [] if met is None else [(measured, met)]
    )


def test_the_floor_is_compared_at_the_same_number_of_threads():
    gemm = [{"threads": t, "floor_ms": f} for t, f in ((1, 2.0), (2, 1.0))]
    goals = load("tables/goals").judge(
        {"rows": {"circuits": [table("qcnn192", 6.0)], "gemm": gemm}}
    )
    assert [goal["measured"] for goal in goals] == [6.0, 1.5]
