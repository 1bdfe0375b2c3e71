import re

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.evaluation import Exam, Metrics
from qvlm_qiskit.models import VisionLanguageModel
from qvlm_qiskit.studies.measure import circuits_on, evaluate_on, metrics_on
from qvlm_qiskit.studies.reports.chip import Chip
from qvlm_qiskit.studies.reports.evaluation_report import evaluation_page
from tests.studies.reports.page import FORBIDDEN, Page


@pytest.fixture
def asked(tiny_run, model, processor):
    kinds = ("larger", "caption")
    samples = [s for s in DigitCanvases("test", 120, 0) if s.kind in kinds]
    exam, backend = (
        Exam(VisionLanguageModel(model, processor), samples),
        open_backend("statevector"),
    )
    found, record = evaluate_on(exam, backend)
    measured = metrics_on(exam, backend, found, Metrics(["exact-match", "rouge-l"], "port"))
    return exam, found, record | measured.as_dict()


def test_the_page_shows_wrong_answers_first_and_loads_nothing(tiny_run, asked):
    exam, found, record = asked
    text = evaluation_page(tiny_run, exam, found, record)
    page = Page(text)
    assert not FORBIDDEN & set(page.tags)
    assert page.open == []
    assert page.tags.count("img") == len(exam) == 48
    order = [int(n) for n in re.findall(r'alt="image of question (\d+)"', text)]
    right = [found.correct[n] for n in order]
    assert right == sorted(right)
    assert text.count('class="wrong"') == right.count(False) > 0


def test_the_page_has_accuracies_metrics_confusions_and_curves(tiny_run, asked):
    text = evaluation_page(tiny_run, *asked)
    record = asked[2]
    assert f"{record['accuracy']:.1%}" in text
    for kind, part in record["by_kind"].items():
        assert f'<td>{kind}</td><td class="n">{part["correct"]} / {part["total"]}</td>' in text
    assert text.count("<td>ROUGE-L</td>") == 1 + len(record["by_kind"])
    assert "<figcaption>larger</figcaption>" in text
    assert "<figcaption>caption</figcaption>" not in text
    assert 'aria-label="Training.' in text
    assert "--evaluate-every" in text


def test_a_page_of_a_device_has_a_map_for_every_circuit_with_its_tiles(tiny_run, asked):
    exam, found, record = asked
    backend = open_backend("noisy:fake_torino", shots=10, tiles=2)
    module, chip = exam.model.module, Chip.of(backend.compiler.target)
    backend.preflight(module, 1, mitigations=["none"])
    there = {**record, "backend": backend.describe()}
    text = evaluation_page(tiny_run, exam, found, there, chip)
    tiles = backend.describe()["tiles"]["circuits"]
    assert len(tiles) == 2
    assert all(text.count(f"{b}: 2 tiles on noisy:fake_torino.") == 1 for b in ("QCNN", "PAQM"))
    for circuit in tiles:
        for number, tile in enumerate(circuit["tiles"], start=1):
            assert f"tile {number}: qubits {' '.join(map(str, tile['qubits']))}" in text
    assert "Where the circuits ran" not in evaluation_page(tiny_run, exam, found, record)


def test_without_tiles_the_map_shows_the_chosen_qubits(tiny_run, asked):
    exam, found, record = asked
    backend = open_backend("noisy:fake_torino", shots=10)
    circuits = circuits_on(exam.model.module, backend)
    chip = Chip.of(backend.compiler.target)
    text = evaluation_page(
        tiny_run, exam, found, {**record, "backend": backend.describe()}, chip, circuits
    )
    for circuit in circuits:
        assert f"tile 1: qubits {' '.join(map(str, circuit['physical_qubits']))}." in text
