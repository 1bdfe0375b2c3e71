import pytest

from qvlm_qiskit.studies.noise.summary import summarise


def made_up(kind, seed, accuracy, strength=1.0, mitigation="none"):
    """A row whose loss is 1 - accuracy."""
    return {
        "kind": kind, "seed": seed, "strength": strength, "mitigation": mitigation,
        "accuracy": accuracy, "correct": int(100 * accuracy), "total": 100, "loss": 1.0 - accuracy,
        "expectations": [], "gates": {"qcnn": 0.1 * seed},
    }  # fmt: skip


def test_differences_are_paired_by_seed():
    rows = [made_up("trained exactly", s, a) for s, a in ((0, 0.5), (1, 0.9), (2, 0.1))]
    rows += [made_up("trained at × 1", s, a) for s, a in ((2, 0.2), (0, 0.6), (1, 1.0))]
    rows += [made_up("trained exactly", 1, 0.8, mitigation="zne")]
    rows += [made_up("classical blocks", 0, 0.7, None, None)]
    differences = summarise(rows)["differences"]
    for entry in differences:
        assert entry["loss"]["mean"] == pytest.approx(-entry["accuracy"]["mean"])
    found = {d["what"]: d["accuracy"] for d in differences}
    assert found["trained at × 1 - trained exactly"]["mean"] == pytest.approx(0.1)
    assert found["trained at × 1 - trained exactly"]["low"] == pytest.approx(0.1)
    assert found["trained exactly: zne - none"]["mean"] == pytest.approx(-0.1)
    assert found["trained exactly - classical twin"]["mean"] == pytest.approx(-0.2)
    assert found["trained exactly - classical twin"]["seeds"] == 1
    gates = {(g["kind"], g["gate"]): g["value"]["mean"] for g in summarise(rows)["gates"]}
    assert gates["trained exactly", "qcnn"] == pytest.approx(0.1)
