"""Rows of pubs, against plain loops; and keys that tell every difference and nothing else."""

import copy
import hashlib
import io
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Gate, Parameter, ParameterExpression
from qiskit.circuit.library import RXGate, UnitaryGate, XGate
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import recorded_backend
from qvlm_qiskit.jobs.ledger.rows import assemble, merge, split
from tests.jobs.questions import two_qubits

# Parameter values, observables: every way in which Qiskit lets them meet.
SHAPES = [
    ((), ()), ((4,), ()), ((), (3,)), ((4,), (4,)), ((4, 1), (3,)), ((4,), (3, 1)),
    ((1, 4), (3, 4)), ((2, 1, 2), (3, 1)), ((1,), (1,)), ((2, 3), (1, 1)), ((5, 1), (1, 2)),
    ((0,), ()), ((2, 0), (1,)), ((), (2, 2)),
]  # fmt: skip


def row_key(pub, context):
    (row,) = split([pub], context)
    return row.key


def make_pub(shapes, parameters, seed, few=False, precision=0.1):
    rng = np.random.default_rng(seed)
    values, observables = shapes
    labels = ["ZI", "IZ", "XX", "YZ", "XI"]
    picked = rng.choice(labels[: 2 if few else None], size=int(np.prod(observables)) or 1)
    array = ObservablesArray.coerce(list(map(str, picked))).reshape(observables)
    circuit = two_qubits(parameters)
    if parameters == 0:
        bindings = BindingsArray({}, shape=values)
    else:
        numbers = rng.integers(0, 2, (*values, parameters)) if few else rng.normal(
            size=(*values, parameters)
        )  # fmt: skip
        bindings = BindingsArray({tuple(circuit.parameters): numbers.astype(float)})
    return EstimatorPub(circuit, array, bindings, precision)


def elements(pub):
    """Every element of a pub by itself, in order: (observable, parameter values)."""
    places = np.broadcast_to(
        np.arange(pub.observables.size).reshape(pub.observables.shape), pub.shape
    )
    sets = np.broadcast_to(
        np.arange(pub.parameter_values.size).reshape(pub.parameter_values.shape), pub.shape
    )
    flat = pub.observables.ravel()
    table = pub.parameter_values.as_array(pub.circuit.parameters)
    table = table.reshape(pub.parameter_values.size, pub.circuit.num_parameters)
    return [
        (json.dumps(flat[int(o)], sort_keys=True), tuple(table[int(s)]))
        for o, s in zip(places.ravel(), sets.ravel(), strict=True)
    ]


