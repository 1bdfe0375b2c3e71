"""The circuits that are measured, by the row that they are in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from circuits.described import Case, Gate, drawn


def layered(n: int, layers: int) -> Iterator[Gate]:
    """RY(x) on every qubit; layers of RY and RZ on every qubit and a ring of CX."""
    yield from (Gate("ry", (q,), ("x", q)) for q in range(n))
    for layer in range(layers):
        for q in range(n):
            yield Gate("ry", (q,), ("w", 2 * (layer * n + q)))
            yield Gate("rz", (q,), ("w", 2 * (layer * n + q) + 1))
        yield from _ring(n)


def _ring(n: int) -> Iterator[Gate]:
    return (Gate("cx", (q, (q + 1) % n)) for q in range(n))


def probabilities(n: int, batch: int) -> Case:
    """All 2ⁿ of them."""
    title = f"probabilities: {n} qubits, 2 layers, 2^{n} outcomes, B = {batch}"
    data = drawn((batch, n), (4 * n,), (batch, 2**n))
    return Case(title, n, tuple(layered(n, 2)), "probabilities", data)


def states(n: int, batch: int) -> Case:
    """All amplitudes."""
    title = f"states: {n} qubits, 2 layers, B = {batch}"
    data = drawn((batch, n), (4 * n,), (batch, 2 * 2**n))
    return Case(title, n, tuple(layered(n, 2)), "states", data)


def groups(count: int, batch: int) -> Case:
    """Circuits side by side: arXiv:2304.09224 with three layers that take the inputs again."""
    n, layers = 5, 3
    gates = [Gate("h", (q,)) for q in range(n)]
    for layer in range(layers):
        for q in range(n):
            gates.append(Gate("ry", (q,), ("w", 2 * (layer * n + q))))
            gates.append(Gate("rz", (q,), ("w", 2 * (layer * n + q) + 1)))
        gates += [*_ring(n), *(Gate("rx", (q,), ("x", q)) for q in range(n))]
    title = f"groups: {count} circuits of {n} qubits, {n} ⟨Z⟩ each, B = {batch}"
    data = drawn((batch, count, n), (count, 2 * n * layers), (batch, count, n))
    return Case(title, n, tuple(gates), _every(n), data)


def sample_weights(n: int, batch: int) -> Case:
    """A fast weight programmer's circuit, arXiv:2402.17760."""
    gates = [Gate("h", (q,)) for q in range(n)]
    gates.append(Gate("ry", (0,), ("x", 0)))
    for layer in range(2):
        for start in (0, 1):
            gates += [Gate("cx", (q, q + 1)) for q in range(start, n - 1, 2)]
        gates += [Gate("ry", (q,), ("w", layer * n + q)) for q in range(n)]
    title = f"weights per sample: {n} qubits, {2 * n} weights, {n} ⟨Z⟩, B = {batch}"
    data = drawn((batch, 1), (batch, 2 * n), (batch, n))
    return Case(title, n, tuple(gates), _every(n), data)


def commuting(n: int, batch: int) -> Case:
    """QAOA on a ring: the sum of ZZ is one evolution; the angles are inputs."""
    depth = 4
    gates = [Gate("h", (q,)) for q in range(n)]
    for layer in range(depth):
        gates.append(Gate("zz", tuple(range(n)), ("x", layer)))
        gates += [Gate("rx", (q,), ("w", layer)) for q in range(n)]
    strings = tuple((q, (q + 1) % n) for q in range(n))
    title = f"commuting evolutions: {n} qubits, {depth} sums of {n} ZZ, {n} ⟨ZZ⟩, B = {batch}"
    return Case(title, n, tuple(gates), strings, drawn((batch, depth), (depth,), (batch, n)))


def deferral(n: int, batch: int) -> Case:
    """A convolutional network that pools by measuring, arXiv:1810.03787."""
    gates = [Gate("ry", (q,), ("x", q)) for q in range(n)]
    levels = n.bit_length() - 1
    for level in range(levels):
        left = range(2**level - 1, n, 2**level)
        for index, q in enumerate(left):
            gates.append(Gate("rxx", (q, left[index - 1]), ("w", 4 * level)))
            gates.append(Gate("rzz", (q, left[index - 1]), ("w", 4 * level + 1)))
            gates.append(Gate("ry", (q,), ("w", 4 * level + 2)))
        for measured, kept in zip(left[::2], left[1::2], strict=True):
            gates.append(Gate("pooling", (measured, kept), ("w", 4 * level + 3)))
    title = f"deferred measurement: {n} qubits, pooling by measuring, one ⟨Z⟩, B = {batch}"
    data = drawn((batch, n), (4 * levels,), (batch, 1))
    return Case(title, n, tuple(gates), ((n - 1,),), data)


def cones(n: int, batch: int) -> Case:
    """Bricks of RY and CX on a line; every ⟨Z⟩ has a cone of its own."""
    gates = [Gate("ry", (q,), ("x", q)) for q in range(n)]
    for layer in range(3):
        gates += [Gate("ry", (q,), ("w", layer * n + q)) for q in range(n)]
        gates += [Gate("cx", (q, q + 1)) for q in range(layer % 2, n - 1, 2)]
    title = f"light cones: {n} qubits in a line, 3 brick layers, {n} ⟨Z⟩, B = {batch}"
    return Case(title, n, tuple(gates), _every(n), drawn((batch, n), (3 * n,), (batch, n)))


def _every(n: int) -> tuple[tuple[int, ...], ...]:
    return tuple((q,) for q in range(n))


CASES: dict[str, tuple[Callable[[int, int], Case], tuple[int, int], tuple[int, int]]] = {
    "probabilities9": (probabilities, (9, 64), (2, 3)),
    "probabilities12": (probabilities, (12, 64), (3, 2)),
    "states": (states, (10, 64), (2, 3)),
    "groups": (groups, (64, 64), (2, 3)),
    "sample_weights": (sample_weights, (8, 158), (4, 3)),
    "commuting": (commuting, (10, 64), (3, 2)),
    "deferral": (deferral, (8, 64), (4, 3)),
    "cones": (cones, (156, 64), (24, 2)),
}
"""What makes the circuit, with which size, and with which in smoke mode."""
