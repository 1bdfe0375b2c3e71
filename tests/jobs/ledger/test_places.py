"""Where rows run is written down once, for all workers."""

from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.places import LedgerPlaces


def test_the_first_place_of_a_row_stays(store):
    first, second = LedgerPlaces(store), LedgerPlaces(store)
    assert first.known(["a", "b"]) == {}
    assert first.keep({"b": (4, 2), "a": (0, 1)}) == {"a": (0, 1), "b": (4, 2)}
    assert second.keep({"a": (7, 8), "c": (9, 10)}) == {"a": (0, 1), "c": (9, 10)}
    assert second.known(["c", "a", "x"]) == {"a": (0, 1), "c": (9, 10)}


def test_places_are_there_for_the_next_process_and_in_any_number(store):
    many = {f"{i:064x}": (i, i + 1) for i in range(3000)}
    assert LedgerPlaces(store).keep(many) == many
    again = JobStore(store.folder)
    assert LedgerPlaces(again).known(many) == many
    again.close()
