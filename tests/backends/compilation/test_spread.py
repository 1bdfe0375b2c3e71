"""Rows on tiles: which goes where, and that values are those of the tile."""

import numpy as np
import pytest
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.compilation.row_places import ProcessMemory, divided
from qvlm_qiskit.backends.compilation.spread import CELL, Spread
from qvlm_qiskit.backends.compilation.tile_rule import TileRule
from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.backends.pubs.work import Call
from tests.backends.layered import layered


def hexadecimal(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.bytes(32).hex() for _ in range(count)]


@pytest.mark.parametrize(("rows", "tiles"), [(1, 9), (9, 9), (10, 9), (30, 26), (200, 9), (7, 1)])
def test_no_tile_has_more_than_its_share_and_the_best_are_used(rows, tiles):
    keys = hexadecimal(rows)
    found = divided(keys, tiles)
    loads = np.bincount(list(found.values()), minlength=tiles)
    most = -(-rows // tiles)
    assert loads.max() == most
    assert (loads > 0).sum() <= -(-rows // most)
    assert not loads[-(-rows // most) :].any()
    assert divided(keys[::-1], tiles) == found
    assert divided([], tiles) == {}


def isa_pub(rows, seed=0, shape=None):
    backend = open_backend("noisy:fake_kingston", shots=100, seed=1)
    circuit = layered()
    compiled = backend.compile(circuit, [["ZII"], ["IZI"], ["IXX"]])
    values = np.random.default_rng(seed).uniform(-3, 3, (rows, circuit.num_parameters))
    return EstimatorPub.coerce((compiled.circuit, compiled.observables, values, 0.1))


def spread_on(device, tiles=6, **rule):
    return Spread(device, fake_device("fake_kingston").target, TileRule(tiles, **rule))


def test_without_noise_tiles_change_no_value(exact_device, exact):
    device = exact_device(None)
    pub = isa_pub(20)
    result = spread_on(device).run([pub]).result()[0]
    alone = exact_device(None).run([pub]).result()[0]
    np.testing.assert_allclose(result.data.evs, alone.data.evs, atol=1e-9)
    ran = device.jobs_run[0]
    places = [active_qubits(one.circuit, one.observables) for one in ran]
    assert len(set(places)) == 5  # ⌈20/6⌉ = 4 rows on each of the best five
    assert [one.parameter_values.size for one in ran] == [4] * 5
    assert sorted(tuple(sorted(t["qubits"])) for t in result.metadata["tiles"]) == sorted(places)


def test_a_row_keeps_its_tile_in_whatever_call_it_comes(exact_device):
    device = exact_device(None)
    spread = spread_on(device)
    pub = isa_pub(12)
    values = pub.parameter_values.as_array(pub.circuit.parameters)

    def places(rows):
        device.jobs_run.clear()
        own = EstimatorPub.coerce((pub.circuit, pub.observables, rows, 0.1))
        spread.run([own]).result()
        found = {}
        for one in device.jobs_run[0]:
            for row in one.parameter_values.as_array(one.circuit.parameters):
                distances = np.abs(values - row).max(axis=1)
                if distances.min() < 1e-9:
                    place = active_qubits(one.circuit, one.observables)
                    found[int(distances.argmin())] = place
        return found

    first = places(values)
    assert places(values[::-1]) == first
    assert places(values[3:7] + 1e-12) == {row: first[row] for row in range(3, 7)}
    more = isa_pub(12, seed=9).parameter_values.as_array(pub.circuit.parameters)
    both = places(np.concatenate([more, values]))
    assert both == first


def test_rows_in_one_cell_share_a_tile():
    pub = isa_pub(1)
    spread = spread_on(None)
    near = pub.parameter_values.as_array(pub.circuit.parameters)
    near = np.round(near / CELL) * CELL
    both = EstimatorPub.coerce(
        (pub.circuit, pub.observables, np.concatenate([near, near + CELL / 3]), 0.1)
    )
    pieces = spread._pieces([both], ProcessMemory())
    assert len(pieces) == 1


def test_planning_gives_the_calls_of_the_run_and_notes_nothing(exact_device):
    device = exact_device(None)
    spread = spread_on(device)
    pub, other = isa_pub(9), isa_pub(4, seed=3)
    planned = list(spread.plan([Call((pub,), "a"), Call((pub, other), "b")]))
    assert not spread.memory.known(list(_all_keys(spread, pub)))
    spread.run([pub]).result()
    spread.run([pub, other]).result()
    for call, ran in zip(planned, device.jobs_run, strict=True):
        assert [p.circuit for p in call.pubs] == [p.circuit for p in ran]
        for mine, theirs in zip(call.pubs, ran, strict=True):
            np.testing.assert_array_equal(
                mine.parameter_values.as_array(), theirs.parameter_values.as_array()
            )
    assert [call.block for call in planned] == ["a", "b"]


def _all_keys(spread, pub):
    from qvlm_qiskit.backends.compilation.spread import _keys

    return _keys(pub, spread.tiling(pub))


@pytest.mark.parametrize("shapes", [((4, 1), (1, 3)), ((3,), (3,)), ((2, 3), (3,))])
def test_pubs_of_any_shape_are_spread(shapes, exact_device):
    pub = isa_pub(1)
    rows, observables = shapes
    values = np.random.default_rng(2).uniform(-3, 3, (*rows, pub.circuit.num_parameters))
    asked = pub.observables.ravel().reshape(observables)
    own = EstimatorPub.coerce((pub.circuit, asked, values, 0.1))
    found = spread_on(exact_device(None)).run([own]).result()[0].data.evs
    expected = exact_device(None).run([own]).result()[0].data.evs
    np.testing.assert_allclose(found, expected, atol=1e-9)
