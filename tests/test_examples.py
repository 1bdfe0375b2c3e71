"""docs/examples: each runs, learns and is short; values and gradients are those of plain torch."""

import ast
import io
import itertools
import re
import runpy
import tokenize
from functools import reduce
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[1] / "docs" / "examples"
MATRICES = {
    "I": torch.eye(2, dtype=torch.complex128),
    "X": torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128),
    "Y": torch.tensor([[0, -1j], [1j, 0]], dtype=torch.complex128),
    "Z": torch.diag(torch.tensor([1, -1], dtype=torch.complex128)),
}
HADAMARD = (MATRICES["X"] + MATRICES["Z"]) / 2**0.5
CX = torch.eye(4, dtype=torch.complex128)[[0, 3, 2, 1]]  # of (control, target)
STRINGS = ["".join(pair) for pair in itertools.product("IXYZ", repeat=2)][1:]


def pauli(label):
    return reduce(torch.kron, [MATRICES[letter] for letter in label])


def turn(label, angles):
    """exp(-i·angle/2·P), a matrix for every angle."""
    return torch.matrix_exp(-0.5j * angles[..., None, None] * pauli(label))


def general(factors):
    """exp(i Σ θ_P P) of two qubits, for factors (…, 15)."""
    strings = torch.stack([pauli(label) for label in STRINGS])
    return torch.matrix_exp(1j * torch.einsum("...p,pij->...ij", factors.to(strings), strings))


def begin(rows, qubits):
    state = torch.zeros(rows, *[2] * qubits, dtype=torch.complex128)
    state.view(rows, -1)[:, 0] = 1
    return state


def on(state, gate, *qubits):
    """A gate (…, 2ᵏ, 2ᵏ) on states (B, 2, …, 2) whose last axis is qubit 0, as is the gate's."""
    width = state.dim() - 1
    axes = [width - qubit for qubit in reversed(qubits)]
    moved = state.movedim(axes, [*range(-len(axes), 0)])
    flat = moved.reshape(len(state), -1, 2 ** len(axes)) @ gate.mT
    return flat.reshape(moved.shape).movedim([*range(-len(axes), 0)], axes)


def z_of(state, qubit):
    """⟨Z⟩ of states that need not be normalised."""
    weights = state.abs().square().movedim(state.dim() - 1 - qubit, 1).flatten(2).sum(-1)
    return weights[:, 0] - weights[:, 1]


def hamiltonian_embedding(block, images):
    weights = block.layer.weight
    count = len(weights) // 31
    times, factors = weights[:count], weights[count:].reshape(count, 2, 15)
    hamiltonian = ((images + images.mT) / 2).to(torch.complex128)
    state = begin(len(images), 3)
    for qubit in range(3):
        state = on(state, HADAMARD, qubit)
    for time, (first, second) in zip(times, factors, strict=True):
        state = on(state, torch.matrix_exp(-0.5j * time * hamiltonian), 0, 1, 2)
        state = on(on(state, general(first), 0, 1), general(second), 1, 2)
    return state.flatten(1).abs().square()


def flipped_quanvolution(block, images):
    """As the paper has it: every patch is an observable of a state."""
    vectors = general(block.angles)[..., 0]
    patches = images.unfold(2, 3, 1).unfold(3, 3, 1)  # (B, C, H, W, 3, 3)
    padded = torch.nn.functional.pad(patches, (0, 1, 0, 1))
    observables = ((padded + padded.mT) / 2).to(vectors)
    values = torch.einsum("kci,bchwij,kcj->bkhw", vectors.conj(), observables, vectors).real
    return values / images.shape[1] + block.bias[:, None, None]


def qkan(block, x):
    """On the Bloch sphere: H puts the qubit on the x axis."""
    weights = block.edges.weight.reshape(*block.scale.shape, -1, 2)
    a, b, c = torch.ones(len(x), *block.scale.shape), 0.0, 0.0
    steps = weights.unbind(2)
    for index, (z, y) in enumerate(step.unbind(-1) for step in steps):
        a, b = torch.cos(z) * a - torch.sin(z) * b, torch.sin(z) * a + torch.cos(z) * b
        a, c = torch.cos(y) * a + torch.sin(y) * c, torch.cos(y) * c - torch.sin(y) * a
        if index < len(steps) - 1:
            t = x[:, None]
            a, b = torch.cos(t) * a - torch.sin(t) * b, torch.sin(t) * a + torch.cos(t) * b
    base = block.base * torch.nn.functional.silu(x)[:, None]
    return (block.scale * c + base).sum(-1)


def doubly_stochastic_attention(block, tokens):
    """|V|² summed over the ancilla, without partners: column by column."""
    queries, keys, values = block.project(tokens).chunk(3, -1)
    logits = (queries @ keys.mT).flatten(1)
    angles = iter(torch.cat([logits, logits], 1).mul(block.theta.flatten()).unbind(1))
    unitary = torch.eye(8, dtype=torch.complex128).repeat(len(tokens), 1, 1)
    columns = unitary.reshape(-1, 2, 2, 2)  # a state for every (sample, column)
    for one, other in [(0, 1), (1, 2)] * 4:
        for label, qubit in (("Y", one), ("Y", other), ("Z", other)):
            columns = on(columns, turn(label, next(angles)).repeat_interleave(8, 0), qubit)
        columns = on(columns, CX, one, other)
        columns = on(columns, turn("X", next(angles)).repeat_interleave(8, 0), one)
    chances = columns.abs().square().reshape(-1, 2, 4, 2, 4)  # (B, b', column, b, row)
    return (chances.sum((1, 3)).mT / 2) @ values


