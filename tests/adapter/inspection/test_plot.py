import pytest
import torch

from qvlm_qiskit.adapter.inspection import profile_of
from qvlm_qiskit.adapter.inspection.plot import plot_entropies
from qvlm_qiskit.errors import InputError


def test_profiles_become_a_picture(tmp_path):
    torch.manual_seed(0)
    profiles = [profile_of(torch.randn(8, 8), "first"), profile_of(torch.randn(8, 8), "second")]
    path = tmp_path / "entropies.svg"
    plot_entropies(profiles, path)
    text = path.read_text("utf-8")
    assert text.count("<!-- rows | columns -->") == 1
    assert text.count("<!-- first -->") == text.count("<!-- second -->") == 1
    plot_entropies([*profiles, profile_of(torch.randn(4, 4))], path)
    assert "rows | columns" not in path.read_text("utf-8")
    plot_entropies(profiles, tmp_path / "entropies.png")
    assert (tmp_path / "entropies.png").read_bytes()[1:4] == b"PNG"


def test_what_can_not_be_plotted_is_refused(tmp_path):
    with pytest.raises(InputError, match="there are no profiles"):
        plot_entropies([], tmp_path / "a.svg")
    one = profile_of(torch.eye(4))
    for wrong in (tmp_path / "a.txt", tmp_path / "none" / "a.svg"):
        with pytest.raises(InputError, match="a plot is a file"):
            plot_entropies([one], wrong)
