"""Numba kernels: units on a tile of noisy states, forwards and backwards.

A tile holds L samples (a power of two) as one flat array of 4**n rows of L numbers: the sample
index runs fastest. A unit reads the 16 rows of every setting of the other digits in blocks of
``width`` columns, so that its arithmetic is on short arrays in the first-level cache. A block is
one flat array; its rows begin a constant number of places apart, and so do those of a 4×4 matrix
per column, so that compilers see that rows never overlap.

Row i + 4j of a block has digit i on the unit's lower qubit and j on the higher one.
"""

# Numba compiles these functions; their annotations would only slow the reader down.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from numba import uint64

from qvlm_qiskit.quantum.density.cpu import rows
from qvlm_qiskit.quantum.density.cpu.arrays import WIDTH
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined

STRIDE = uint64(WIDTH)
(S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, S12, S13, S14, S15) = (
    uint64(WIDTH * i) for i in range(1, 16)
)


@inlined
def place_of(rest, low_step, high_step):
    """Where the rest-th column of a unit's blocks begins in the tile, both digits 0."""
    inner = rest & (low_step - uint64(1))
    outer = rest - inner
    between = high_step >> uint64(2)  # columns below the higher digit
    middle = outer & (between - uint64(1))
    return ((outer - middle) << uint64(4)) + (middle << uint64(2)) + inner


@inlined
def load(state, block, rest, low_step, high_step, width):
    """Columns from ``rest`` on of the unit's rows into a block."""
    run, fourths = min(width, low_step), min(width, high_step >> uint64(2))
    for row in range(uint64(0), uint64(16)):
        offset = (row & uint64(3)) * low_step + (row >> uint64(2)) * high_step
        if run == uint64(1):
            # one sample and its lowest digit: neighbouring columns lie four places apart
            for column in range(uint64(0), width, fourths):
                at = place_of(rest + column, low_step, high_step) + offset
                to = row * STRIDE + column
                rows.every_fourth(block[to : to + fourths], state[at:])
            continue
        for column in range(uint64(0), width, run):
            at = place_of(rest + column, low_step, high_step) + offset
            to = row * STRIDE + column
            for t in range(run):
                block[to + t] = state[at + t]


@inlined
def store(block, state, rest, low_step, high_step, width, sources, factors):
    """A block's rows into the unit's: row r is factors[r] times the block's row sources[r]."""
    run, fourths = min(width, low_step), min(width, high_step >> uint64(2))
    for row in range(uint64(0), uint64(16)):
        offset = (row & uint64(3)) * low_step + (row >> uint64(2)) * high_step
        factor, source = factors[row], uint64(sources[row]) * STRIDE
        if run == uint64(1):
            for column in range(uint64(0), width, fourths):
                at, here = place_of(rest + column, low_step, high_step) + offset, source + column
                rows.to_every_fourth(state[at:], factor, block[here : here + fourths])
            continue
        for column in range(uint64(0), width, run):
            at = place_of(rest + column, low_step, high_step) + offset
            for t in range(run):
                state[at + t] = factor * block[source + column + t]


@inlined
def apply(block, digit, m, out, width):
    """``out`` = a 4×4 matrix per column, ``m``, on one digit of a block's rows."""
    for group in range(uint64(0), uint64(4)):
        if digit:
            turn_high(block[group * STRIDE :], m, out[group * STRIDE :], width)
        else:
            turn_low(block[group * S4 :], m, out[group * S4 :], width)


@inlined
def turn_low(x, m, out, width):
    """Four neighbouring rows through a matrix per column."""
    for t in range(width):
        a, b, c, d = x[t], x[S1 + t], x[S2 + t], x[S3 + t]
        out[t] = m[t] * a + m[S1 + t] * b + m[S2 + t] * c + m[S3 + t] * d
        out[S1 + t] = m[S4 + t] * a + m[S5 + t] * b + m[S6 + t] * c + m[S7 + t] * d
        out[S2 + t] = m[S8 + t] * a + m[S9 + t] * b + m[S10 + t] * c + m[S11 + t] * d
        out[S3 + t] = m[S12 + t] * a + m[S13 + t] * b + m[S14 + t] * c + m[S15 + t] * d


