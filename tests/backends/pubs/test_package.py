"""The pubs of a job as bytes: the same pubs come back, or an error."""

import io
import json
import random
import zipfile

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy, transpile
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate, XGate
from qiskit.circuit.random import random_circuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable, SparsePauliOp, random_unitary
from qiskit_ibm_runtime.fake_provider import FakeTorino

from qvlm_qiskit.backends.pubs.answer import PubAnswer
from qvlm_qiskit.backends.pubs.digest import pub_digest
from qvlm_qiskit.backends.pubs.package import INDEX, Package
from qvlm_qiskit.errors import CircuitError, LedgerError
from qvlm_qiskit.jobs.services.decode import apart
from qvlm_qiskit.quantum.encoding import AmplitudeEncoding

SHAPES = [
    ((), ()), ((3,), ()), ((), (3,)), ((2, 1), (3,)), ((2, 3), (2, 3)), ((0,), ()), ((1, 2), ()),
]  # fmt: skip
LETTERS = "IXYZ01+-rl"


def random_expression(rng, parameters, depth=3):
    """A real expression of up to eight parameters."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(parameters)
    left = random_expression(rng, parameters, depth - 1)
    kind = rng.randrange(7)
    if kind < 3:
        right = random_expression(rng, parameters, depth - 1)
        return (left + right, left - right, left * right)[kind]
    number = rng.choice([0.1 + 0.2, 1 / 3, np.pi, 2.0, 1e-9, -2.5])
    return (left * number, left + number, left / number, left.sin())[kind - 3]


def random_circuit_of(rng, num_qubits):
    """Standard, custom, controlled and numeric gates, barriers, delays and expressions."""
    circuit = random_circuit(num_qubits, 3, max_operands=2, seed=rng.randrange(2**31))
    if rng.random() < 0.2:
        return circuit
    circuit.barrier()
    names = rng.choice([("x", "y", "z"), ("θ[0]", "ϑ", "x + y"), ("a b", "t[10]", "t[2]")])
    parameters = [Parameter(name) for name in names]
    for qubit in range(num_qubits):
        circuit.rz(random_expression(rng, parameters), qubit)
    circuit.append(UnitaryGate(random_unitary(2, seed=rng.randrange(2**31))), [0])
    circuit.append(AmplitudeEncoding([rng.choice(parameters)]), [0])
    circuit.delay(rng.choice([100, 12]), 0)
    circuit.global_phase = rng.random()
    if num_qubits > 1:
        circuit.append(XGate().control(1, ctrl_state=rng.randrange(2)), [0, 1])
        inner = QuantumCircuit(2, name="block")
        inner.rzz(random_expression(rng, parameters), 0, 1)
        circuit.append(inner.to_gate(), [1, 0])
        circuit.append(PauliEvolutionGate(SparsePauliOp(["XX", "ZI"], [0.5, 0.25]), 0.3), [0, 1])
    return circuit


def random_pub(seed, circuit=None):
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    if circuit is None:
        circuit = random_circuit_of(rng, rng.randint(1, 3))
    observables = [
        {
            "".join(rng.choices(LETTERS, k=circuit.num_qubits)): rng.choice([1.0, -0.1, 1 / 3])
            for _ in range(rng.randint(1, 3))
        }
        for _ in range(6)
    ]
    values, shapes = rng.choice(SHAPES)
    count = int(np.prod(shapes))
    flat = ObservablesArray.coerce(observables[: max(count, 1)]).ravel()
    if circuit.num_parameters:
        data = numbers.normal(size=(*values, circuit.num_parameters))
        bindings = BindingsArray({tuple(circuit.parameters): data})
    else:
        bindings = BindingsArray({}, shape=values)
    precision = rng.choice([None, 0.1, 1 / 3])
    return EstimatorPub(circuit, flat.reshape(shapes), bindings, precision)


def assert_same(package, other):
    assert [pub_digest(pub) for pub in other.pubs] == [pub_digest(pub) for pub in package.pubs]
    for one, two in zip(package.pubs, other.pubs, strict=True):
        assert one.shape == two.shape and one.precision == two.precision
        assert one.parameter_values.shape == two.parameter_values.shape
        names = [parameter.name for parameter in one.circuit.parameters]
        assert [parameter.name for parameter in two.circuit.parameters] == names
        left, right = (p.parameter_values.as_array(names).tobytes() for p in (one, two))
        assert left == right
    assert other.about == package.about


def check_random_pubs(seeds):
    refused = 0
    for seed in seeds:
        package = Package((random_pub(seed), random_pub(seed + 1)), {"name": "x", "seed": seed})
        try:
            content = package.to_bytes()
        except CircuitError as ex:  # QPY has dropped a factor very near 1, or a very small term
            assert "differently" in str(ex)
            refused += 1
            continue
        assert_same(package, Package.from_bytes(content))
    assert refused <= 0.05 * len(seeds)


def test_random_pubs_come_back():
    check_random_pubs(range(0, 160, 2))


@pytest.mark.slow
def test_many_random_pubs_come_back():
    check_random_pubs(range(1000, 2200, 2))


@pytest.fixture(scope="module")
def isa_pub():
    """Expressions of parameters behind an encoding, on the qubits of a device with 133."""
    circuit = QuantumCircuit(3)
    angles = ParameterVector("t", 7)
    circuit.append(AmplitudeEncoding(list(angles)), range(3))
    x, y = Parameter("x"), Parameter("y")
    circuit.rzz((np.pi - x) * (np.pi - y) * 2, 0, 2)
    circuit.ry(-x + y / 3 + 4, 1)
    isa = transpile(circuit, FakeTorino(), optimization_level=2, seed_transpiler=1)
    observables = [[SparsePauliOp(label).apply_layout(isa.layout)] for label in ("ZII", "IXZ")]
    values = np.random.default_rng(1).normal(size=(4, 9))
    return EstimatorPub.coerce((isa, observables, values), 0.05)


def test_an_isa_circuit_comes_back_with_its_layout(isa_pub):
    package = Package((isa_pub, isa_pub))
    content = package.to_bytes()
    back = Package.from_bytes(content)
    assert_same(package, back)
    assert back.pubs[0].circuit.num_qubits == 133
    layout, expected = back.pubs[0].circuit.layout, isa_pub.circuit.layout
    assert layout.final_index_layout() == expected.final_index_layout()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # the circuit is in it once
        assert sorted(archive.namelist()) == sorted(
            [INDEX, "circuit-0.qpy", "values-0.npy", "values-1.npy"]
        )


def test_terms_without_weight_stay_terms():
    """Readout correction makes them; Qiskit's own check would leave them out."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    observable = SparseObservable.from_list([("ZZ", 0.0), ("XI", 0.5), ("XI", 0.25)])
    array = np.empty((1,), dtype=object)
    array[0] = observable
    observables = ObservablesArray(array, 2, validate=False)
    package = Package((EstimatorPub(circuit, observables, BindingsArray({}, shape=(1,)), 0.1),))
    back = Package.from_bytes(package.to_bytes())
    assert_same(package, back)
    (terms,) = back.pubs[0].observables.sparse_observables_array()
    assert len(terms) == 3


