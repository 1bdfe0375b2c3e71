"""``benchmarks/gpu.py``: the rehearsal on the CPU, and what it makes of a device's trace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
ROWS = ["paqm", "qcnn12", "qcnn192", "n8"]


def run(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """The benchmark in a process of its own, after statements that may change its modules."""
    program = f"import sys; sys.path.insert(0, sys.argv.pop(1)); {before}"
    program += "\nimport gpu\nsys.exit(gpu.main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, str(BENCHMARKS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The printed tables and the stored results of one rehearsal."""
    path = tmp_path_factory.mktemp("bench") / "gpu.json"
    done = run("--smoke", "--graphs", "--json", str(path))
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(path.read_text("utf-8"))


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark's own modules can be imported, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_rehearsal_measures_every_row_through_the_torch_executor(smoke):
    _, results = smoke
    assert results["device"]["name"] == "CPU tensors, a rehearsal"
    assert [row["circuit"] for row in results["rows"]["circuits"]] == ROWS
    for row in results["rows"]["circuits"]:
        device, graph, cpu = row["entries"]
        assert "not_run" in graph
        for entry in (device, cpu):
            assert 0 < entry["both_ms"]["low"] <= entry["both_ms"]["median"]
            assert 0 < entry["deviation"] <= 1e-5
        # the compiled sweeps make about forty
        assert row["profile"]["operations"] > 300
        assert row["profile"]["copies"] is None
    assert [point["n"] for point in results["rows"]["scaling"]["qubits"]] == [2, 3]
    assert all(entry["deviation"] < 1e-12 for entry in results["rows"]["aer"]["entries"])
    assert results["faults"] == []


def test_the_table_says_what_could_not_be_checked(smoke):
    text, _ = smoke
    assert "copies can't be seen without a device" in text
    assert max(map(len, text.splitlines())) <= 100


def test_deviations_are_faults_with_an_exit_status():
    done = run("--smoke", "--rows", "n8", before="import rows.gpu; rows.gpu.TOLERANCE = 0.0")
    assert done.returncode == 1
    assert "FAULT n8, QuantumLayer, torch on CPU: deviates by" in done.stdout


def test_reading_a_value_in_a_step_is_a_fault():
    spoil = (
        "import torch; from qvlm_qiskit.quantum.statevector.tensors import executor; "
        "T = executor.TensorExecutor; f = T.states; "
        "T.states = lambda self, s, *a: f(self, s * float(torch.ones(())), *a)"
    )
    done = run("--smoke", "--rows", "n8", before=spoil)
    assert done.returncode == 1
    assert "FAULT n8: aten::_local_scalar_dense reads a value" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_one_line_says_so():
    done = run()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: no CUDA device") and done.stderr.count("\n") == 1


def trace(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """One step from 100 to 200 µs with a kernel that runs after it."""
    step = {"cat": "user_annotation", "name": "measured step", "ts": 100.0, "dur": 100.0}
    kernel = {"cat": "kernel", "name": "gemm", "ts": 230.0, "dur": 5.0}
    return [{"ph": "X", **event} for event in (step, kernel, *events)] + [{"ph": "M", "name": "x"}]


def copy(direction: str, size: int) -> dict[str, Any]:
    name = f"Memcpy {direction} (Pageable -> Device)"
    return {"cat": "gpu_memcpy", "name": name, "ts": 240.0, "dur": 1.0, "args": {"bytes": size}}


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (copy("HtoD", 4096), "Memcpy HtoD (Pageable -> Device), 4096 bytes"),
        (copy("DtoH", 4096), "Memcpy DtoH (Pageable -> Device), 4096 bytes"),
        (copy("HtoD", 8), None),
        (copy("DtoD", 4096), None),
        (
            {"cat": "cuda_runtime", "name": "cudaStreamSynchronize", "ts": 150.0, "dur": 1.0},
            "cudaStreamSynchronize makes the host wait",
        ),
        # the benchmark's own, behind the step
        ({"cat": "cuda_runtime", "name": "cudaDeviceSynchronize", "ts": 201.0, "dur": 9.0}, None),
        ({"cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": 150.0, "dur": 1.0}, None),
        (
            {"cat": "cpu_op", "name": "aten::item", "ts": 150.0, "dur": 1.0},
            "aten::item reads a value",
        ),
    ],
)
def test_faults_are_found_in_a_trace(modules, event, fault):
    from device import findings

    found = findings(trace(event), rehearsal=False)
    assert found["faults"] == ([] if fault is None else [fault])
    assert found["kernels"] == 1


def test_a_trace_without_kernels_proves_nothing(modules):
    from device import findings

    found = findings([e for e in trace() if e.get("cat") != "kernel"], rehearsal=False)
    assert found["faults"] == ["the profiler recorded no kernel, so it can't tell"]


@pytest.mark.parametrize("deviation", [2e-5, float("nan")])
def test_a_deviation_above_the_limit_is_a_fault(modules, deviation):
    from rows.gpu import faults

    row = {"circuit": "n8", "profile": {"faults": []}, "entries": [{"label": "x"}]}
    assert faults({"circuits": [row]}) == []
    row["entries"] = [{"label": "x", "deviation": deviation}]
    assert len(faults({"circuits": [row]})) == 1


def test_tables_of_a_device_fit_100_columns(modules, smoke):
    from tables.gpu import render

    # what only a device fills in
    results = json.loads(json.dumps(smoke[1]))
    results["device"] = {
        "name": "NVIDIA A100",
        "memory_gib": 79.2,
        "driver": "580.1",
        "cuda": "13",
    }
    for row in results["rows"]["circuits"]:
        row["profile"] |= {"kernels": 250, "copies": [{"name": "Memcpy HtoD", "bytes": 8}]}
        row["entries"][0]["peak_mib"] = 1234.5
    for points in results["rows"]["scaling"].values():
        points[0]["peak_mib"] = 123456.7
        points[0]["cpu_skipped"] = "would need about 123 s"
        points.append({"n": 24, "batch": 262144, "skipped": "would need about 30 s, 250 GiB"})
    results["rows"]["aer"] = {"not_run": "the installed Aer has no GPU"}
    results["faults"] = ["n8: Memcpy HtoD (Pageable -> Device), 4096 bytes"]
    text = render(results)
    assert max(map(len, text.splitlines())) <= 100
    assert "a step: 250 kernels, copies between host and device: 1" in text
    assert "FAULT n8" in text and "skipped: would need" in text
