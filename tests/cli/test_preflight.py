import json

import pytest


def test_the_preflight_says_what_an_evaluation_would_cost(qvlm):
    words = "preflight run --backend noisy:fake_manila --shots 40 --limit 3"
    shown = qvlm(*words.split())
    assert shown.status == 0
    for text in ("qcnn", "paqm", "readout+zne", "executions", "QPU s", "rep_delay"):
        assert text in shown.out
    assert "2 jobs one after the other where answers have 1 token, for 17" in shown.out
    data = json.loads(qvlm(*words.split(), "--json").out)
    assert data["generation"] == {"tokens": 16, "jobs_in_a_row": 17}
    levels = {level["mitigation"]: level for level in data["levels"]}
    assert list(levels)[:4] == ["none", "readout", "zne", "readout+zne"]
    assert set(list(levels)[4:]) == {
        "learned-zne", "cdr", "pec", "pec(model=learned)", "pea", "readout+pea", "twirling", "auto",
    }  # fmt: skip
    assert levels["cdr"]["calibration_executions"] > 0 == levels["zne"]["calibration_executions"]
    assert levels["none"]["executions"] == 40 * data["rows"]
    assert levels["zne"]["executions"] == 3 * levels["none"]["executions"]
    assert {block["qubits"] for block in data["blocks"]} == {2}
    assert data["fits"] is True
    assert data["machine"]["calibration_date"]
    smaller = json.loads(qvlm(*words.split(), "--batch", "1", "--json").out)
    assert smaller["calls"] > data["calls"]
    assert smaller["rows"] >= data["rows"]


def test_one_mitigation_can_be_asked_for(qvlm):
    words = "preflight run --backend fake_manila --precision 0.2 --limit 1 --json --mitigation"
    data = json.loads(qvlm(*words.split(), "resilience-1").out)
    assert [level["mitigation"] for level in data["levels"]] == ["resilience-1"]


def test_a_machine_that_is_too_small_is_named_and_nothing_is_run(qvlm):
    shown = qvlm("preflight", "run", "--backend", "noisy:fake_armonk", "--limit", "1")
    assert shown.status == 0
    assert "2 qubits, the device 1" in shown.out.replace("\n", " ")


def test_an_exact_backend_has_no_shots(qvlm):
    shown = qvlm("preflight", "run", "--limit", "1")
    assert shown.status == 0
    assert "no shots" in shown.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--backend noisy:fake_manila --mitigation resilience-1", "offers no mitigation"),
        ("--backend noisy:fake_manila --mitigation magic", "unknown mitigation"),
        ("--backend fake_manila --device cpu", "device="),
        ("--backend aer --device tpu", "cpu, gpu, auto"),
        ("--backend statevector --layout-trials 3", "layout_trials="),
        ("--backend statevector --tiles 3", "tiles="),
        ("--backend noisy:fake_manila --tiles many", "tiles is 'many'"),
        ("--backend noisy:fake_manila --tiles 0", "tiles is 0"),
        ("--backend noisy:fake_manila --tile-spacing 3", "tile_spacing="),
        ("--backend noisy:fake_manila --fractional", "has no fractional gates"),
        ("--backend noisy:fake_manila --layout-trials 0", "layout_trials"),
        ("--backend noisy:fake_manila --batch 0", "a batch needs at least 1 question"),
        ("--backend noisy:fake_manila --limit 0", "at least 1"),
        ("--backend noisy:fake_manilla", "fake_manila"),
        ("--backend fake_manila --method aer", "method="),
        ("--backend noisy:fake_manila --max-age-days 30", "stale"),
    ],
)
def test_mistakes_are_refused_before_anything_runs(refused, words, says):
    assert says in refused("preflight", "run", *words.split())


def test_a_fallback_to_the_cpu_is_said(qvlm):
    from qiskit_aer import AerSimulator

    if "GPU" in AerSimulator().available_devices():
        pytest.skip("this machine's Aer has a GPU")
    shown = qvlm("evaluate", "run", "--backend", "aer", "--device", "auto", "--limit", "1")
    assert shown.status == 0
    assert "runs on the CPU" in shown.err
