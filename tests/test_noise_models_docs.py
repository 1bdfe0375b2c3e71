"""docs/noise-models.md: its formulas are the code's matrices, its tables the file's classes."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import PTM, Kraus

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.basics.pauli_transfer import unitary_ptm
from qvlm_qiskit.noise_models import (
    KINDS,
    ChannelNoise,
    GateNoise,
    NoiseSpec,
    QubitNoise,
    build,
    kinds_of,
    parse_parametric,
    read_noise_model,
    scaled,
)
from qvlm_qiskit.noise_models.channels.matrices import (
    depolarisation,
    depolarizing_ptm,
    device_ptm,
    lindblad_ptm,
    over_rotation_unitary,
    relaxation_ptm,
    source_ptm,
    tensor,
)
from qvlm_qiskit.noise_models.description.channel_matrix import as_rows, scaled_rows
from qvlm_qiskit.noise_models.description.entries import Snapshot
from qvlm_qiskit.noise_models.description.sources import (
    GATE_SOURCES,
    AmplitudeDamping,
    PhaseDamping,
)
from qvlm_qiskit.noise_models.description.sources import (
    KINDS as SOURCES,
)
from qvlm_qiskit.noise_models.description.spec import READABLE

PAGE = (Path(__file__).parents[1] / "docs" / "noise-models.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.S | re.M)


@pytest.fixture(scope="module")
def formulas():
    """The page's own functions."""
    space = {}
    for block in blocks("python"):
        exec(block, space)
    return space


@pytest.fixture(scope="module")
def example():
    (text,) = blocks("json")
    return json.loads(text)


def table(*head):
    """The rows of the table that begins with these titles."""
    begin = "| " + " | ".join(head)
    lines = PAGE[PAGE.index(begin) :].split("\n\n")[0].splitlines()[2:]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[cell.strip() for cell in row] for row in rows]


def of(kraus):
    return PTM(Kraus(kraus)).data.real


def close(one, other):
    np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.07, 1.0, 4 / 3])
def test_depolarizing(formulas, p):
    close(of(formulas["depolarizing"](p, 1)), depolarizing_ptm(p, 1))
    if p <= 16 / 15:
        close(of(formulas["depolarizing"](p, 2)), depolarizing_ptm(p, 2))


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_damping(formulas, probability):
    for make, name in ((AmplitudeDamping, "amplitude_damping"), (PhaseDamping, "phase_damping")):
        single = of(formulas[name](probability))
        close(single, source_ptm(make(("sx",), probability), "sx", 1))
        close(tensor(single, single), source_ptm(make(("cz",), probability), "cz", 2))


@pytest.mark.parametrize("times", [(100.0, 80.0), (100.0, 200.0), (50.0, None), (None, 70.0)])
def test_thermal_relaxation(formulas, times):
    close(formulas["thermal_relaxation"](500.0, *times), relaxation_ptm(500.0, *times))
    if None not in times:
        decay, dephasing = formulas["thermal_relaxation_kraus"](500.0, *times)
        close(of(dephasing) @ of(decay), relaxation_ptm(500.0, *times))
    spec = parse_parametric("thermal(t1_us=100,t2_us=80,time_1q_ns=500)")
    close(
        dict(ChannelNoise(spec).after("sx", (0,), (0,), 1))[0,],
        formulas["thermal_relaxation"](500.0, 100.0, 80.0),
    )


@pytest.mark.parametrize("gate", ["x", "y", "sx", "sxdg", "cz", "cx", "ecr"])
def test_over_rotation(formulas, gate):
    close(formulas["over_rotation"](gate, 0.13), over_rotation_unitary(gate, 0.13))
    assert gate in table("channel")[4][3]


def test_crosstalk(formulas):
    noise = ChannelNoise(parse_parametric("zz(0.3)"))
    found = dict(noise.after("cz", (1, 2), {0, 1, 2}, 4))
    assert list(found) == [(1, 0), (2,)]
    close(found[1, 0], unitary_ptm(formulas["crosstalk"](0.3)))
    close(found[2,], unitary_ptm(formulas["crosstalk"](0.3, False)))


