"""Tiles on noisy machines: counts, values and errors against the same rows one at a time."""

from dataclasses import replace

import numpy as np
import pytest
from qiskit.circuit.library import efficient_su2
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.compilation.spread import Piece
from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.pubs.strands import strands
from qvlm_qiskit.errors import CapacityError, InputError
from qvlm_qiskit.noise_models import restricted, snapshot
from tests.backends.layered import layered

ROWS = 24
OBSERVABLES = [["ZII"], ["IZI"], ["IXX"]]


CIRCUIT = layered()
VALUES = np.random.default_rng(0).uniform(-3, 3, (ROWS, CIRCUIT.num_parameters))


def ran(backend, values=VALUES):
    return backend.estimator().run([(CIRCUIT, OBSERVABLES, values)]).result()[0]


def spent(metadata):
    return metadata["executions"] + (metadata.get("calibration_executions") or 0)


@pytest.mark.parametrize(
    ("mitigation", "saved"),
    [
        ("none", 1 / 6),
        ("readout", 1 / 3),
        ("readout+zne", 1 / 3),
        ("readout+cdr", 1 / 1.5),
        ("pec(samples=20)", 1 / 1.1),
    ],
)
def test_what_is_planned_is_what_is_run_and_far_less_than_without_tiles(mitigation, saved):
    options = {"shots": 3000, "seed": 3, "mitigation": mitigation}
    alone = open_backend("noisy:fake_kingston", **options)
    tiled = open_backend("noisy:fake_kingston", tiles=8, **options)
    subject = {"c": (CIRCUIT, OBSERVABLES)}
    planned = tiled.preflight(subject, ROWS, mitigations=[mitigation]).levels[0]
    before = alone.preflight(subject, ROWS, mitigations=[mitigation]).levels[0]
    result = ran(tiled)
    assert spent(result.metadata) == planned.executions <= saved * before.executions
    assert planned.jobs == before.jobs
    assert planned.seconds_qpu < before.seconds_qpu
    assert len(result.metadata["tiles"]) == 8
    exact = open_backend("statevector").estimator().run([(CIRCUIT, OBSERVABLES, VALUES)])
    rms = np.sqrt(np.mean((result.data.evs - exact.result()[0].data.evs) ** 2))
    assert rms < 0.06


def test_each_value_is_that_of_its_tile_within_its_stated_error():
    """Against exact values under noise of the circuit on the very same qubits."""
    tiled = open_backend("noisy:fake_kingston", shots=2000, seed=5, tiles="auto", tile_factor=3)
    found = ran(tiled)
    spread = tiled.estimator().inner
    exact = open_backend("noisy:fake_kingston", precision=0).device
    compiled = tiled.compile(CIRCUIT, OBSERVABLES)
    pub = EstimatorPub.coerce((compiled.circuit, compiled.observables, VALUES, 0.1))
    pieces = spread._pieces([pub], spread.memory)
    assert len(pieces) > 8
    pulls = []
    for piece, own in zip(pieces, spread._pubs([pub], pieces), strict=True):
        truth = exact.run([(own.circuit, own.observables, own.parameter_values, 0)]).result()[0]
        got, stds = (x[:, piece.strand.rows] for x in (found.data.evs, found.data.stds))
        pulls.append(((got - truth.data.evs) / stds).ravel())
    chi_square = np.concatenate(pulls) ** 2
    assert chi_square.mean() == pytest.approx(1.0, abs=5 * np.sqrt(2 / chi_square.size))


@pytest.mark.parametrize("rows", [5, 13, 20])
def test_what_a_number_of_rows_costs_with_pec_is_known_before_the_rows_are(rows):
    """Tiles need different numbers of shots then, so it matters which of them has a row more."""
    options = {"shots": 3000, "mitigation": "pec(samples=6)", "tiles": 4}
    tiled = open_backend("noisy:fake_torino", seed=3, **options)
    subject = {"c": (CIRCUIT, OBSERVABLES)}
    planned = tiled.preflight(subject, rows, mitigations=[options["mitigation"]]).levels[0]
    assert len({work.shots for work in planned.work}) > 4
    assert spent(ran(tiled, VALUES[:rows]).metadata) == planned.executions


def test_auto_chooses_once_for_all_tiles_and_within_its_plan():
    """Calibration circuits lie on tiles as rows do, and run side by side."""
    name = "auto(circuits=6,techniques=none,readout,readout+zne)"
    tiled = open_backend("noisy:fake_kingston", shots=1000, seed=3, mitigation=name, tiles=6)
    subject = {"c": (CIRCUIT, OBSERVABLES)}
    planned = tiled.preflight(subject, ROWS, mitigations=[name]).levels[0]
    assert planned.refused is None and planned.at_most
    result = ran(tiled)
    (choice,) = tiled.describe()["choices"]
    costs = {trial["mitigation"]: trial["executions"] for trial in choice["trials"]}
    bases = 2  # six circuits on six tiles cost what one costs; readout is learned once
    assert (costs["none"], costs["readout+zne"]) == (bases * 1000, 3 * bases * 1000)
    assert result.metadata["auto"]["mitigation"] == choice["mitigation"]
    assert len(result.metadata["tiles"]) == 6
    assert spent(result.metadata) <= planned.executions
    again = ran(tiled, VALUES[:3])
    assert (
        not again.metadata.get("calibration_executions") and len(tiled.describe()["choices"]) == 1
    )
    exact = open_backend("statevector").estimator().run([(CIRCUIT, OBSERVABLES, VALUES)])
    assert np.sqrt(np.mean((result.data.evs - exact.result()[0].data.evs) ** 2)) < 0.08


