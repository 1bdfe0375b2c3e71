import pytest

from qvlm_qiskit.studies.noise.summary import summarise


def made_up(kind, seed, accuracy, strength=1.0, mitigation="none"):
    """A row whose loss is 1 - accuracy."""
    return {
        "kind": kind, "seed": seed, "strength": strength, "mitigation": mitigation,
        "device": "statevector" if strength is None else "noisy:fake_manila",
        "shots": None if strength is None else 100,
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


def seen(right, strength, kinds="all", seed=0, **more):
    """A row with the answers that are right, of one seed."""
    row = made_up("trained exactly", seed, right.count("1") / len(right), strength)
    none = {} if strength is not None else {"mitigation": None, "error_kinds": None}
    return {**row, "right": right, "error_kinds": kinds, **none, **more}


def test_flipped_answers_are_counted_over_seeds():
    rows = [seen("1100", 2.0), seen("1111", 2.0, seed=1), seen("1010", None)]
    rows += [seen("0111", None, seed=1), seen("1100", 2.0, device="noisy:fake_lima")]
    points = {(p["device"], p["strength"]): p["flips"] for p in summarise(rows)["points"]}
    assert points["noisy:fake_manila", 2.0] == {"lost": 1, "gained": 2, "total": 8}
    assert points["noisy:fake_lima", 2.0] == {"lost": 1, "gained": 1, "total": 4}
    assert points["statevector", None] is None
    assert summarise(rows[:2])["points"][0]["flips"] is None  # no exact row


def test_kinds_of_error_are_compared_with_none_and_with_all():
    rows = [seen("1111111110", 0.0), seen("1111000000", 1.0)]
    rows += [seen("1111110000", 1.0, "readout"), seen("1111111000", 1.0, "two-qubit")]
    rows += [seen("1111111100", 1.0, "one-qubit+relaxation")]
    (found,) = summarise(rows)["kinds"]
    assert (found["device"], found["strength"], found["shots"]) == ("noisy:fake_manila", 1.0, 100)
    choices = {one["error_kinds"]: one for one in found["choices"]}
    assert list(choices) == ["all", "readout", "two-qubit", "one-qubit+relaxation"]
    changes = {
        name: (one["from_none"]["accuracy"]["mean"], one["from_none"]["loss"]["mean"])
        for name, one in choices.items()
    }
    assert changes["all"] == pytest.approx((-0.5, 0.5))
    assert changes["readout"] == pytest.approx((-0.3, 0.3))
    assert choices["all"]["from_all"] is None
    # as far as these rows say the device has four kinds
    assert [one["errors"] for one in found["choices"]][1:] == [
        "readout", "two-qubit", "one-qubit + relaxation",
    ]  # fmt: skip
    assert choices["two-qubit"]["from_all"]["accuracy"]["mean"] == pytest.approx(0.3)
    assert choices["readout"]["from_all"]["accuracy"]["low"] < 0.2  # over the questions
    assert found["sum_alone"] == pytest.approx({"accuracy": -0.5, "loss": 0.5})
    # only choices of several kinds: there is nothing to add up
    (other,) = summarise([rows[0], rows[1], rows[4]])["kinds"]
    assert other["sum_alone"] is None
    assert summarise(rows[:2])["kinds"] == []


def test_devices_and_shots_are_compared_with_the_first_and_the_most():
    rows = [seen("1100", 1.0), seen("1110", 1.0, device="noisy:fake_lima")]
    rows += [seen("1111", 1.0, shots=1000)]
    found = {d["what"]: d["accuracy"]["mean"] for d in summarise(rows)["differences"]}
    assert found == pytest.approx(
        {
            "trained exactly: 100 - 1,000 shots": -0.5,
            "trained exactly: fake_lima - fake_manila": 0.25,
        }
    )
    rows += [seen("1000", 1.0, shots=1000, device="noisy:fake_lima")]
    found = [(d["what"], d["shots"]) for d in summarise(rows)["differences"]]
    assert ("trained exactly: fake_lima - fake_manila", 1000) in found