@pytest.mark.parametrize("rates", [[("X", 0.1), ("Z", 0.3)], [("XZ", 0.2), ("IY", 0.1)]])
def test_pauli_lindblad(formulas, rates):
    width = len(rates[0][0])
    whole = np.eye(4**width)
    for probability, flip in formulas["pauli_lindblad"](rates):
        step = [np.sqrt(1 - probability) * np.eye(2**width), np.sqrt(probability) * flip]
        whole = of(step) @ whole
    close(whole, lindblad_ptm(rates, width))


def test_readout(formulas):
    spec = NoiseSpec("r", ("rz", "sx", "x"), (QubitNoise(None, None, 0.1, 0.3),))
    more = parse_parametric("readout(0.02,0.05)")
    together = dataclasses.replace(spec, sources=more.sources)
    close(ChannelNoise(spec).measurement(0, "Z"), formulas["measured_z"](0.1, 0.3))
    whole = formulas["confusion"](0.02, 0.05) @ formulas["confusion"](0.1, 0.3)
    close(
        ChannelNoise(together).measurement(0, "Z"), formulas["measured_z"](whole[1, 0], whole[0, 1])
    )
    probabilities = build(together)._local_readout_errors[0,].probabilities
    close(probabilities, whole.T)


@pytest.mark.parametrize("error", [0.0, 1e-5, 0.02, 0.5, 0.99])
def test_a_calibrated_gate(formulas, error):
    for width, duration in ((1, 300.0), (2, 700.0)):
        qubits = [QubitNoise(100.0, 80.0), QubitNoise(60.0, 90.0)][:width]
        gate = GateNoise("g", tuple(range(width)), width, error, duration)
        relaxation = tensor(
            *(formulas["thermal_relaxation"](duration, q.t1_us, q.t2_us) for q in qubits)
        )
        p = formulas["depolarization_of"](error, relaxation, width)
        assert p == pytest.approx(depolarisation(gate, qubits), abs=1e-12)
        close(device_ptm(gate, qubits), relaxation @ of(formulas["depolarizing"](p, width)))
        if 0.02 <= error <= 0.5:
            dim = 2**width
            lost = 1 - (np.trace(device_ptm(gate, qubits)) / dim + 1) / (dim + 1)
            assert lost == pytest.approx(error)


def test_what_follows_a_gate_comes_in_the_order_that_is_said(formulas, example):
    spec = NoiseSpec.from_dict(example)
    noise = ChannelNoise(spec)
    own = spec.gates[3]
    steps = [device_ptm(own, spec.qubits), lindblad_ptm(own.rates, 2)]
    steps += [source_ptm(one, "cz", 2) for one in spec.sources
              if isinstance(one, GATE_SOURCES) and "cz" in one.gates]  # fmt: skip
    whole = np.eye(16)
    for step in steps:
        whole = step @ whole
    ((operands, found),) = noise.after("cz", (1, 0), {0, 1}, 2)
    assert operands == (1, 0)
    close(found, whole)
    x = spec.gates[1]
    behind = [np.array(x.channel), *(source_ptm(s, "x", 1) for s in spec.sources
              if isinstance(s, GATE_SOURCES) and "x" in s.gates)]  # fmt: skip
    whole = depolarizing_ptm(2 * x.error, 1)
    for step in behind:
        whole = step @ whole
    close(dict(noise.after("x", (1,), {0, 1}, 2))[1,], whole)


@pytest.mark.parametrize("f", [0.0, 0.4, 1.0, 2.7])
def test_strength(formulas, f):
    matrix = np.array(relaxation_ptm(3000.0, 100.0, 80.0)) @ depolarizing_ptm(0.1, 1)
    close(scaled_rows(as_rows(matrix), f), formulas["own_channel"](matrix, f))


def test_strength_multiplies_the_numbers_that_the_table_says(example):
    one, other = NoiseSpec.from_dict(example), scaled(NoiseSpec.from_dict(example), 2.0)
    assert len(table("number", "becomes")) == 9
    for before, after in zip(one.gates, other.gates, strict=True):
        assert after.error == pytest.approx(2 * before.error)
        assert after.duration_ns == before.duration_ns
        assert dict(after.rates) == pytest.approx({p: 2 * r for p, r in before.rates})
    for before, after in zip(one.qubits, other.qubits, strict=True):
        assert after.t1_us == pytest.approx(before.t1_us / 2)
        assert after.p_meas0_prep1 == pytest.approx(2 * before.p_meas0_prep1)
    for before, after in zip(one.sources, other.sources, strict=True):
        for name in ("probability", "fraction", "angle_rad", "p_meas1_prep0"):
            if hasattr(before, name):
                assert getattr(after, name) == pytest.approx(2 * getattr(before, name))
        if hasattr(before, "t1_us"):
            assert (after.t1_us, after.duration_ns) == (before.t1_us / 2, before.duration_ns)