def fast_weight_programmer(block, series):
    qubits, depth = block.qubits.out_features, block.layers.out_features
    angles = torch.zeros(len(series), depth, qubits)
    for step in series.unbind(1):
        latent = block.slow(step)
        angles = angles + torch.einsum("bl,bq->blq", block.layers(latent), block.qubits(latent))
    state = begin(len(series), qubits)
    for qubit in range(qubits):
        state = on(state, HADAMARD, qubit)
    state = on(state, turn("Y", series[:, -1, 0]), 0)
    for layer in range(depth):
        for start in (0, 1):
            for control in range(start, qubits - 1, 2):
                state = on(state, CX, control, control + 1)
        for qubit in range(qubits):
            state = on(state, turn("Y", angles[:, layer, qubit]), qubit)
    return block.read(torch.stack([z_of(state, qubit) for qubit in range(4)], 1))


def qcnn_pooling(block, angles):
    """A branch for every outcome of every measurement."""
    qubits = angles.shape[1]
    branches = [begin(len(angles), qubits)]
    for qubit in range(qubits):
        branches = [on(state, turn("Y", angles[:, qubit]), qubit) for state in branches]
    left = list(range(qubits))
    for xx, zz, y, x in block.layer.weight.reshape(-1, 4):
        gates = [("XX", xx, True), ("ZZ", zz, True), ("Y", y, False)]
        for (index, one), (label, angle, both) in itertools.product(enumerate(left), gates):
            places = (one, left[index - 1]) if both else (one,)
            branches = [on(state, turn(label, angle), *places) for state in branches]
        for measured, kept in zip(left[::2], left[1::2], strict=True):
            zeros = [on(state, (MATRICES["I"] + MATRICES["Z"]) / 2, measured) for state in branches]
            ones = [state - zero for state, zero in zip(branches, zeros, strict=True)]
            branches = zeros + [on(state, turn("X", x), kept) for state in ones]
        left = left[1::2]
    return sum(z_of(state, left[0]) for state in branches)[:, None]


EXAMPLES = {
    "hamiltonian_embedding": ("HamiltonianEmbedding", (2,), (2, 8, 8), hamiltonian_embedding),
    "flipped_quanvolution": ("FlippedQuanvolution", (2, 3), (2, 2, 4, 5), flipped_quanvolution),
    "qkan": ("QKAN", (3, 2), (4, 3), qkan),
    "doubly_stochastic_attention": (
        "DoublyStochasticAttention", (3,), (2, 4, 3), doubly_stochastic_attention,
    ),
    "fast_weight_programmer": (
        "FastWeightProgrammer", (4, 2, 3), (3, 3, 1), fast_weight_programmer,
    ),
    "qcnn_pooling": ("PoolingNetwork", (4,), (2, 4), qcnn_pooling),
}  # fmt: skip


@pytest.fixture(autouse=True)
def place(monkeypatch):
    """As if Python had been started on a file of the folder; the same numbers in each run."""
    monkeypatch.syspath_prepend(FOLDER)
    torch.manual_seed(0)


def made(name):
    """The example's module in double precision, and inputs for it."""
    module, arguments, shape, _ = EXAMPLES[name]
    block = runpy.run_path(str(FOLDER / f"{name}.py"))[module](*arguments)
    return block.double(), torch.randn(shape, dtype=torch.float64, requires_grad=True)


def code_lines(text):
    """Lines that are neither empty nor a comment nor of a docstring."""
    documented = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            documented |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    other = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (*other, tokenize.ENDMARKER):
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - documented)


def test_every_example_is_tested_and_linked():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"fit"}
    page = (FOLDER.parent / "circuits.md").read_text("utf-8")
    assert files == set(EXAMPLES) == set(re.findall(r"\]\(examples/(\w+)\.py\)", page))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_at_most_thirty_lines_of_code_and_names_its_paper(name):
    text = (FOLDER / f"{name}.py").read_text("utf-8")
    assert code_lines(text) <= 30
    assert re.search(r"arXiv:\d{4}\.\d{5}", ast.get_docstring(ast.parse(text)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_learns(name, capsys):
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    first, last = map(float, re.findall(r"loss (\S+)", capsys.readouterr().out))
    assert last < 0.9 * first


@pytest.mark.parametrize("name", EXAMPLES)
def test_values_and_gradients_are_those_of_plain_torch(name):
    block, inputs = made(name)
    twin = EXAMPLES[name][3]
    found, wanted = block(inputs), twin(block, inputs)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)
    leaves = [inputs, *(p for p in block.parameters() if p.requires_grad and p.numel())]
    cotangent = torch.randn_like(found)
    gradients = torch.autograd.grad(found, leaves, cotangent)
    for ours, theirs in zip(gradients, torch.autograd.grad(wanted, leaves, cotangent), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_rows_and_columns_of_the_attention_add_up_to_one():
    block, _ = made("doubly_stochastic_attention")
    matrices = block.attention(torch.randn(3, 4, 4, dtype=torch.float64))
    for axis in (1, 2):
        torch.testing.assert_close(matrices.sum(axis), torch.ones(3, 4, dtype=torch.float64))
