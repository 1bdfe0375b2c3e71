import math

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.profiling import profile
from qvlm_qiskit.profiling.plot import check_plot, plot
from qvlm_qiskit.profiling.profile import STEP
from qvlm_qiskit.recipes import TrainingOptions

TINY = TrainingOptions(recipe="tiny", batch_size=3, streams=2)


@pytest.fixture(scope="module")
def found():
    return profile(TINY, rounds=1)


def test_every_part_of_every_model_is_measured(found):
    for costs in found.costs.values():
        assert [*costs] == [
            "vision embedding", "positional mixing", "vision attention", "MLA", "MoE", "mHC", STEP,
        ]  # fmt: skip
        for part, cost in costs.items():
            assert 0 < cost.forward < 1e5
            assert 0 < cost.both < 1e5
            assert cost.count == {"MLA": 2, "mHC": 5}.get(part, 1)
    counts = found.parameters
    assert counts["quantum"] == counts["twin"] > counts["plain"]


def test_shares_are_parts_of_the_step(found):
    costs = found.costs["twin"]
    assert found.share("MLA", "twin") == costs["MLA"].both / costs[STEP].both
    assert found.share("MLA", which="forward") == (
        found.costs["quantum"]["MLA"].forward / found.costs["quantum"][STEP].forward
    )
    plain = found.as_dict()
    assert plain["parts"]["quantum"]["MLA"]["forward_ms"] == found.costs["quantum"]["MLA"].forward
    assert plain["batch_size"] == 3


def test_circuits_that_give_no_gradient_are_measured_forward_alone():
    found = profile(TINY, backend=open_backend("noisy:depolarizing(0.01)", shots=5), rounds=1)
    assert math.isnan(found.costs["quantum"][STEP].both)
    assert found.costs["twin"][STEP].both > 0
    assert found.as_dict()["parts"]["quantum"]["MLA"]["forward_backward_ms"] is None
    assert found.as_dict()["shares"]["MLA"] < 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"rounds": 0}, "rounds must be at least 1"), ({"vocabulary": 5}, "vocabulary must be")],
)
def test_what_can_not_be_measured_is_refused(asked, said):
    with pytest.raises(InputError, match=said):
        profile(TINY, **{"rounds": 1, **asked})


def test_a_machine_that_is_paid_for_is_refused():
    class Paid:
        kind = "hardware"

        def estimator(self):
            raise AssertionError

    with pytest.raises(InputError, match="paid for"):
        profile(TINY, backend=Paid(), rounds=1)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_plot_is_a_file(found, tmp_path, suffix):
    path = tmp_path / f"profile{suffix}"
    check_plot(path)
    plot(found, path)
    assert path.stat().st_size > 5000


@pytest.mark.parametrize(
    ("path", "said"), [("profile.txt", "a plot is a file"), ("gone/profile.png", "no folder")]
)
def test_a_plot_that_can_not_be_written_is_refused_before(tmp_path, path, said):
    with pytest.raises(InputError, match=said):
        check_plot(tmp_path / path)