def test_a_package_that_was_read_is_written_again():
    first = Package(tuple(random_pub(n) for n in range(8)))
    again = Package.from_bytes(Package.from_bytes(first.to_bytes()).to_bytes())
    assert_same(first, again)


def read(content):
    """What a package says, or None where it can't be read."""
    try:
        return [pub_digest(pub) for pub in Package.from_bytes(content).pubs]
    except LedgerError:
        return None


@pytest.fixture(scope="module")
def written():
    package = Package((random_pub(11), random_pub(12)), {"name": "x"})
    return package.to_bytes(), [pub_digest(pub) for pub in package.pubs]


def check_damage(written, places):
    content, expected = written
    refused = 0
    for place in places:
        for bit in (1, 128):
            changed = bytearray(content)
            changed[place] ^= bit
            found = read(bytes(changed))
            assert found is None or found == expected, f"byte {place} of {len(content)}"
            refused += found is None
    assert refused > len(places)  # dates and the like may change: nothing depends on them


def test_changed_bytes_are_an_error_and_never_another_pub(written):
    size = len(written[0])
    check_damage(written, random.Random(1).sample(range(size), 60))
    check_damage(written, range(size - 80, size))


@pytest.mark.slow
def test_every_changed_byte_is_an_error_and_never_another_pub(written):
    check_damage(written, range(len(written[0])))


def test_a_package_that_was_cut_off_is_an_error(written):
    content, _ = written
    for length in [0, 1, 21, *range(100, len(content), 97), len(content) - 1]:
        assert read(content[:length]) is None
        assert read(content[length:]) is None or length == 0