def true_values(tiled, values=VALUES):
    """(tiles, observables, rows) exact values under noise of all rows on each tile."""
    spread = tiled.estimator().inner
    exact = open_backend("noisy:fake_torino", precision=0).device
    compiled = tiled.compile(CIRCUIT, OBSERVABLES)
    pub = EstimatorPub.coerce((compiled.circuit, compiled.observables, values, 0.1))
    places = [tile.qubits for tile in spread.tiling(pub).tiles]
    (strand,) = strands(pub)
    all_rows = [Piece(0, place, strand, len(values)) for place in places]
    asked = [
        (one.circuit, one.observables, one.parameter_values, 0)
        for one in spread._pubs([pub], all_rows)
    ]
    return np.stack([answer.data.evs for answer in exact.run(asked).result()])


def test_repeated_rows_bring_what_differs_between_tiles_into_the_stated_errors():
    """Against the mean over the tiles; without repeats the stated errors are far too small."""
    options = {"shots": 20_000, "seed": 5, "tiles": 6}
    subject = {"c": (CIRCUIT, OBSERVABLES)}
    found, costs = {}, {}
    for repeats in (0, 6):
        tiled = open_backend("noisy:fake_torino", tile_repeats=repeats, **options)
        result = ran(tiled)
        planned = tiled.preflight(subject, ROWS, mitigations=["none"])
        costs[repeats] = planned.levels[0].executions
        assert spent(result.metadata) == costs[repeats]
        assert any("6 rows of every call" in n for n in planned.notes()) == bool(repeats)
        pulls = (result.data.evs - true_values(tiled).mean(axis=0)) / result.data.stds
        found[repeats] = float(np.mean(pulls**2))
        assert sum(tile["rows"] for tile in result.metadata["tiles"]) == ROWS
        assert ("between_tiles" in result.metadata) == bool(repeats)
    assert costs[0] < costs[6] <= costs[0] + 6 * 20_000 * 2
    assert found[0] > 3
    assert 0.5 < found[6] < 1.6


def test_equal_runs_are_equal_to_the_bit_and_later_calls_find_what_was_run():
    first, second = (
        open_backend("noisy:fake_torino", shots=500, seed=7, tiles=5) for _ in range(2)
    )
    np.testing.assert_array_equal(ran(first).data.evs, ran(second).data.evs)


@pytest.mark.slow
def test_tiles_that_touch_under_crosstalk_are_simulated_together_or_refused():
    name = "noisy:fake_kingston+zz(0.02)"
    circuit, observable = layered(2), [["ZI"], ["IZ"]]
    values = np.random.default_rng(1).uniform(-3, 3, (8, circuit.num_parameters))
    pub = (circuit, observable, values)
    apart = open_backend(name, shots=400, seed=2, tiles=4)
    result = apart.estimator().run([pub]).result()[0]
    assert result.metadata["simulated_parts"] == 4
    touching = open_backend(name, shots=100, seed=2, tiles=20, tile_spacing=0)
    more = np.random.default_rng(1).uniform(-3, 3, (20, circuit.num_parameters))
    beside = touching.estimator().run([(circuit, observable, more)]).result()[0]
    assert len(beside.metadata["tiles"]) == 20 > beside.metadata["simulated_parts"]
    crowd = open_backend(name, shots=400, seed=2, tiles=56, tile_spacing=0)
    refused = (
        crowd.preflight({"c": (circuit, observable)}, 56, mitigations=["none"]).levels[0].refused
    )
    assert "qubits; the sampling simulator takes at most" in refused
    many = np.random.default_rng(1).uniform(-3, 3, (56, circuit.num_parameters))
    with pytest.raises(CapacityError, match="at most"):
        crowd.estimator().run([(circuit, observable, many)])


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """Seven qubits in a ring, all alike, so that a circuit has the same noise wherever it is."""
    spec = restricted(snapshot(fake_device("fake_kingston")), range(20, 27))
    like = {(gate.name, gate.width): gate for gate in spec.gates}
    couplers = [pair for q in range(7) for pair in ((q, (q + 1) % 7), ((q + 1) % 7, q))]
    places = {1: [(q,) for q in range(7)], 2: couplers}
    gates = [replace(gate, qubits=own) for gate in like.values() for own in places[gate.width]]
    place = tmp_path_factory.mktemp("noise") / "ring.json"
    replace(spec, gates=tuple(gates), qubits=(spec.qubits[0],) * 7).save(place)
    return place