def fingerprint(observable, values):
    digest = hashlib.sha256(repr((observable, [float(v).hex() for v in values])).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def answered(merged):
    """Values for merged pubs, told apart by what was asked; as a service would give them."""
    values = {}
    for pub, rows in merged:
        assert pub.shape == (pub.observables.size, len(rows))
        table = np.array([fingerprint(*element) for element in elements(pub)]).reshape(pub.shape)
        for position, row in enumerate(rows):
            assert row.key not in values
            values[row.key] = table[:, position], -table[:, position]
    return values


questions = st.lists(
    st.tuples(
        st.sampled_from(SHAPES), st.sampled_from([0, 1, 3]), st.integers(0, 9), st.booleans()
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(questions)
def test_every_element_gets_the_answer_of_its_own_question(asked):
    pubs = [make_pub(*question) for question in asked]
    rows = split(pubs, {"name": "x"})
    unique = list({row.key: row for row in rows}.values())
    merged = merge(unique, pubs)
    # As few questions as there are different ones, and as few pubs as kinds of them.
    assert sum(len(members) for _, members in merged) == len({row.key for row in rows})
    assert len(merged) == len({row.group for row in rows})
    values = answered(merged)
    for number, pub in enumerate(pubs):
        own = [row for row in rows if row.pub == number]
        assert len(own) == pub.parameter_values.size
        covered = np.concatenate([row.outputs for row in own] or [np.empty(0, int)])
        assert sorted(covered) == list(range(pub.size))
        evs, stds = assemble(pub, own, values)
        expected = np.array([fingerprint(*e) for e in elements(pub)]).reshape(pub.shape)
        np.testing.assert_array_equal(evs, expected)
        np.testing.assert_array_equal(stds, -expected)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("parameters", [0, 3])
def test_merged_pubs_mean_the_same(shapes, parameters):
    pub = make_pub(shapes, parameters, seed=3, precision=None)
    rows = split([pub], {})
    unique = list({row.key: row for row in rows}.values())
    merged = merge(unique, [pub])
    if not merged:
        assert pub.size == 0
        return
    values = {}
    for result, (_, members) in zip(
        StatevectorEstimator().run([part for part, _ in merged]).result(), merged, strict=True
    ):
        for position, row in enumerate(members):
            values[row.key] = (result.data.evs[:, position], result.data.stds[:, position])
    expected = StatevectorEstimator().run([pub]).result()[0].data
    np.testing.assert_allclose(assemble(pub, rows, values)[0], expected.evs, atol=1e-12)


def test_rows_that_are_asked_twice_have_one_key():
    pub = make_pub(((4,), (3, 1)), 2, seed=1)
    again = make_pub(((4,), (3, 1)), 2, seed=1)
    rows = split([pub, again], {})
    assert [row.key for row in rows[:4]] == [row.key for row in rows[4:]]
    assert len({row.key for row in rows}) == 4
    constant = make_pub(((5,), ()), 0, seed=1)
    assert len({row.key for row in split([constant], {})}) == 1


def test_the_order_of_parameters_belongs_to_the_circuit_and_not_to_the_bindings():
    circuit = two_qubits(2)
    first, second = circuit.parameters
    keys = {
        row_key(EstimatorPub.coerce((circuit, "ZI", bindings)), {})
        for bindings in ({first: 0.1, second: 0.2}, {second: 0.2, first: 0.1}, [0.1, 0.2])
    }
    assert len(keys) == 1
    assert row_key(EstimatorPub.coerce((circuit, "ZI", [0.2, 0.1])), {}) not in keys


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_values_that_can_not_be_run_have_no_key(value):
    with pytest.raises(LedgerError, match="finite"):
        split([EstimatorPub.coerce((two_qubits(2), "ZI", [0.1, value]))], {})


@pytest.mark.parametrize(
    "context", [{"a": object()}, {"a": float("nan")}, {1: "a"}, {"a": [{None: 1}]}, {"a": {1, 2}}]
)
def test_a_context_that_json_would_not_tell_apart_is_refused(context):
    with pytest.raises(LedgerError, match="JSON-able"):
        split([make_pub(SHAPES[0], 0, 1)], context)


# The cache never lies ------------------------------------------------------------------------


UNITS = ["dt", "ns", "us"]


def base(rng):
    """A recipe of a question: plain data, so that it can be built, changed and built again."""
    width = rng.randint(2, 3)
    steps = [
        rng.choice(
            [
                ["ry", rng.uniform(-3, 3), rng.randrange(width)],
                ["rz", {"scale": rng.uniform(-2, 2), "shift": rng.uniform(-2, 2), "p": "a"},
                 rng.randrange(width)],
                ["rx", {"scale": rng.uniform(-2, 2), "shift": rng.uniform(-2, 2), "p": "b"},
                 rng.randrange(width)],
                ["cx", *rng.sample(range(width), 2)],
                ["open", rng.randrange(2), *rng.sample(range(width), 2)],
                ["custom", rng.uniform(-3, 3), rng.randrange(width)],
                ["nested", rng.uniform(-3, 3), rng.randrange(width)],
                ["unitary", rng.randrange(1000), [0, 0, 0.0], rng.randrange(width)],
                ["delay", rng.randint(1, 500), rng.choice(UNITS), rng.randrange(width)],
                ["barrier", rng.randint(1, width)],
            ]
        )
        for _ in range(rng.randint(3, 7))
    ]  # fmt: skip
    terms = rng.sample(["ZZZ", "XXI", "IYZ", "0+I", "rlI"], rng.randint(1, 3))
    return {
        "width": width,
        "phase": rng.uniform(3, 6),
        "steps": [["rz", {"scale": 1.5, "shift": 0.5, "p": "a"}, 0],
                  ["rx", {"scale": 2.5, "shift": 0.5, "p": "b"}, 1], *steps],
        "observables": [[[term[:width], rng.uniform(-2, 2)] for term in terms],
                        [["Z" * width, 1.0]]],
        "values": [rng.uniform(-3, 3), rng.uniform(-3, 3)],
        "names": {"a": "a", "b": "b"},
        "precision": rng.choice([0.1, 0.05]),
        "context": {"name": "fake_x", "seed": rng.randrange(9), "options": {"shots": 100},
                    "calibration": "any", "fresh": ""},
    }  # fmt: skip


def build_circuit(recipe, dressing=None):
    dressed = dressing is not None
    width = recipe["width"]
    register = QuantumRegister(width, f"reg{dressing}") if dressed else QuantumRegister(width, "q")
    circuit = QuantumCircuit(register, name=f"c{dressing}" if dressed else None)
    circuit.metadata = {"note": dressing} if dressed else {}
    circuit.global_phase = recipe["phase"]
    parameters = {key: Parameter(name) for key, name in recipe["names"].items()}

    def angle(spec):
        if isinstance(spec, dict):
            return parameters[spec["p"]] * spec["scale"] + spec["shift"]
        return spec

    for kind, *rest in recipe["steps"]:
        if kind in ("rx", "ry", "rz"):
            getattr(circuit, kind)(angle(rest[0]), rest[1])
        elif kind == "cx":
            circuit.cx(*rest)
        elif kind == "open":
            circuit.append(XGate().control(1, ctrl_state=rest[0]), rest[1:])
        elif kind in ("custom", "nested"):
            inner = QuantumCircuit(1, name="mine")
            inner.append(RXGate(rest[0]), [0])
            if kind == "nested":
                outer = QuantumCircuit(1, name="outer")
                outer.append(inner.to_gate(), [0])
                inner = outer
            circuit.append(inner.to_gate(), [rest[1]])
        elif kind == "unitary":
            matrix = np.array(random_unitary(2, seed=rest[0]).data)
            row, column, ulps = rest[1]
            matrix[row, column] += ulps * np.spacing(abs(matrix[row, column].real))
            circuit.append(UnitaryGate(matrix, check_input=False), [rest[2]])
        elif kind == "delay":
            circuit.delay(rest[0], rest[2], unit=rest[1])
        elif kind == "barrier":
            circuit.barrier(range(rest[0]))
    return circuit


def build_key(recipe, dressing=None, change=None):
    circuit = build_circuit(recipe, dressing)
    if change is not None:
        circuit = change(circuit)
    observables = [{label: weight for label, weight in terms} for terms in recipe["observables"]]
    names = [recipe["names"]["a"], recipe["names"]["b"]]
    bindings = BindingsArray({tuple(names): np.array(recipe["values"])})
    pub = EstimatorPub.coerce((circuit, observables, bindings), recipe["precision"])
    return row_key(pub, recipe["context"])


def ulp(value):
    return float(np.nextafter(value, np.inf))


def changes(recipe, rng):
    """All recipes that differ from one in a single thing, which is named."""

    def changed(name, function):
        """A recipe in which the function has changed something."""
        other = copy.deepcopy(recipe)
        function(other)
        made.append((name, other))

    made = []
    for place, (kind, *_) in enumerate(recipe["steps"]):

        def step(function, place=place):
            def apply(whole):
                return function(whole["steps"][place])

            return apply

        if kind in ("rx", "ry", "rz"):
            gate = rng.choice([gate for gate in ("rx", "ry", "rz") if gate != kind])
            changed("gate", step(lambda s, g=gate: s.__setitem__(0, g)))
            changed("qubit", step(lambda s: s.__setitem__(2, (s[2] + 1) % recipe["width"])))
            if isinstance(recipe["steps"][place][1], dict):
                changed("coefficient", step(lambda s: s[1].update(scale=ulp(s[1]["scale"]))))
                changed("shift", step(lambda s: s[1].update(shift=ulp(s[1]["shift"]))))
                if place > 1:
                    swap = {"a": "b", "b": "a"}
                    changed("parameter", step(lambda s, w=swap: s[1].update(p=w[s[1]["p"]])))
            else:
                changed("angle", step(lambda s: s.__setitem__(1, ulp(s[1]))))
        elif kind == "cx":
            changed("cx order", step(lambda s: s.__setitem__(slice(1, 3), [s[2], s[1]])))
        elif kind == "open":
            changed("ctrl_state", step(lambda s: s.__setitem__(1, 1 - s[1])))
        elif kind in ("custom", "nested"):
            changed("definition", step(lambda s: s.__setitem__(1, ulp(s[1]))))
            other = "nested" if kind == "custom" else "custom"
            changed("nesting", step(lambda s, o=other: s.__setitem__(0, o)))
        elif kind == "unitary":
            changed("matrix", step(lambda s: s.__setitem__(2, [rng.randrange(2), 0, 1.0])))
        elif kind == "delay":
            changed("duration", step(lambda s: s.__setitem__(1, s[1] + 1)))
            units = {"dt": "ns", "ns": "us", "us": "dt"}
            changed("unit", step(lambda s, u=units: s.__setitem__(2, u[s[2]])))
        elif kind == "barrier" and recipe["steps"][place][1] > 1:
            changed("barrier", step(lambda s: s.__setitem__(1, s[1] - 1)))
        changed("no " + kind, lambda other, place=place: other["steps"].pop(place) if place > 1
                else other["steps"].append(["ry", 0.0, 0]))  # fmt: skip
    changed("phase", lambda other: other.update(phase=ulp(other["phase"])))
    changed("a qubit more", lambda other: widen(other))
    changed("added barrier", lambda other: other["steps"].append(["barrier", 1]))
    changed("name", lambda other: other["names"].update(a="c"))
    changed("names exchanged", lambda other: other["names"].update(a="b", b="a"))
    for place in range(len(recipe["observables"][0])):
        changed("weight", lambda other, place=place: other["observables"][0][place].__setitem__(
            1, ulp(other["observables"][0][place][1])))  # fmt: skip
        changed("sign", lambda other, place=place: other["observables"][0][place].__setitem__(
            1, -other["observables"][0][place][1]))  # fmt: skip
        changed("pauli", lambda other, place=place: other["observables"][0][place].__setitem__(
            0, "Y" * recipe["width"]))  # fmt: skip
    changed("order of observables", lambda other: other["observables"].reverse())
    changed("an observable more", lambda other: other["observables"].append([["Z" * 3, 1.0]][:0]
            or [["X" * recipe["width"], 1.0]]))  # fmt: skip
    changed("an observable less", lambda other: other["observables"].pop())
    for place in range(2):
        changed("value", lambda other, place=place: other["values"].__setitem__(
            place, ulp(other["values"][place])))  # fmt: skip
    changed("zero", lambda other: other.update(values=[0.0, other["values"][1]]))
    changed("minus zero", lambda other: other.update(values=[-0.0, other["values"][1]]))
    changed("precision", lambda other: other.update(precision=ulp(other["precision"])))
    changed("no precision", lambda other: other.update(precision=None))
    for key, value in {
        "name": "fake_y", "seed": None, "calibration": "2026-01-01", "fresh": "again",
        "options": {"shots": 101},
    }.items():  # fmt: skip
        changed(key, lambda other, k=key, v=value: other["context"].update({k: v}))
    changed("seed is no text", lambda other: other["context"].update(
        seed=str(other["context"]["seed"])))  # fmt: skip
    changed("a further option", lambda other: other["context"]["options"].update(dd="XY4"))
    changed("another nesting", lambda other: other["context"].update(
        other["context"].pop("options")))  # fmt: skip
    return made


def widen(recipe):
    recipe["width"] += 1
    recipe["observables"] = [
        [["I" + label, weight] for label, weight in terms] for terms in recipe["observables"]
    ]


def check_keys(seeds):
    """No two of a question and its changes have one key; returns how many pairs that were."""
    pairs = 0
    for seed in seeds:
        rng = random.Random(seed)
        recipe = base(rng)
        variants = [("itself", recipe), *changes(recipe, rng)]
        by_key = {}
        for name, variant in variants:
            key, text = build_key(variant), json.dumps(variant, sort_keys=True)
            other = by_key.setdefault(key, (name, text))
            assert other[1] == text or same(other[1], text), f"{other[0]} = {name} (seed {seed})"
        pairs += len(variants) * (len(variants) - 1) // 2
    return pairs


def same(one, other):
    """Whether two recipes say the same in two ways, such as a CX and an X with a closed control."""
    return build_text(json.loads(one)) == build_text(json.loads(other))


def build_text(recipe):
    """What is asked, as plain text that is made without the keys' code."""
    steps = []
    for kind, *rest in recipe["steps"]:
        rest = copy.deepcopy(rest)
        if rest and isinstance(rest[0], dict):
            rest[0]["p"] = recipe["names"][rest[0]["p"]]
        steps.append(["cx", *rest[1:]] if kind == "open" and rest[0] else [kind, *rest])
    values = dict(zip((recipe["names"]["a"], recipe["names"]["b"]), recipe["values"], strict=True))
    kept = {k: v for k, v in recipe.items() if k not in ("steps", "names", "values")}
    return json.dumps([steps, values, kept], sort_keys=True)


def test_different_questions_have_different_keys():
    assert check_keys(range(6)) > 5000


@pytest.mark.slow
def test_a_hundred_thousand_pairs_of_different_questions_have_different_keys():
    assert check_keys(range(100, 230)) > 100_000


def test_no_key_is_ever_met_again():
    """All variants of many questions at once: none meets another question's key."""
    seen = {}
    for seed in range(20, 26):
        rng = random.Random(seed)
        recipe = base(rng)
        for _, variant in [("", recipe), *changes(recipe, rng)[::4]]:
            text = build_text(variant)
            assert seen.setdefault(build_key(variant), text) == text


def through_qpy(circuit):
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    buffer.seek(0)
    return qpy.load(buffer)[0]


def in_dt(recipe):
    """QPY forgets the unit of a delay; packages with others are refused."""
    for step in recipe["steps"]:
        if step[0] == "delay":
            step[2] = "dt"
    return recipe


@pytest.mark.parametrize("seed", range(12))
def test_the_same_question_has_the_same_key_however_it_is_made(seed):
    recipe = in_dt(base(random.Random(seed)))
    key = build_key(recipe)
    assert build_key(recipe) == key
    assert build_key(recipe, dressing="other") == key
    assert build_key(recipe, change=through_qpy) == key
    assert build_key(recipe, change=lambda c: through_qpy(through_qpy(c))) == key
    assert build_key(recipe, change=copy.deepcopy) == key
    assert build_key(recipe, change=lambda c: c.compose(QuantumCircuit(c.num_qubits))) == key
    shuffled = json.loads(json.dumps(recipe))
    shuffled["context"] = dict(reversed(shuffled["context"].items()))
    shuffled["observables"] = [list(reversed(terms)) for terms in shuffled["observables"]]
    assert build_key(shuffled) == key


@pytest.mark.slow
def test_other_processes_make_the_same_keys():
    """Whatever the seed of Python's hashes, which orders sets and names."""
    code = (
        "import random; from tests.jobs.ledger.test_rows import base, build_key\n"
        "print(*[build_key(base(random.Random(seed))) for seed in range(5)])"
    )
    expected = [build_key(base(random.Random(seed))) for seed in range(5)]
    for hash_seed in ("1", "4242"):
        made = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert made.stdout.split() == expected


# Pairs that Qiskit prints alike, or nearly so.
A, B, C = (Parameter(name) for name in "abc")
PAIRS = [
    (B / (-(A * C)), (B / (-A)) * C),
    (A / (-(B * C)), (-(A / B)) * C),
    (A / (-(B / C)), (A / (-B)) / C),
    (A / (-B * C), A / (-B) * C),
    ((A / (-(B * C))).sin(), (A / (-B) * C).sin()),
    (A - (B - C), (A - B) - C),
    (A - (-(B * C)), A - B * C),
    (A / (B / C), (A / B) / C),
    (A / (B * C), (A / B) * C),
    (A / (2 * B), (A / 2) * B),
    (A / (-2 * B), (A / -2) * B),
    ((-A) ** 2, -(A**2)),
    ((-A) ** B, -(A**B)),
    ((A**B) ** C, A ** (B**C)),
    ((A ** (-B)) * C, A ** (-(B * C))),
    ((2 * A) ** 2, 2 * A**2),
    (-(A + B), -A + B),
    # Constants that Qiskit has not computed yet.
    (A * (B * 0 - 2.0).sin().exp(), A * (B * 0 - 3.0).sin().exp()),
]


def angle_key(angle):
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    return row_key(
        EstimatorPub.coerce((circuit, "Z", [0.7, 0.3, 1.9][: len(angle.parameters)])), {}
    )


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=str)
def test_expressions_that_look_alike_have_different_keys(one, other):
    assert angle_key(one) != angle_key(other)
    for angle in (one, other):
        assert angle_key(copy.deepcopy(angle)) == angle_key(angle)
        circuit = QuantumCircuit(1)
        circuit.ry(angle, 0)
        assert angle_key(through_qpy(circuit).data[0].params[0]) == angle_key(angle)


def test_the_ledger_tells_expressions_apart_that_look_alike(store):
    one, other = PAIRS[0]
    backend = recorded_backend(open_backend("statevector", dtype="complex128"), store)
    values = [0.7, 0.3, 1.9]
    for angle in (one, other, one):
        circuit = QuantumCircuit(1)
        circuit.ry(angle, 0)
        found = backend.estimator().run([(circuit, "Z", values)]).result()[0].data.evs
        expected = np.cos(float(angle.bind(dict(zip((A, B, C), values, strict=True)))))
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert store.count_jobs() == 2


NUMBERS = [0, 1, 2, -1, -2, 3, 0.5, -0.5, 1.0, -1.0, 2.0, -3.5, 1 / 3, 0.3, 0.1 + 0.2, 1e17]
FUNCTIONS = ["sin", "cos", "exp", "abs", "arctan", "sign"]


def random_angle(rng, depth):
    """An expression of A, B and C, or a number."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice([A, B, C]) if rng.random() < 0.7 else rng.choice(NUMBERS)
    left, right = random_angle(rng, depth - 1), random_angle(rng, depth - 1)
    kind = rng.randrange(8)
    try:
        if kind < 5:
            return [
                lambda: left + right, lambda: left - right, lambda: left * right,
                lambda: left / right, lambda: left / (-right),
            ][kind]()  # fmt: skip
        if kind == 5:
            return left ** rng.choice([2, 3, -1, -2, 2.0])
        if kind == 6 and isinstance(left, ParameterExpression):
            return getattr(left, rng.choice(FUNCTIONS))()
    except (ZeroDivisionError, OverflowError):  # of two numbers
        return rng.choice([A, B, C])
    return -left


def check_angles(seed, count):
    """No two expressions with one key differ in value; returns how many keys there were."""
    rng = random.Random(seed)
    points = [(0.37, 0.81, 1.13), (1.7, -0.6, 0.29), (-0.9, 2.3, -1.4)]
    seen = {}
    for _ in range(count):
        angle = random_angle(rng, rng.choice([2, 2, 3]))
        if not isinstance(angle, ParameterExpression):
            continue
        found = []
        for point in points:
            bound = dict(zip((A, B, C), point, strict=True))
            try:
                value = angle.bind({p: bound[p] for p in angle.parameters}).numeric()
            except (ZeroDivisionError, RuntimeError):  # "Binding to NaN"
                value = np.nan
            found.append(complex(value))
        other, expected = seen.setdefault(circuit_digest(one_rotation(angle)), (angle, found))
        for value, before in zip(found, expected, strict=True):
            both = np.isfinite(value) and np.isfinite(before)
            close = not both or abs(value - before) <= 1e-9 * max(1.0, abs(before))
            assert close, f"{other} = {angle} (seed {seed})"
    return len(seen)


def one_rotation(angle):
    circuit = QuantumCircuit(1)
    circuit.rz(angle, 0)
    return circuit


def test_random_expressions_with_one_key_have_one_value():
    assert check_angles(1, 2500) > 800


@pytest.mark.slow
def test_many_random_expressions_with_one_key_have_one_value():
    assert sum(check_angles(seed, 20_000) for seed in range(2, 5)) > 25_000


def test_an_operator_is_the_same_in_all_of_its_forms():
    circuit = two_qubits(1)
    forms = [
        SparsePauliOp(["ZI", "XX"], [0.5, 0.25]), SparsePauliOp(["XX", "ZI"], [0.25, 0.5]),
        {"ZI": 0.5, "XX": 0.25},
    ]  # fmt: skip
    keys = {row_key(EstimatorPub.coerce((circuit, form, [0.1])), {}) for form in forms}
    assert len(keys) == 1


@pytest.mark.parametrize(("scale", "jobs"), [(1.0, 1), (1e6, 2)])
def test_rows_are_near_by_their_angles_and_not_by_their_parameters(scale, jobs, store):
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("x") * scale, 0)
    backend = recorded_backend(open_backend("aer", shots=1000, seed=1), store)
    for value in (0.0, 0.7e-6):
        found = backend.estimator().run([(circuit, "Z", [value])]).result()[0].data.evs
        np.testing.assert_allclose(found, np.cos(scale * value), atol=0.2)
    assert store.count_jobs() == jobs


def test_an_opaque_gate_has_no_key():
    circuit = QuantumCircuit(1)
    circuit.append(Gate("opaque", 1, []), [0])
    with pytest.raises(ValueError, match="no definition"):
        row_key(EstimatorPub.coerce((circuit, "Z")), {})
