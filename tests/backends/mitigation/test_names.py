"""Names of mitigations: what they mean, what goes together, what is refused."""

import re

import pytest

from qvlm_qiskit.backends import MITIGATIONS, open_backend
from qvlm_qiskit.backends.mitigation.names import (
    combined,
    mitigation_name,
    parse_mitigation,
    technique_class,
)
from qvlm_qiskit.backends.mitigation.techniques.auto import Auto
from qvlm_qiskit.backends.mitigation.techniques.cdr import Cdr
from qvlm_qiskit.backends.mitigation.techniques.readout import Readout
from qvlm_qiskit.backends.mitigation.techniques.zne import Zne
from qvlm_qiskit.errors import InputError, MitigationError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("none", "none"),
        ("zne+readout", "readout+zne"),
        ("pec + twirling", "twirling+pec"),
        ("zne()", "zne"),
        ("zne(scales=1,3,5)", "zne"),
        ("zne( scales = 1, 3 , factory=richardson )", "zne(scales=1,3,factory=richardson)"),
        ("zne(factory=exp,asymptote=0.1)", "zne(factory=exp,asymptote=0.1)"),
        ("cdr(keep=0.5)+readout(shots=50)", "readout(shots=50)+cdr(keep=0.5)"),
        ("resilience-2+dd(sequence=XY4)", "resilience-2+dd(sequence=XY4)"),
        (
            "auto(techniques=none,zne(scales=1,3)+readout,budget=9)",
            "auto(budget=9,techniques=none,readout+zne(scales=1,3))",
        ),
    ],
)
def test_names_have_one_canonical_form(text, canonical):
    steps = parse_mitigation(text)
    assert mitigation_name(steps) == canonical
    assert parse_mitigation(canonical) == steps


@pytest.mark.parametrize("name", MITIGATIONS)
def test_every_technique_is_its_own_name(name):
    (step,) = parse_mitigation(name)
    assert (str(step), step.name, type(step)) == (name, name, technique_class(name))
    assert type(step)(**{k: tuple(v) if isinstance(v, list) else v
                         for k, v in step.parameters().items()}) == step  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zen", "did you mean 'zne'"),
        ("", "unknown mitigation ''"),
        ("readout+", "unknown mitigation ''"),
        ("zne(scale=1,3)", "no parameter 'scale': did you mean 'scales'"),
        ("none(shots=3)", "it takes none"),
        ("zne(scales=1,2)", "odd whole numbers"),
        ("zne(scales=3,5)", "start with 1"),
        ("zne(scales=1,3,3)", "distinct"),
        ("zne(scales=1)", "at least 2"),
        ("zne(scales=1,3,factory=quadratic)", "at least 3"),
        ("zne(scales=1.5)", "scales is '1.5'; it must be a whole number"),
        ("zne(factory=cubic)", "unknown zne factory 'cubic'"),
        ("zne(asymptote=0.5)", "factory=linear has no asymptote"),
        ("zne(factory=exp,asymptote=nan)", "asymptote is nan"),
        ("zne(1,3)", "name=value"),
        ("zne(scales=1,scales=3)", "scales twice"),
        ("zne(", "unbalanced"),
        ("zne)", "unbalanced"),
        ("zne(scales=1,3)x", "parenthesis"),
        ("cdr(circuits=2)", "circuits is 2; it must be a whole number from 3"),
        ("cdr(keep=1.5)", "number from 0 to 1"),
        ("cdr(circuits=3,4)", "takes one value"),
        ("pec(samples=x)", "samples is 'x'"),
        ("pec(max_overhead=0.5)", "at least 1"),
        ("twirling(randomizations=1)", "from 2"),
        ("dd(sequence=XYX)", "unknown dd sequence"),
        ("learned-zne(circuits=4)", "from 8"),
        ("readout(shots=0)", "shots is 0"),
        ("auto(budget=0)", "budget is 0"),
        ("auto(techniques=none,magic)", "'magic'"),
        ("auto(techniques=zne,zne)", "named twice"),
        ("auto(techniques=auto)", "choose itself"),
        ("zne+cdr", "zne and cdr would correct the same error twice"),
        ("zne+learned-zne", "twice"),
        ("readout+readout(shots=5)", "names a technique twice"),
        ("none+zne", "'none' stands alone"),
        ("auto+readout", "'auto' stands alone"),
        ("resilience-1+resilience-2", "two levels"),
        ("resilience-1+readout", "resilience-1 mitigates already"),
        ("resilience-2+pec", "resilience-2 mitigates already"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(text, says):
    with pytest.raises(MitigationError, match=re.escape(says)):
        parse_mitigation(text)
    with pytest.raises(MitigationError, match=re.escape(says)):
        open_backend("noisy:fake_manila", mitigation=text)


def test_no_technique_at_all_is_refused():
    with pytest.raises(MitigationError, match="'none'"):
        combined([])
    with pytest.raises(MitigationError, match="it is a name"):
        from qvlm_qiskit.backends import BackendOptions

        BackendOptions(mitigation=3)


@pytest.mark.parametrize(
    ("name", "mitigation", "says"),
    [
        ("noisy:fake_manila", "dd", "idle qubits have no noise"),
        ("noisy:fake_manila", "readout+dd", "no mitigation 'dd'"),
        ("noisy:fake_manila", "resilience-1", "no mitigation 'resilience-1'"),
        ("noisy:fake_manila", "auto(techniques=none,resilience-1)", "resilience-1"),
        ("noisy:fake_essex", "twirling", "lacks rz, sx"),
        ("aer", "twirling", "it offers: none"),
        ("ibm:least_busy", "pec", "one Runtime job has one"),
    ],
)
def test_what_a_backend_cannot_do_is_refused_with_the_reason(name, mitigation, says):
    with pytest.raises(MitigationError, match=says):
        open_backend(name, mitigation=mitigation)


def test_objects_open_backends_too():
    backend = open_backend("noisy:fake_manila", mitigation=[Zne(factory="exp"), Readout(50)])
    assert backend.options.mitigation == "readout(shots=50)+zne(factory=exp)"
    assert open_backend("noisy:fake_manila", mitigation=Cdr()).options.mitigation == "cdr"
    described = backend.describe()["techniques"]
    assert [entry["technique"] for entry in described] == ["readout", "zne"]
    assert described[1]["scales"] == [1, 3, 5]


def test_the_budget_belongs_to_auto():
    backend = open_backend("noisy:fake_manila", mitigation="auto", budget=500)
    assert backend.options.mitigation == str(Auto(budget=500)) == "auto(budget=500)"
    with pytest.raises(InputError, match="budget= is for"):
        open_backend("noisy:fake_manila", mitigation="zne", budget=500)