def rewritten(content, change):
    """The archive with sound checksums and another index."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    index = json.loads(files[INDEX])
    change(index, files)
    files.setdefault(INDEX, b"")
    files[INDEX] = json.dumps(index).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in files.items():
            archive.writestr(name, value)
    return buffer.getvalue()


def swapped(index, files):
    files["values-0.npy"], files["values-1.npy"] = files["values-1.npy"], files["values-0.npy"]


def other_circuit(index, files):
    buffer = io.BytesIO()
    qpy.dump(random_pub(99).circuit, buffer)
    files["circuit-0.qpy"] = buffer.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda index, files: index.update(format=2),
        lambda index, files: index.pop("format"),
        lambda index, files: index["pubs"][0].update(precision=0.77),
        lambda index, files: index["pubs"][0].update(observables=[]),
        lambda index, files: index["pubs"][0]["observables"][0][0].__setitem__(2, 0.123),
        lambda index, files: index["pubs"].reverse(),
        lambda index, files: index.update(pubs={"0": 1}),
        lambda index, files: index["pubs"][0].update(num_qubits="two"),
        lambda index, files: files.pop("values-0.npy"),
        lambda index, files: files.update({"circuit-0.qpy": b"QISKIT"}),
        lambda index, files: files.update({"values-0.npy": b"\x93NUMPY"}),
        swapped,
        other_circuit,
    ],
)
def test_an_index_that_does_not_fit_is_an_error(change):
    pubs = (random_pub(11), random_pub(13))
    assert pubs[0].circuit.num_parameters and pubs[1].circuit.num_parameters
    content = Package(pubs).to_bytes()
    assert read(rewritten(content, lambda index, files: None)) is not None
    assert read(rewritten(content, change)) is None


def small():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("x").sin() * 1e-18, 0)  # read as 1e-18
    return circuit


def delay():
    circuit = QuantumCircuit(1)
    circuit.delay(100, 0, unit="ns")  # read as 100 dt
    return circuit


@pytest.mark.parametrize("make", [small, delay])
def test_what_qpy_would_read_differently_is_not_written(make):
    circuit = make()
    pub = EstimatorPub.coerce((circuit, "Z", np.zeros(circuit.num_parameters)))
    with pytest.raises(CircuitError, match="can't be stored"):
        Package((pub,)).to_bytes()


def test_what_has_no_content_to_store_is_not_written():
    circuit = QuantumCircuit(1)
    circuit.append(Gate("opaque", 1, []), [0])
    with pytest.raises(CircuitError):
        Package((EstimatorPub.coerce((circuit, "Z")),)).to_bytes()


def two_places():
    """The same question on two pairs of a device's qubits."""
    pubs = []
    for first in (0, 2):
        circuit = QuantumCircuit(4)
        circuit.ry(Parameter("a"), first)
        circuit.cx(first, first + 1)
        labels = ["IIII", "IIII"]
        for i in range(2):
            place = 3 - first - i
            labels[i] = labels[i][:place] + "Z" + labels[i][place + 1 :]
        values = np.arange(1.0, 4.0 - first / 2).reshape(-1, 1)
        pubs.append(EstimatorPub.coerce((circuit, [[label] for label in labels], values, 0.1)))
    return tuple(pubs)


def test_pubs_that_are_sent_as_one_are_answered_by_themselves():
    pubs = two_places()
    read = Package.from_bytes(Package(pubs, bundles=((0, 1),)).to_bytes())
    assert read.bundles == ((0, 1),)
    assert Package.from_bytes(Package(pubs).to_bytes()).bundles == ()
    (sent,) = read.sent.pubs
    assert sent.shape == (4, 3) and read.sent.bundles == ()
    evs = np.arange(12.0).reshape(4, 3)
    answers = apart(read, [PubAnswer(evs, evs / 10, {"shots": 100, "executions": 5})])
    np.testing.assert_array_equal(answers[0].evs, evs[:2])
    np.testing.assert_array_equal(answers[1].evs, evs[2:, :2])
    np.testing.assert_array_equal(answers[1].stds, evs[2:, :2] / 10)
    assert sum(answer.metadata["executions"] for answer in answers) == 5
    assert apart(Package(pubs), answers) == answers


@pytest.mark.parametrize("bundles", [[[0]], [[0, 1], [1]], [[0, 2]], [[0, -1]]])
def test_bundles_of_other_pubs_are_refused(bundles):
    content = Package(two_places(), bundles=((0, 1),)).to_bytes()
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == INDEX:
                data = json.dumps({**json.loads(data), "bundles": bundles}).encode()
            new.writestr(name, data)
    with pytest.raises(LedgerError, match="bundles"):
        Package.from_bytes(made.getvalue())
