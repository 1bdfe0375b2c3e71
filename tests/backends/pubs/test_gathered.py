"""Metadata of parts as that of a whole."""

from qvlm_qiskit.backends.pubs.gathered import gathered


def test_costs_add_up_and_the_rest_stays_where_it_agrees():
    one = {
        "shots": 100,
        "executions": 300,
        "circuits": None,
        "active_qubits": [0, 1],
        "mitigation": [{"technique": "readout", "executions": 300, "calibration": {"shots": 5}}],
        "record": {
            "source": "ledger", "rows": 3, "rows_from_ledger": 3, "submissions": ["s-2"],
            "answered_utc": "2026-01-02",
        },
    }  # fmt: skip
    other = {
        "shots": 100,
        "executions": 200,
        "circuits": 2,
        "active_qubits": [4, 5],
        "mitigation": [{"technique": "readout", "executions": 200, "calibration": {"shots": 6}}],
        "record": {
            "source": "device", "rows": 2, "rows_from_ledger": 0, "submissions": ["s-1", "s-2"],
            "answered_utc": "2026-01-01",
        },
    }  # fmt: skip
    assert gathered([one, other]) == {
        "shots": 100,
        "executions": 500,
        "circuits": None,
        "mitigation": [{"technique": "readout", "executions": 500, "calibration": {}}],
        "record": {
            "source": "both", "rows": 5, "rows_from_ledger": 3, "submissions": ["s-1", "s-2"],
            "answered_utc": "2026-01-02",
        },
    }  # fmt: skip
    assert gathered([one]) == one