def pulls(backend, alone, rows=32):
    """Distances of a chain's values from those on their tiles alone, in stated errors."""
    circuit, observables = efficient_su2(2, reps=6), [["ZI"], ["IZ"]]
    values = np.random.default_rng(0).uniform(-3, 3, (rows, circuit.num_parameters))
    got = backend.estimator().run([(circuit, observables, values)]).result()[0]
    truth = alone.estimator().run([(circuit, observables, values)]).result()[0]
    return got.metadata, (got.data.evs - truth.data.evs) / got.data.stds


def test_tiles_that_touch_fail_under_crosstalk_and_auto_keeps_them_apart(ring):
    noise = f"noisy:{ring}+zz(0.02)"
    alone = open_backend(noise, precision=0)
    options = {"shots": 20_000, "seed": 5, "tile_spacing": 0}
    apart, far = pulls(open_backend(noise, tiles="auto", **options), alone)
    assert len(apart["tiles"]) == 2
    assert (far**2).mean() == pytest.approx(1.0, abs=5 * np.sqrt(2 / far.size))
    _, near = pulls(open_backend(noise, tiles=2, **options), alone)
    assert (near**2).mean() > 3  # one standard error is 0.18
    noise = f"noisy:{ring}"
    quiet = pulls(open_backend(noise, tiles=2, **options), open_backend(noise, precision=0))[1]
    assert (quiet**2).mean() == pytest.approx(1.0, abs=5 * np.sqrt(2 / far.size))


def test_a_note_says_that_tiles_are_kept_apart_and_a_preflight_that_they_touch(ring):
    noise = f"noisy:{ring}+zz(0.1)"
    subject = {"c": (efficient_su2(2, reps=1), [["ZI"]])}
    for options, notes in (
        ({"tiles": "auto", "tile_spacing": 0}, 1),
        ({"tiles": "auto"}, 0),
        ({"tiles": 2, "tile_spacing": 0}, 0),
        ({"tiles": "auto", "tile_spacing": 0, "noise_scale": 0}, 0),
    ):
        backend = open_backend(noise, shots=100, **options)
        assert len(backend.notes) == notes, options
        touch = any(
            "tiles touch" in said
            for said in backend.preflight(subject, 4, mitigations=["none"]).notes()
        )
        assert touch == (options == {"tiles": 2, "tile_spacing": 0}), options
    quiet = open_backend(f"noisy:{ring}", shots=100, tiles=2, tile_spacing=0)
    assert not any(
        "touch" in said for said in quiet.preflight(subject, 4, mitigations=["none"]).notes()
    )


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("noisy:fake_manila", {"tiles": 4}, InputError, "4 were asked for"),
        ("noisy:fake_kingston", {"tiles": "auto", "tile_spacing": 90}, InputError, "spacing of 90"),
    ],
)
def test_tiles_that_do_not_fit_are_refused_before_anything_runs(name, options, error, said):
    backend = open_backend(name, shots=100, **options)
    assert said in str(backend.preflight({"c": (CIRCUIT, OBSERVABLES)}, 4).levels[0].refused)
    with pytest.raises(error, match=said):
        ran(backend)


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("noisy:fake_kingston", {"tiles": 0}, InputError, "tiles is 0"),
        ("noisy:fake_kingston", {"tiles": "auto", "precision": 0}, InputError, "executions"),
        (
            "noisy:fake_kingston",
            {"tile_spacing": 2},
            InputError,
            "tile_spacing= and tile_repeats= are",
        ),
        ("noisy:fake_kingston", {"tiles": 3, "tile_factor": 1.5}, InputError, "tile_factor= is"),
        ("noisy:fake_kingston", {"tile_repeats": 2}, InputError, "tile_repeats= are for"),
        ("noisy:fake_kingston", {"tiles": 3, "tile_repeats": 0.5}, InputError, "tile_repeats is"),
        ("noisy:depolarizing(0.01)", {"tiles": 3}, InputError, "no couplers"),
        ("statevector", {"tiles": 3}, InputError, "takes no option tiles="),
        ("aer", {"tiles": "auto"}, InputError, "takes no option tiles="),
    ],
)
def test_tiles_that_mean_nothing_are_refused_when_a_backend_is_opened(name, options, error, said):
    with pytest.raises(error, match=said):
        open_backend(name, **options)


def test_a_description_says_which_tiles_there_are():
    backend = open_backend("noisy:fake_torino", shots=100, seed=1, tiles=3)
    assert backend.describe()["tiles"]["count"] == 3
    ran(backend)
    (circuit,) = backend.describe()["tiles"]["circuits"]
    assert [len(tile["qubits"]) for tile in circuit["tiles"]] == [3, 3, 3]
    assert "tiles" not in open_backend("noisy:fake_torino").describe()
