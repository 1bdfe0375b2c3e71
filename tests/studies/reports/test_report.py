import copy
import re

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.studies.reports.report import accuracy_rows
from tests.studies.reports.page import FORBIDDEN, Page

# Attributes that make a browser load something.
LOADING = {
    "src", "href", "xlink:href", "srcset", "data", "action", "formaction", "poster", "background",
    "ping", "manifest", "cite", "longdesc",
}  # fmt: skip


def test_the_page_loads_nothing(page):
    assert not FORBIDDEN & set(page.tags)
    loaded = [(tag, value) for tag, name, value in page.attributes if name in LOADING]
    assert loaded
    for tag, value in loaded:
        assert value.startswith("data:image/png;base64," if tag == "img" else "#"), (tag, value)
    styles = page.styles + [value for _, name, value in page.attributes if name == "style"]
    for style in styles:
        assert "@import" not in style
        assert not re.findall(r"url\((?!['\"]?#)", style)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not [v for _, name, v in page.attributes if name == "http-equiv" and v == "refresh"]


def test_the_page_is_html_in_utf_8_with_plots_and_pictures(page, results):
    assert page.tags[0] == "html"
    assert ("meta", "charset", "utf-8") in page.attributes
    assert page.tags.count("svg") == 3
    assert page.tags.count("img") == len([q for q in results["questions"] if "raw" in q["answers"]])
    assert page.open == []
    described = [v for tag, name, v in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(described) == 3
    assert any(
        f"exact statevector {results['exact']['accuracy']:.1%}" in text for text in described
    )
    asked = [q for q in results["questions"] if q["wrong"]]
    assert results["questions"][: len(asked)] == asked
    assert len(results["questions"]) == results["exact"]["total"]
    assert all(value for tag, name, value in page.attributes if (tag, name) == ("img", "alt"))


@pytest.mark.parametrize(
    "words",
    [
        "What is exact, what is simulated, what is sampled",
        "exact statevector",
        "simulated, sampled",
        "simulated, sampled, mitigated",
        "local runtime, sampled",
        "No real device was used",
        "no sampling, no noise",
        "100 shots per circuit",
        "No advantage of the quantum blocks",
        "No result of a real device",
        "95 % interval",
    ],
)
def test_the_page_says_what_its_numbers_are(page, words):
    assert words in page.words


def test_the_page_has_the_accuracies_of_the_results(page, results):
    for label, record, _ in accuracy_rows(results):
        assert label in page.words
        row = (
            f"{label} {record['correct']} / {record['total']} {record['accuracy']:.1%} "
            f"{record['low']:.1%} – {record['high']:.1%}"
        )
        assert row in page.words
    for record in results["differences"].values():
        assert f"{100 * record['difference']:+.1f} {100 * record['low']:+.1f} …" in page.words


def test_the_page_has_the_circuits_and_errors_of_the_results(page, results):
    for circuit in results["circuits"]:
        name = "QCNN" if "qcnn" in circuit["block"] else "PAQM"
        qubits = ", ".join(str(qubit) for qubit in circuit["physical_qubits"])
        assert f"{name} {circuit['qubits']} {qubits} {circuit['inputs']}" in page.words
        assert f"{circuit['two_qubit_gates']} {circuit['depth']}" in page.words
    for stage in results["noisy"].values():
        for error in stage["expectations"]:
            assert f"{error['rows']} {error['rms']:.4f} {error['bias']:+.4f}" in page.words


def test_the_page_has_what_was_trained_and_stored(page, results):
    training, runtime = results["training"], results["runtime"]
    assert f"{training['parameters']:,} parameters" in page.words
    assert f"{training['quantum_parameters']} of them circuit angles" in page.words
    assert f"{runtime['jobs']} jobs" in page.words
    assert f"{runtime['stored_rows']:,} rows of expectation values" in page.words
    for name, version in results["versions"].items():
        assert f"{name} {version}" in page.words
    for example in results["examples"]:
        assert example["question"] in page.words


def test_the_rows_of_the_accuracy_table_name_device_and_mitigation(results):
    labels = [label for label, _, _ in accuracy_rows(results)]
    assert labels == [
        "majority answer",
        "shuffled images",
        "exact statevector",
        "fake_manila noise, raw",
        "fake_manila noise, readout+zne",
        "Runtime client, resilience-1",
    ]


@pytest.mark.parametrize(
    ("mitigation", "words", "others"),
    [
        pytest.param("readout", "readout errors inverted", "folded", marks=pytest.mark.slow),
        ("zne(scales=1,3)", "folded to noise factors 1,3 and", "readout errors inverted"),
        pytest.param(
            "cdr", "fitted on 24 near-Clifford circuits", "folded", marks=pytest.mark.slow
        ),
    ],
)
def test_the_page_describes_the_mitigation_that_was_used(
    render, results, mitigation, words, others
):
    changed = copy.deepcopy(results)
    changed["options"]["mitigation"] = mitigation
    changed["noisy"]["mitigated"]["backend"] = open_backend(
        "noisy:fake_manila", mitigation=mitigation
    ).describe()
    page = Page(render(changed))
    assert words in page.words
    assert others not in page.words


@pytest.mark.slow
def test_an_empty_answer_is_shown_as_such(render, results):
    changed = copy.deepcopy(results)
    changed["questions"][0]["answers"]["exact"] = ""
    assert "(nothing)" in Page(render(changed)).words


@pytest.mark.slow
def test_the_same_results_give_the_same_page(demo, render, results):
    text = (demo[0] / "report.html").read_text(encoding="utf-8")
    assert render(results) == render(results) == text
