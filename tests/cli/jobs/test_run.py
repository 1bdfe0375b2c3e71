import pytest

from qvlm_qiskit.cli.jobs.run import load
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.runs import list_runs, new_run


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "ledger")
    yield made
    made.close()


def test_a_run_is_found_by_its_id_and_by_the_beginning_of_it(store):
    first, second = new_run(store, {"number": 1}), new_run(store, {"number": 2})
    for run in (first, second):
        assert load(store, run.id) == run
        assert load(store, run.id[:-1]) == run


def test_last_is_the_run_that_was_begun_last(store):
    runs = [new_run(store, {"number": number}) for number in range(3)]
    assert load(store, "last") == runs[-1] == list_runs(store)[-1]


def test_what_is_no_run_or_several_is_refused(store):
    with pytest.raises(InputError, match="has no run 'last'"):
        load(store, "last")
    new_run(store, {}), new_run(store, {})
    with pytest.raises(InputError, match="2 runs begin with 'r-'"):
        load(store, "r-")
    with pytest.raises(InputError, match="has no run 'x'"):
        load(store, "x")