def test_every_kind_of_error_is_there(example):
    assert [row[0].strip("`") for row in table("kind", "what is of it")] == list(KINDS)
    assert kinds_of(NoiseSpec.from_dict(example)) == KINDS


def names(rows):
    return {row[0].strip("`"): row for row in rows}


@pytest.mark.parametrize(
    ("cls", "head"),
    [
        (QubitNoise, "`t1_us`"),
        (GateNoise, "`name` | – | – | its name in Qiskit"),
        (Snapshot, "`device`"),
        (NoiseSpec, "`format`"),
    ],
)
def test_the_files_fields_are_those_of_the_classes(cls, head):
    """Names, defaults, and units where a name says one."""
    place = PAGE.index(f"| {head}")
    start = PAGE.rindex("\n\n", 0, place)
    lines = PAGE[start:].strip().split("\n\n")[0].splitlines()[2:]
    rows = names([[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines])
    fields = {field.name: field for field in dataclasses.fields(cls)}
    extra = {"format", "version"} if cls is NoiseSpec else set()
    assert set(rows) == set(fields) | extra
    for name, field in fields.items():
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        shown = "–" if default is dataclasses.MISSING else json.dumps(default)
        if cls is NoiseSpec and name in ("qubits", "gates"):
            shown = "–"  # a file has them, empty or not
        assert rows[name][2] == shown, name
        for end, unit in (("_us", "µs"), ("_ns", "ns")):
            assert not name.endswith(end) or unit in rows[name]


def test_a_field_without_a_default_is_asked_for(example):
    rows = names(table("field", "type", "default"))
    for name, row in rows.items():
        if row[2] == "–" and name not in ("format", "version"):
            with pytest.raises(ValueError, match="incomplete"):
                NoiseSpec.from_dict({k: v for k, v in example.items() if k != name})
        elif row[2] != "–":
            NoiseSpec.from_dict({k: v for k, v in example.items() if k != name})
    assert "Versions 1 to 4" in PAGE and READABLE == (1, 2, 3, 4)


def test_the_sources_and_their_units_are_those_of_the_classes():
    rows = names(table("kind", "fields"))
    assert set(rows) == set(SOURCES)
    for kind, cls in SOURCES.items():
        text = rows[kind][1]
        assert re.findall(r"`(\w+)`", text) == [field.name for field in dataclasses.fields(cls)]
        for name, unit in cls.units.items():
            assert not unit or re.search(rf"`{name}` \({unit}", text), (kind, name)


def test_the_example_is_a_description_with_every_field(example, tmp_path):
    (tmp_path / "noise.json").write_text(json.dumps(example))
    spec = NoiseSpec.load(tmp_path / "noise.json")
    assert NoiseSpec.from_dict(spec.to_dict()) == spec
    for cls, entries in ((QubitNoise, example["qubits"]), (GateNoise, example["gates"])):
        named = {name for entry in entries for name in entry}
        assert named == {field.name for field in dataclasses.fields(cls)}
    assert {source["kind"] for source in example["sources"]} == set(SOURCES)
    assert set(example) == {"format", "version"} | {f.name for f in dataclasses.fields(NoiseSpec)}
    assert set(example["snapshot"]) == {field.name for field in dataclasses.fields(Snapshot)}
    circuit = QuantumCircuit(2)
    circuit.rx(0.3, 0)
    circuit.cz(0, 1)
    found = open_backend(noise_model=spec, precision=0).estimator()
    free = open_backend(noise_model=spec, precision=0, noise_scale=0).estimator()
    values = [one.run([(circuit, "ZZ")]).result()[0].data.evs for one in (found, free)]
    assert 0.01 < abs(values[0] - values[1]) < 0.2


def test_what_the_page_says_of_reading_is_what_happens():
    """A read model has no more kinds than gates and readout."""
    spec = read_noise_model(build(parse_parametric("thermal(t1_us=50,t2_us=40)+readout(0.1)")))
    assert kinds_of(spec) == ("readout", "one-qubit", "two-qubit")
