import json

import pytest

from qvlm_qiskit.backends import list_backends
from tests.cli.tables import cells, widest


def test_the_list_of_backends_fits_a_screen(qvlm):
    found = qvlm("backends", "list")
    assert (found.status, found.err) == (0, "")
    assert widest(found.out) <= 80
    assert len(found.out.splitlines()) <= 32
    rows = cells(found.out)
    fakes = [row for row in list_backends() if "fake_" in row.name]
    assert len(rows) == len(list_backends()) - len(fakes) + 2
    told = [int(row[3].split()[0]) for row in rows if row[0].endswith("fake_…")]
    assert sum(told) == len(fakes)
    assert qvlm("backends") == found


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("fake",), lambda row: "fake" in row.name),
        (("torino",), lambda row: "torino" in row.name),
        (("--kind", "exact"), lambda row: row.kind == "exact"),
        (("--kind", "local"), lambda row: row.kind == "local runtime"),
        (("--qubits", "127"), lambda row: (row.qubits or 0) >= 127),
        (("fake", "--kind", "simulated", "--qubits", "100"),
         lambda row: "fake" in row.name and row.kind != "local runtime" and row.qubits >= 100),
    ],
)  # fmt: skip
def test_the_list_is_of_those_that_are_asked_for_and_keeps_every_name_whole(qvlm, words, wanted):
    chosen = [row for row in list_backends() if wanted(row)]
    found = qvlm("backends", "list", *words)
    assert widest(found.out) <= 80
    for shown, row in zip(cells(found.out), chosen, strict=True):
        qubits = "" if row.qubits is None else str(row.qubits)
        assert shown == [row.name, row.kind, qubits, row.what]
    listed = json.loads(qvlm("backends", "list", *words, "--json").out)
    assert [row["name"] for row in listed] == [row.name for row in chosen]


@pytest.mark.parametrize(
    ("words", "says"),
    [("--kind fast", "no backend is of the kind 'fast'; there are approximate, exact, hardware"),
     ("tokyoo", "no backend is like that"), ("--qubits 100000", "no backend is like that")],
)  # fmt: skip
def test_a_list_of_nothing_is_refused(refused, words, says):
    assert says in refused("backends", "list", *words.split())


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
    assert not set("[]{}'") & set(found.out)
