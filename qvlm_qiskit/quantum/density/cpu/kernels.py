"""Numba kernels: units on a tile of noisy states, forwards and backwards.

A tile holds L samples (a power of two) as one flat array of 4**n rows of L numbers: the sample
index runs fastest. A unit reads the 16 rows of every setting of the other digits in blocks of
``width`` columns, so that its arithmetic is on short arrays in the first-level cache.

Row i + 4j of a block has digit i on the unit's lower qubit and j on the higher one.
"""

# Numba compiles these functions; their annotations would only slow the reader down.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from numba import uint64

from qvlm_qiskit.quantum.density.cpu import rows
from qvlm_qiskit.quantum.statevector.cpu.jit import jit


@jit
def place_of(rest, low_step, high_step):
    """Where the rest-th column of a unit's blocks begins in the tile, both digits 0."""
    inner = rest & (low_step - uint64(1))
    outer = rest - inner
    between = high_step >> uint64(2)  # columns below the higher digit
    middle = outer & (between - uint64(1))
    return ((outer - middle) << uint64(4)) + (middle << uint64(2)) + inner


@jit
def load(state, block, rest, low_step, high_step):
    """Columns from ``rest`` on of the unit's rows into a block."""
    width = uint64(block.shape[1])
    run = min(width, low_step)
    for column in range(uint64(0), width, run):
        place = place_of(rest + column, low_step, high_step)
        for row in range(uint64(0), uint64(16)):
            at = place + (row & uint64(3)) * low_step + (row >> uint64(2)) * high_step
            rows.copy(block[row, column : column + run], state[at : at + run])


@jit
def store(block, state, rest, low_step, high_step, sources, factors):
    """A block's rows into the unit's: row r is factors[r] times the block's row sources[r]."""
    width = uint64(block.shape[1])
    run = min(width, low_step)
    for column in range(uint64(0), width, run):
        place = place_of(rest + column, low_step, high_step)
        for row in range(uint64(0), uint64(16)):
            at = place + (row & uint64(3)) * low_step + (row >> uint64(2)) * high_step
            source = block[sources[row], column : column + run]
            rows.scale(state[at : at + run], factors[row], source)


@jit
def apply(block, digit, m, out):
    """``out`` = a 4×4 matrix per column, ``m`` (16, width), on one digit of a block's rows."""
    step, across = 1 + 3 * digit, 4 - 3 * digit
    for row in range(16):
        e = 4 * ((row // step) % 4)
        first = ((row // across) % 4) * across
        rows.combine(
            out[row], m[e], m[e + 1], m[e + 2], m[e + 3], block[first],
            block[first + step], block[first + 2 * step], block[first + 3 * step],
        )  # fmt: skip


@jit
def collect(after, before, digit, k):
    """Add Σ after_i before_j over the other digit to k[4i + j], (16, width)."""
    step, across = 1 + 3 * digit, 4 - 3 * digit
    for e in range(16):
        i, j = (e // 4) * step, (e % 4) * step
        rows.accumulate(
            k[e], after[i], after[i + across], after[i + 2 * across], after[i + 3 * across],
            before[j], before[j + across], before[j + 2 * across], before[j + 3 * across],
        )  # fmt: skip


@jit
def multiply(matrix, block, out):
    """``out = matrix @ block`` for a dense 16×16 matrix."""
    for row in range(16):
        rows.fill(out[row], 0)
        for column in range(16):
            if matrix[row, column] != 0:
                rows.add(out[row], matrix[row, column], block[column])


@jit
def scatter(block, out, sources, factors):
    """The transpose of what `store` does: row r goes to row sources[r]."""
    for row in range(16):
        rows.fill(out[row], 0)
    for row in range(16):
        rows.add(out[sources[row]], factors[row], block[row])


@jit
def zero_state(state, lanes, num_qubits):
    """|0…0⟩⟨0…0|: 1 at every string of I and Z."""
    rows.fill(state, 0)
    for mask in range(uint64(0), uint64(1) << uint64(num_qubits)):
        index = uint64(0)
        for qubit in range(uint64(0), uint64(num_qubits)):
            index += ((mask >> qubit) & uint64(1)) * (uint64(3) << (uint64(2) * qubit))
        for lane in range(uint64(0), uint64(lanes)):
            state[index * uint64(lanes) + lane] = 1
