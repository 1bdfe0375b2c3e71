"""What a machine, its options and the way of recording add to the keys of rows."""

import pytest
from qiskit_aer import AerSimulator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.jobs import Recording, recorded_backend
from qvlm_qiskit.jobs.recording import reopening
from qvlm_qiskit.noise_models import depolarizing
from tests.jobs.questions import two_qubits


def asked_keys(store, name, options, recording=None):
    """The keys that a backend asks the ledger for."""
    seen = []
    backend = recorded_backend(open_backend(name, **options), store, recording)
    find = store.find_rows

    class FoundError(Exception):
        pass

    def look(keys):
        seen.extend(keys)
        raise FoundError

    store.find_rows = look
    try:
        with pytest.raises(FoundError):
            backend.estimator().run([(two_qubits(1), ["ZI"], [0.3])])
    finally:
        store.find_rows = find
    return frozenset(seen)


PLAIN = {"shots": 100, "seed": 1}
OPTIONS = {
    "noisy:fake_manila": [
        PLAIN, {"shots": 101, "seed": 1}, {"shots": 100, "seed": 2}, {"shots": 100},
        {"precision": 0.2, "seed": 1}, {**PLAIN, "noise_scale": 2.0},
        {**PLAIN, "noise_scale": 1.0000000000000002}, {**PLAIN, "method": "aer"},
        {**PLAIN, "dtype": "complex64"}, {**PLAIN, "tiles": "auto", "tile_factor": 50},
        {**PLAIN, "tiles": "auto", "tile_factor": 50, "tile_spacing": 0},
    ],
    "fake_manila": [PLAIN, {"shots": 101, "seed": 1}, {"shots": 100, "seed": 2}, {"shots": 100}],
    "aer": [PLAIN, {"shots": 101, "seed": 1}, {"shots": 100, "seed": 2}, {"shots": 100}],
    "statevector": [{}, PLAIN, {"shots": 100, "seed": 2}, {"shots": 101}],
}  # fmt: skip


def test_every_option_of_a_machine_and_its_name_give_another_key(store):
    found = {}
    for name, choices in OPTIONS.items():
        for options in choices:
            keys = asked_keys(store, name, options)
            assert len(keys) == 1 and keys == asked_keys(store, name, options)
            assert found.setdefault(keys, (name, options)) == (name, options)
    for recording in (Recording(calibration="2026-11-20"), Recording(fresh="again")):
        keys = asked_keys(store, "noisy:fake_manila", PLAIN, recording)
        assert found.setdefault(keys, recording) is recording
    # What is no part of a raw answer is no part of its key.
    for recording in (Recording(run="r-1"), Recording(detach=True), Recording(mode="job")):
        keys = asked_keys(store, "noisy:fake_manila", PLAIN, recording)
        assert found[keys] == ("noisy:fake_manila", PLAIN)


def test_a_row_on_a_tile_has_the_key_of_its_place_whatever_rule_found_it(store):
    wide = {**PLAIN, "tiles": "auto", "tile_factor": 50}
    one = asked_keys(store, "noisy:fake_manila", {**PLAIN, "tiles": 1})
    assert asked_keys(store, "noisy:fake_manila", wide) == one


@pytest.mark.parametrize(
    "opened",
    [
        lambda: open_backend(noise_model=depolarizing(0.01), shots=100),
        lambda: open_backend(AerSimulator(), shots=100),
    ],
)
def test_what_no_name_opens_is_refused_where_a_ledger_would_open_it_again(opened, store):
    backend = opened()
    says = "was opened from an object.*save a noise with NoiseSpec.save and open noisy:FILE.json"
    with pytest.raises(InputError, match=says) as caught:
        recorded_backend(backend, store, Recording(detach=True))
    assert backend.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_name_opens_is_opened_with_the_same_options():
    backend = open_backend("noisy:fake_manila", shots=100, seed=3, noise_scale=2.0)
    again = open_backend(**reopening(backend))
    assert (again.name, again.options) == (backend.name, backend.options)