@inlined
def turn_high(x, m, out, width):
    """Every fourth row, four of them, through a matrix per column."""
    for t in range(width):
        a, b, c, d = x[t], x[S4 + t], x[S8 + t], x[S12 + t]
        out[t] = m[t] * a + m[S1 + t] * b + m[S2 + t] * c + m[S3 + t] * d
        out[S4 + t] = m[S4 + t] * a + m[S5 + t] * b + m[S6 + t] * c + m[S7 + t] * d
        out[S8 + t] = m[S8 + t] * a + m[S9 + t] * b + m[S10 + t] * c + m[S11 + t] * d
        out[S12 + t] = m[S12 + t] * a + m[S13 + t] * b + m[S14 + t] * c + m[S15 + t] * d


@inlined
def collect(after, before, digit, k, width):
    """Add Σ after_i before_j over the other digit to row 4i + j of k."""
    for i in range(uint64(0), uint64(4)):
        if digit:
            collect_high(after[i * S4 :], before, k[i * S4 :], width)
        else:
            collect_low(after[i * STRIDE :], before, k[i * S4 :], width)


@inlined
def collect_low(x, y, k, width):
    """Rows i + 4g of one block by rows j + 4g of the other, for one i and all j, over g."""
    for t in range(width):
        a, b, c, d = x[t], x[S4 + t], x[S8 + t], x[S12 + t]
        k[t] += a * y[t] + b * y[S4 + t] + c * y[S8 + t] + d * y[S12 + t]
        k[S1 + t] += a * y[S1 + t] + b * y[S5 + t] + c * y[S9 + t] + d * y[S13 + t]
        k[S2 + t] += a * y[S2 + t] + b * y[S6 + t] + c * y[S10 + t] + d * y[S14 + t]
        k[S3 + t] += a * y[S3 + t] + b * y[S7 + t] + c * y[S11 + t] + d * y[S15 + t]


@inlined
def collect_high(x, y, k, width):
    """Rows 4i + g of one block by rows 4j + g of the other, for one i and all j, over g."""
    for t in range(width):
        a, b, c, d = x[t], x[S1 + t], x[S2 + t], x[S3 + t]
        k[t] += a * y[t] + b * y[S1 + t] + c * y[S2 + t] + d * y[S3 + t]
        k[S1 + t] += a * y[S4 + t] + b * y[S5 + t] + c * y[S6 + t] + d * y[S7 + t]
        k[S2 + t] += a * y[S8 + t] + b * y[S9 + t] + c * y[S10 + t] + d * y[S11 + t]
        k[S3 + t] += a * y[S12 + t] + b * y[S13 + t] + c * y[S14 + t] + d * y[S15 + t]


@inlined
def multiply(matrix, block, out, width):
    """``out = matrix @ block`` for a dense 16×16 matrix."""
    for row in range(uint64(0), uint64(16)):
        target = out[row * STRIDE : row * STRIDE + width]
        rows.fill(target, 0)
        for column in range(uint64(0), uint64(16)):
            if matrix[row, column] != 0:
                source = block[column * STRIDE : column * STRIDE + width]
                rows.add(target, matrix[row, column], source)


@inlined
def scatter(block, out, width, sources, factors):
    """The transpose of what `store` does: row r goes to row sources[r]."""
    for row in range(uint64(0), uint64(16)):
        rows.fill(out[row * STRIDE : row * STRIDE + width], 0)
    for row in range(uint64(0), uint64(16)):
        to = uint64(sources[row]) * STRIDE
        source = block[row * STRIDE : row * STRIDE + width]
        rows.add(out[to : to + width], factors[row], source)


@inlined
def enter(state, out):
    """Append the digit of a qubit in |0⟩: 1 at I and Z."""
    size = state.size
    rows.copy(out[:size], state)
    rows.fill(out[size : 3 * size], 0)
    rows.copy(out[3 * size :], state)


@inlined
def leave(state, out, step):
    """Keep what is I on the digit of ``step``."""
    for at in range(uint64(0), uint64(out.size), step):
        source = at << uint64(2)
        rows.copy(out[at : at + step], state[source : source + step])


@inlined
def return_to(out, state, step):
    """The transpose of `leave`, from ``out`` to ``state``."""
    rows.fill(state, 0)
    for at in range(uint64(0), uint64(out.size), step):
        target = at << uint64(2)
        rows.copy(state[target : target + step], out[at : at + step])
