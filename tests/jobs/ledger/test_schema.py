"""Stores of other versions, and databases of something else."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sqlalchemy import select

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import JobStore, recorded_backend
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.runs import list_runs, new_run
from qvlm_qiskit.jobs.verify import verify
from tests.jobs.conftest import sqlite_or_postgresql

FROZEN = Path(__file__).parent / "store-1"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


def version_of(store):
    with store.transaction() as connection:
        value, name = schema.meta.c.value, schema.meta.c.name
        return connection.execute(select(value).where(name == "schema")).scalar_one()


def test_a_store_of_version_1_is_brought_up_and_serves_its_answers(tmp_path):
    """Made by the first release with this schema: asking the same again runs nothing."""
    place = shutil.copytree(FROZEN, tmp_path / "store")
    store = JobStore(place, create=False)
    assert version_of(store) == str(schema.VERSION) == str(schema.VERSION)
    assert verify(store) == 4
    assert list_runs(store) == []
    assert list_runs(store) == [] and new_run(store, {}).state == "waiting"
    circuit = QuantumCircuit(2)
    x = ParameterVector("x", 2)
    circuit.ry(x[0], 0)
    circuit.cx(0, 1)
    circuit.rz(x[1], 1)
    backend = recorded_backend(open_backend("aer", shots=500, seed=3), store)
    values = np.linspace(0, 1, 8).reshape(4, 2)
    answer = backend.estimator().run([(circuit, [["ZI"], ["IZ"]], values)]).result()[0]
    assert store.count_jobs() == 1
    assert answer.metadata["record"]["source"] == "ledger"
    stored = np.array([row.evs for row in store.rows_of(store.find()[0].id)]).T
    np.testing.assert_array_equal(answer.data.evs, stored)
    np.testing.assert_allclose(stored[1], np.cos(values[:, 0]), atol=0.2)
    assert not (place / "local").exists()
    store.close()
    JobStore(place).close()


def test_the_frozen_store_is_of_version_1():
    with sqlite3.connect(f"file:{FROZEN}/ledger.sqlite?mode=ro&immutable=1", uri=True) as frozen:
        assert frozen.execute("select value from meta").fetchall() == [("1",)]
        tables = frozen.execute("select name from sqlite_master where type='table'").fetchall()
    frozen.close()
    assert ("runs",) not in tables


@pytest.mark.parametrize("version", ["99", "0", "-1", "two", "²", ""])
def test_a_store_of_another_version_is_refused(version, place, ledger):
    with ledger.transaction() as connection:
        said = schema.meta.c.name == "schema"
        connection.execute(schema.meta.update().where(said).values(value=version))
    with pytest.raises(LedgerError, match="schema"):
        JobStore(*place)
    assert version_of(ledger) == version


def test_a_database_of_something_else_is_refused(place, ledger):
    with ledger.transaction() as connection:
        schema.meta.drop(connection)
    with pytest.raises(LedgerError, match="not this platform's"):
        JobStore(*place)
