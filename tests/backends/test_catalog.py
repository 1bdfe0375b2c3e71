"""Names and options that open backends, and those that are refused."""

import importlib.metadata

import pytest
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.backends import MITIGATIONS, Backend, catalog, list_backends, open_backend
from qvlm_qiskit.errors import (
    BackendError,
    InputError,
    MitigationError,
    NoiseModelError,
    UnknownNameError,
)


def test_the_list_names_what_can_be_opened():
    rows = {row.name: row for row in list_backends()}
    assert {"statevector", "aer", "aer-gpu", "fake_torino", "ibm:least_busy"} <= set(rows)
    assert rows["fake_torino"].qubits == rows["noisy:fake_torino"].qubits == 133
    assert rows["fake_manila"].kind == "local runtime"
    assert all(row.what for row in rows.values())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("statvector", "statevector"),
        ("fake_torinno", "fake_torino"),
        ("noisy:fake_torinno", "noisy:fake_torino"),
        ("noisy:", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, near):
    with pytest.raises(UnknownNameError, match="unknown backend") as caught:
        open_backend(name)
    assert near in str(caught.value)


def test_unknown_noise_families_are_refused():
    with pytest.raises(UnknownNameError, match="noise"):
        open_backend("noisy:bitflip(0.1)")
    with pytest.raises(NoiseModelError, match="probability"):
        open_backend("noisy:depolarizing(2)")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shots": 0}, "shots"),
        ({"shots": -5}, "shots"),
        ({"shots": 1.5}, "shots"),
        ({"shots": True}, "shots"),
        ({"precision": 0.0, "method": "aer"}, "method='aer' draws shots"),
        ({"precision": -0.1}, "precision"),
        ({"precision": float("nan")}, "precision"),
        ({"shots": 100, "precision": 0.1}, "not both"),
        ({"noise_scale": -1.0}, "noise_scale"),
        ({"noise_scale": float("inf")}, "noise_scale"),
        ({"optimization_level": 4}, "optimization_level"),
        ({"optimization_level": None}, "optimization_level"),
        ({"seed": -1}, "seed"),
        ({"device": "cpu", "method": "aer"}, "device="),
        ({"dtype": "complex64", "method": "aer"}, "dtype="),
        ({"dtype": "float16"}, "dtype"),
        ({"method": "magic"}, "method 'magic'"),
        ({"max_age_days": 0}, "max_age_days"),
    ],
)
def test_impossible_options_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        open_backend("noisy:fake_manila", **options)


@pytest.mark.parametrize("name", ["aer", "fake_manila", "ibm:least_busy", "statevector"])
def test_options_that_a_backend_does_not_take_are_named(name):
    with pytest.raises(InputError, match="noise_scale="):
        open_backend(name, noise_scale=0.5)


@pytest.mark.parametrize(
    ("name", "mitigation"),
    [
        ("noisy:fake_manila", "magic"),
        ("noisy:fake_manila", "resilience-1"),
        ("aer", "zne"),
        ("statevector", "readout"),
        ("ibm:least_busy", "pec"),
        ("noisy:fake_manila", "dd"),
    ],
)
def test_mitigation_that_is_not_offered_is_refused(name, mitigation):
    with pytest.raises(MitigationError, match=mitigation):
        open_backend(name, mitigation=mitigation)
    assert "resilience-1" in MITIGATIONS


def test_only_names_open_backends():
    with pytest.raises(InputError, match="by its name"):
        open_backend(3)  # type: ignore[arg-type]


class ThirdPartyPoint:
    name, value, group = "mine", "package:opener", catalog.ENTRY_POINT_GROUP

    def __init__(self, loaded):
        self.loaded = loaded

    def load(self):
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def test_third_parties_add_backends_by_entry_point(monkeypatch):
    def opener(name, options):
        return Backend(name, "exact", 7, options, StatevectorEstimator())

    installed = ThirdPartyPoint(opener)
    monkeypatch.setattr(catalog, "entry_points", lambda group: [installed])
    assert "mine" in {row.name for row in list_backends()}
    backend = open_backend("mine", seed=3)
    assert (backend.num_qubits, backend.options.seed) == (7, 3)
    assert importlib.metadata.entry_points(group=catalog.ENTRY_POINT_GROUP) is not None
    for broken in (ImportError("gone"), 5):
        installed.loaded = broken
        with pytest.raises(BackendError, match="'mine'"):
            open_backend("mine")


def test_a_name_is_registered_once():
    with pytest.raises(InputError, match="registered already"):
        catalog.register("aer", kind="exact", what="again")(lambda name, options: None)
