"""Rows that are about this project and this machine alone; each runs in a worker of its own."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import torch
from circuits.measured import circuit_row
from timing import complex_gemm_rate, copy_rate, interleave, peak_bytes, repeat, spread
from torch import Tensor, nn
from workloads import CIRCUITS, SMOKE, angle_circuit

from qvlm_qiskit.blocks import PAQM, QCNN, PAQMConfig, QCNNConfig

MEMORY_LIMIT = 2 * 2**30
SECONDS_LIMIT = 20.0
Result = dict[str, Any]
Pass = Callable[[], object]


def blocks(threads: int, smoke: bool) -> Result:
    """The two blocks against their classical twins: forward + backward, all gradients."""
    results = []
    for name in ("paqm", "qcnn"):
        calls: dict[str, Pass] = {}
        for kind in ("quantum", "classical"):
            calls[kind], size = _block_pass(name, kind, smoke)
        times = interleave(calls, 1 if smoke else 10, 0.02 if smoke else 0.5)
        ratio = times["quantum"]["median"] / times["classical"]["median"]
        results.append({"block": name, "size": size, **times, "ratio": ratio})
    return {"blocks": results}


def _block_pass(name: str, kind: str, smoke: bool) -> tuple[Pass, str]:
    """One training pass of a block at the sizes of its source, and what these are."""
    torch.manual_seed(0)
    block: nn.Module
    extra: tuple[Tensor, ...]
    if name == "paqm":
        n, width, tokens = (2, 8, 4) if smoke else (6, 1024, 512)
        block = PAQM(PAQMConfig(num_qubits=n, kind=kind), width)
        size = f"n = {n}, width {width}, {tokens} tokens"
        extra = (torch.arange(tokens)[None],)
    else:
        n, width, tokens = (2, 8, 4) if smoke else (12, 768, 192)
        block = QCNN(QCNNConfig(num_qubits=n, kind=kind), width)
        size = f"n = {n}, width {width}, {tokens} patches"
        extra = ()
    inputs = torch.randn(1, tokens, width, requires_grad=True)
    cotangent = torch.randn(1, tokens, width)
    leaves = [inputs, *block.parameters()]

    def both() -> tuple[Tensor, ...]:
        return torch.autograd.grad(block(inputs, *extra), leaves, cotangent)

    return both, size


def scaling(threads: int, smoke: bool) -> Result:
    """Forward + backward over n at B = 8, and over B at n = 6; stops at two limits."""
    if smoke:
        return {"qubits": _sweep([(2, 2), (3, 2)], 0.01), "batch": _sweep([(2, 1), (2, 4)], 0.01)}
    return {
        "qubits": _sweep([(n, 8) for n in range(4, 21, 2)], 0.5),
        "batch": _sweep([(6, 4**k) for k in range(7)], 0.5),
    }


def _sweep(sizes: list[tuple[int, int]], seconds: float) -> list[Result]:
    """Growing sizes; one that would exceed a limit, going by the one before it, is left out."""
    from peers import ours

    tiny = angle_circuit(2, 1)
    ours.build(tiny, tiny.data()).both()  # loads code, whose memory is not counted
    points: list[Result] = []
    grown, slowest, before = 0.0, 0.0, 0
    for n, batch in sizes:
        amplitudes = batch * 2**n
        growth = amplitudes / before if before else 1.0
        before = amplitudes
        grown, slowest = grown * growth, slowest * growth
        point: Result = {"n": n, "batch": batch}
        points.append(point)
        if grown > MEMORY_LIMIT or slowest > SECONDS_LIMIT:
            limit = f"{grown / 2**30:.1f} GiB" if grown > MEMORY_LIMIT else f"{slowest:.0f} s"
            point["skipped"] = f"would need about {limit}"
            continue
        workload = angle_circuit(n, batch)
        runner = ours.build(workload, workload.data())
        peak = peak_bytes(runner.both)
        # the pages of small states say nothing about large ones
        grown = float(peak) if amplitudes * 8 > 2**20 else 0.0
        times = repeat(runner.both, seconds)
        slowest = statistics.median(times)
        point |= {"both_ms": spread(times), "peak_mib": peak / 2**20}
    return points


def gemm(threads: int, smoke: bool) -> Result:
    """The machine's complex GEMM rate, and the least time of the QCNN row that follows from it.

    Counted: RY·RZ of four neighbouring qubits as one 16 × 16 complex matrix, so ceil(n/4) matrices
    per layer; each costs 2ⁿ · 16 · 8 flop per sample. A pass over the state does all of them;
    forward + backward is three passes (the state forward, and state and adjoint backward). Not
    counted: CX rings (permutations), read-out, gradients of the angles, amplitude encoding.
    """
    workload = (SMOKE if smoke else CIRCUITS)["qcnn192"]
    n, k, batch = workload.num_qubits, min(4, workload.num_qubits), workload.batch
    groups = math.ceil(n / k) * (workload.num_weights // (2 * n))
    flop = 3 * batch * groups * 2**n * 2**k * 8
    side, seconds = (64, 0.01) if smoke else (1024, 2.0)
    square = complex_gemm_rate(side, side, side, seconds)
    shape = complex_gemm_rate(batch * 2 ** (n - k), 2**k, 2**k, seconds)
    return {
        "groups": groups,
        "fused_qubits": k,
        "gflop": flop / 1e9,
        "square_gflops": square / 1e9,
        "shape_gflops": shape / 1e9,
        "floor_ms": 1000 * flop / square,
        "shape_floor_ms": 1000 * flop / shape,
    }


def sweep_floor(threads: int, smoke: bool, qubits: int, batch: int) -> Result:
    """The least time of a cell of the grid, as the larger of two.

    GEMM: the second layer's RY·RZ of four neighbouring qubits as one 16 × 16 matrix, as in
    :func:`gemm`; the first layer acts on a product state and costs nothing. Memory: three passes
    (the state forward, state and adjoint backward) over the two layers, each of which reads and
    writes every amplitude once, at the rate of a copy of that size.
    """
    amplitudes, seconds = batch << qubits, 0.01 if smoke else 0.15
    flop = 3 * math.ceil(qubits / 4) * amplitudes * 2**4 * 8
    gemm_s = flop / complex_gemm_rate(1024, 1024, 1024, seconds)
    memory_s = 3 * 2 * 2 * 8 * amplitudes / copy_rate(8 * amplitudes, seconds)
    return {"floor_ms": 1000 * max(gemm_s, memory_s), "memory_ms": 1000 * memory_s}


def memory(threads: int, smoke: bool) -> Result:
    """Peak memory of forward + backward of the QCNN row, in state batches of B · 2ⁿ · 8 bytes."""
    from peers import ours

    workload = (SMOKE if smoke else CIRCUITS)["qcnn192"]
    state = workload.batch * 2**workload.num_qubits * 8
    result: Result = {"state_mib": state / 2**20}
    for name, build in (("features", ours.build), ("layer", ours.build_layer)):
        runner = build(workload, workload.data())
        runner.both()  # compiles, starts threads
        peaks = [peak_bytes(runner.both) for _ in range(1 if smoke else 5)]
        result[f"{name}_states"] = statistics.median(peaks) / state
    return result


def aer(threads: int, smoke: bool) -> Result:
    """Gradients through Aer: the stock parameter shift against ``BatchedEstimatorGradient``."""
    from peers.aer_gradients import compare_gradients

    return compare_gradients((SMOKE if smoke else CIRCUITS)["n8"], smoke)


TASKS: dict[str, Callable[..., Result]] = {
    "blocks": blocks,
    "scaling": scaling,
    "gemm": gemm,
    "sweep_floor": sweep_floor,
    "memory": memory,
    "aer": aer,
    "circuit_row": circuit_row,
}
"""By name."""
