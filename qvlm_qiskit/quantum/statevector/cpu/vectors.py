"""Gates on the three lowest qubits of one sample: eight neighbouring amplitudes in one vector.

A gate on qubit q takes amplitude i from the amplitudes i and i ⊕ 2**q, which lie in the same
vector: with the coefficients of every place of the vector, v becomes A∘v + B∘(v shuffled). What
LLVM's loops make of such short steps is scalar, six times as slow (measured, docs/log.md); so this
is written in LLVM's own operations on vectors.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from llvmlite import ir
from numba import types, uint64
from numba.extending import intrinsic

from qvlm_qiskit.quantum.statevector.cpu.jit import jit

EIGHT = 8
"""Amplitudes in a vector."""
_FAST = ("fast",)


class _Vectors:
    """What eight neighbouring numbers are in the code that an intrinsic writes."""

    def __init__(self, context, builder, signature, arguments):
        self.context, self.builder = context, builder
        self.types, self.arguments = signature.args, arguments

    def pointer(self, argument, place):
        kind, array = self.types[argument], self.arguments[argument]
        data = self.context.make_array(kind)(self.context, self.builder, array).data
        vector = ir.VectorType(self.context.get_data_type(kind.dtype), EIGHT)
        where = self.builder.gep(data, [place])
        return self.builder.bitcast(where, vector.as_pointer()), kind.dtype.bitwidth // 8

    def load(self, argument, place):
        pointer, size = self.pointer(argument, place)
        return self.builder.load(pointer, align=size)

    def store(self, argument, place, vector):
        pointer, size = self.pointer(argument, place)
        self.builder.store(vector, pointer, align=size)

    def table(self, argument, qubit):
        """The four rows of a qubit in an array (3, 4, 8), as places and vectors."""
        kind = ir.IntType(64)
        places = [ir.Constant(kind, (4 * qubit + row) * EIGHT) for row in range(4)]
        return places, [self.load(argument, place) for place in places]

    def partner(self, vector, qubit):
        """Place i gets what is at i ⊕ 2**qubit."""
        places = [place ^ (1 << qubit) for place in range(EIGHT)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), EIGHT), places)
        return self.builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)

    def times(self, ar, ai, br, bi):
        """The complex product a·b."""
        mul, add, sub = self.builder.fmul, self.builder.fadd, self.builder.fsub
        re = sub(mul(ar, br, flags=_FAST), mul(ai, bi, flags=_FAST), flags=_FAST)
        im = add(mul(ar, bi, flags=_FAST), mul(ai, br, flags=_FAST), flags=_FAST)
        return re, im

    def plus(self, a, b):
        """The sum of two complex vectors."""
        return tuple(self.builder.fadd(x, y, flags=_FAST) for x, y in zip(a, b, strict=True))

    def turned(self, re, im, table, qubit):
        """A∘v + B∘(v shuffled)."""
        same = self.times(table[0], table[1], re, im)
        other = self.times(table[2], table[3], self.partner(re, qubit), self.partner(im, qubit))
        return self.plus(same, other)


@intrinsic
def turn_eight(typing, re, im, place, table):
    """Apply the gates on qubits 0, 1 and 2 to the eight amplitudes from a place on."""

    def write(context, builder, signature, arguments):
        v = _Vectors(context, builder, signature, arguments)
        x, y = v.load(0, arguments[2]), v.load(1, arguments[2])
        for qubit in range(3):
            x, y = v.turned(x, y, v.table(3, qubit)[1], qubit)
        v.store(0, arguments[2], x)
        v.store(1, arguments[2], y)
        return context.get_dummy_value()

    return types.void(re, im, types.uint64, table), write


@intrinsic
def turn_eight_back(typing, pr, pi, lr, li, place, table, sums):
    """Un-apply those gates from ψ and λ, and add conj(λ)∘ψ and conj(λ)∘(ψ shuffled) to the sums.

    λ stands after a gate and ψ before it; sums is (3, 4, 8): real and imaginary parts of both.
    """

    def write(context, builder, signature, arguments):
        v = _Vectors(context, builder, signature, arguments)
        here = arguments[4]
        x, y, lx, ly = (v.load(i, here) for i in range(4))
        for qubit in range(3):
            _, table = v.table(5, qubit)
            x, y = v.turned(x, y, table, qubit)
            places, sums = v.table(6, qubit)
            minus = builder.fneg(ly, flags=_FAST)
            same = v.times(lx, minus, x, y)
            other = v.times(lx, minus, v.partner(x, qubit), v.partner(y, qubit))
            for where, old, new in zip(places, sums, (*same, *other), strict=True):
                v.store(6, where, builder.fadd(old, new, flags=_FAST))
            lx, ly = v.turned(lx, ly, table, qubit)
        for i, vector in enumerate((x, y, lx, ly)):
            v.store(i, here, vector)
        return context.get_dummy_value()

    return types.void(pr, pi, lr, li, types.uint64, table, sums), write


@jit
def set_table(table, qubit, m):
    """Coefficients of a 2×2 matrix at every place of the vector: A of v, B of its partner."""
    for place in range(EIGHT):
        bit = place >> qubit & 1
        table[qubit, 0, place], table[qubit, 1, place] = m[6 * bit], m[6 * bit + 1]
        table[qubit, 2, place], table[qubit, 3, place] = m[2 + 2 * bit], m[3 + 2 * bit]


@jit
def set_identities(table):
    """No gate on any of the three qubits."""
    for qubit in range(3):
        for place in range(EIGHT):
            table[qubit, 0, place] = 1
            table[qubit, 1, place], table[qubit, 2, place], table[qubit, 3, place] = 0, 0, 0


@jit
def add_sums(sums, qubit, k):
    """K of a gate from its sums: entry (a, b) is over the places whose bit is a."""
    for place in range(EIGHT):
        bit = place >> qubit & 1
        same, other = 6 * bit, 2 + 2 * bit
        k[same] += sums[qubit, 0, place]
        k[same + 1] += sums[qubit, 1, place]
        k[other] += sums[qubit, 2, place]
        k[other + 1] += sums[qubit, 3, place]


@jit
def turn_all(re, im, first, last, table):
    """Apply the three gates to amplitudes first … last."""
    for place in range(uint64(first), uint64(last), uint64(EIGHT)):
        turn_eight(re, im, place, table)


@jit
def turn_all_back(pr, pi, lr, li, first, last, table, sums):
    """Un-apply them from amplitudes first … last of ψ and λ."""
    for place in range(uint64(first), uint64(last), uint64(EIGHT)):
        turn_eight_back(pr, pi, lr, li, place, table, sums)
