"""A technique is one file: this package's own, and the example of docs/mitigation.md."""

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from qiskit.transpiler import Target

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.mitigation import MitigatedDevice, Step, offered, technique
from qvlm_qiskit.backends.mitigation.names import parse_mitigation, technique_class
from qvlm_qiskit.backends.mitigation.step import FAMILIES, RUNTIME
from qvlm_qiskit.basics import registry
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.errors import InputError, MitigationError, UnknownNameError
from qvlm_qiskit.mitigations import TECHNIQUES, check_mitigation
from tests.conftest import forgetting

PAGE = (Path(__file__).parents[3] / "docs" / "mitigation.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(
    r"^```python\n(.*?)^```", PAGE.split("## Adding a technique")[1], re.MULTILINE | re.DOTALL
)
TARGET = Target.from_configuration(["rz", "sx", "x", "cz", "measure"], num_qubits=3)
OBSERVABLES = [["ZII"], ["IZI"]]


@pytest.fixture
def entered():
    """What a test enters under a name is forgotten afterwards."""
    with forgetting(TECHNIQUES):
        yield
    parse_mitigation.cache_clear()


@pytest.fixture
def installed(entered, monkeypatch):
    """The page's example, and an entry point that leads nowhere, of another distribution."""
    module = ModuleType("acme_mitigation")
    monkeypatch.setitem(sys.modules, "acme_mitigation", module)
    module.source = EXAMPLE
    monkeypatch.setattr(registry, "entry_points", lambda group: [
        EntryPoint("scaled", "acme_mitigation:Scaled", group),
        EntryPoint("gone", "acme_mitigation:Gone", group),
        EntryPoint("other", "acme_mitigation:OTHER", group),
    ] if group == TECHNIQUES.group else [])  # fmt: skip
    exec(compile(EXAMPLE, "acme_mitigation", "exec"), module.__dict__)
    module.OTHER = 5


def test_the_example_is_short():
    code = [line for line in EXAMPLE.split(")\n", 1)[1].splitlines() if line.strip()]
    assert len(code) <= 14


@pytest.mark.usefixtures("installed")
def test_a_technique_of_another_distribution_is_planned_run_and_described(make_circuit, values_for):
    circuit = make_circuit()
    pub = (circuit, OBSERVABLES, values_for(circuit, (3,)))
    found = {}
    for mitigation in ("readout", "readout+scaled(factor=2)"):
        backend = open_backend("noisy:fake_manila", shots=200, seed=1, mitigation=mitigation)
        found[mitigation] = backend.estimator().run([pub]).result()[0]
    plain, scaled = found.values()
    np.testing.assert_allclose(scaled.data.evs, 2 * plain.data.evs)
    np.testing.assert_allclose(scaled.data.stds, 2 * plain.data.stds)
    assert scaled.metadata["technique"] == "readout+scaled"
    (_, said) = backend.describe()["techniques"]
    assert said == {"technique": "scaled", "what": "Values multiplied by a factor", "factor": 2.0}
    assert backend.options.mitigation == "readout+scaled(factor=2.0)"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["noisy:fake_manila", "fake_manila"])
def test_it_is_offered_and_counted_where_it_says(name, make_circuit):
    backend = open_backend(name, shots=100, seed=1)
    assert "scaled" in backend.mitigations
    report = backend.preflight(
        {"c": (make_circuit(), OBSERVABLES)}, mitigations=["none", "scaled(factor=3)"]
    )
    plain, scaled = report.levels
    assert plain.executions == scaled.executions > 0


@pytest.mark.usefixtures("installed")
def test_it_is_refused_where_it_says_nothing_about():
    assert "scaled" not in offered("ibm").mitigations
    with pytest.raises(MitigationError, match="offers no mitigation 'scaled'"):
        open_backend("ibm:least_busy", mitigation="scaled")
    check_mitigation("readout+scaled(factor=2)")
    with pytest.raises(MitigationError, match="did you mean 'scaled'"):
        check_mitigation("scald")
    with pytest.raises(MitigationError, match="no parameter 'facto': did you mean 'factor'"):
        parse_mitigation("scaled(facto=2)")


@pytest.mark.usefixtures("installed")
def test_what_is_broken_hides_nothing_and_says_so():
    offer = offered("noisy")
    assert "zne" in offer.mitigations
    assert {"gone", "other"}.isdisjoint(offer.mitigations)
    assert "acme_mitigation:Gone" in offer.reasons["gone"]
    with pytest.raises(RegistryError, match="leads to 5"):
        parse_mitigation("other")


@pytest.mark.usefixtures("entered")
def test_a_technique_that_can_not_be_written_is_refused():
    class Listed(Step):
        name = "listed"
        values: list = None

    class Nowhere(Step):
        name = "nowhere"

    class Taken(Step):
        name = "zne"

    technique_class("zne")
    with pytest.raises(InputError, match="'values' of a technique is an int, float, str"):
        technique()(Listed)
    with pytest.raises(UnknownNameError, match="family of machines 'noise': did you mean 'noisy'"):
        technique(on={"noise"})(Nowhere)
    with pytest.raises(InputError, match="'zne' is taken"):
        technique()(Taken)


@pytest.mark.usefixtures("entered")
def test_parameters_are_read_by_their_types():
    @technique()
    class Typed(Step):
        """Reads parameters."""

        name = "typed"
        count: int = 1
        share: float = 0
        word: str = "a"
        words: tuple[str, ...] = ()
        numbers: tuple[float, ...] = (1.0,)

    (step,) = parse_mitigation("typed(count=2,share=0.5,word=b,words=x,y,numbers=1,2.5)")
    assert step == Typed(2, 0.5, "b", ("x", "y"), (1.0, 2.5))
    assert parse_mitigation(str(step)) == (step,)
    assert hash(step) == hash(Typed(2, 0.5, "b", ("x", "y"), (1.0, 2.5)))
    with pytest.raises(MitigationError, match="it must be a whole number"):
        parse_mitigation("typed(count=1.5)")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_runtime_does_its_own_options_itself(family):
    device = MitigatedDevice(TARGET, family=family)
    (twirling,), (level,) = parse_mitigation("twirling"), parse_mitigation("resilience-1")
    assert (twirling.wrapper(device) is None) == (family in RUNTIME)
    if family in RUNTIME:
        assert level.wrapper(device) is None
    else:
        with pytest.raises(MitigationError, match="option of the Runtime client"):
            level.wrapper(device)(None)
