import json

import pytest

from qvlm_qiskit.backends import list_backends
from tests.cli.tables import cells, widest


def test_the_list_of_backends_fits_a_terminal_and_keeps_every_name_whole(qvlm):
    found = qvlm("backends", "list")
    assert (found.status, found.err) == (0, "")
    assert widest(found.out) <= 80
    rows = cells(found.out)
    assert [row[0] for row in rows] == [row.name for row in list_backends()]
    for shown, row in zip(rows, list_backends(), strict=True):
        assert shown[1:] == [row.kind, "" if row.qubits is None else str(row.qubits), row.what]
    assert qvlm("backends") == found


def test_the_list_of_backends_as_json(qvlm):
    found = qvlm("backends", "list", "--json")
    assert json.loads(found.out) == [
        {"name": r.name, "kind": r.kind, "qubits": r.qubits, "what": r.what}
        for r in list_backends()
    ]
    assert qvlm("backends", "--json") == found


def test_json_before_the_command_is_not_overlooked(qvlm):
    """Either it counts or it is refused."""
    for command in (("list",), ("show", "aer")):
        found = qvlm("backends", "--json", *command)
        if found.status == 0:
            json.loads(found.out)


@pytest.mark.parametrize(
    "name", ["statevector", "aer", "fake_manila", "noisy:fake_manila", "noisy:depolarizing(0.01)"]
)
def test_showing_a_backend(qvlm, name):
    found = qvlm("backends", "show", name)
    assert (found.status, found.err) == (0, "")
    assert widest(found.out) <= 80
    shown = dict(cells(found.out))
    about = json.loads(qvlm("backends", "show", name, "--json").out)
    assert (shown["name"], shown["kind"]) == (about["name"], about["kind"]) == (name, about["kind"])
    assert shown["num_qubits"] == str(about["num_qubits"])
    assert shown["versions.qiskit"] == about["versions"]["qiskit"]
    if about["noise"]:
        assert shown["noise.name"] == about["noise"]["name"]
    assert "None" not in found.out
