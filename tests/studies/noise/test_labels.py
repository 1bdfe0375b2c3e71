from qvlm_qiskit.studies.noise.labels import kinds_label, kinds_there


def test_what_leaves_out_one_kind_is_named_by_it():
    rows = [
        {"device": "a", "error_kinds": "readout+two-qubit"},
        {"device": "a", "error_kinds": "two-qubit+relaxation"},
        {"device": "a", "error_kinds": "all"},
        {"device": "b", "error_kinds": None},
    ]
    there = kinds_there(rows)
    assert there == {"a": {"readout", "two-qubit", "relaxation"}, "b": set()}
    labels = [kinds_label(row["error_kinds"], there[row["device"]]) for row in rows]
    assert labels == ["all but relaxation", "all but readout", "all", "–"]
    assert kinds_label("readout", there["a"]) == "readout"
    assert kinds_label("readout+two-qubit", {"readout", "two-qubit"}) == "readout + two-qubit"
