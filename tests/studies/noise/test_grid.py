import math
from pathlib import Path

import pytest

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.noise.grid import NoiseGrid, NoiseOptions

DEVICE = "noisy:fake_manila"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"devices": ("aer",)}, "noisy:"),
        ({"strengths": ()}, "strengths"),
        ({"strengths": (1.0, 1.0)}, "distinct"),
        ({"strengths": (-1.0,)}, "at least 0"),
        ({"strengths": (math.nan,)}, "at least 0"),
        ({"mitigations": ()}, "mitigations"),
        ({"questions": 1}, "questions"),
        ({"shots": (0,)}, "shots"),
        ({"seeds": -1}, "seeds"),
        ({"shots": ()}, "shots"),
        ({"devices": ()}, "devices"),
        ({"devices": (DEVICE, DEVICE)}, "distinct"),
        ({"error_kinds": ()}, "error_kinds"),
        ({"twins": True}, "seeds"),
        ({"seeds": 1, "trained_at": (0.0,)}, "exact training"),
    ],
)
def test_a_senseless_grid_is_refused(changes, says):
    with pytest.raises(InputError, match=says):
        NoiseGrid(**{"devices": (DEVICE,), **changes})


def test_options_are_a_grid_and_its_runs():
    grid = NoiseGrid((DEVICE,), seeds=2, trained_at=(1.0,))
    options = NoiseOptions.of(grid, [Path("run")])
    assert options == NoiseOptions((DEVICE,), seeds=2, trained_at=(1.0,), runs=(Path("run"),))


def test_unknown_kinds_of_error_are_refused_by_name():
    with pytest.raises(UnknownNameError, match="one-at-time"):
        NoiseGrid((DEVICE,), error_kinds=("one-at-time",))
