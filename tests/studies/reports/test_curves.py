import re

from qvlm_qiskit.studies.reports.curves import Axis, curves_plot


def point(x, mean, low, high, group="a", line="one"):
    return {"x": x, "y": {"mean": mean, "low": low, "high": high}, "group": group, "line": line}


POINTS = [
    point(4, 0.1, 0.05, 0.2), point(8, 0.01, -0.1, 0.3), point(4, 0.3, None, None, "b", "two"),
]  # fmt: skip


def test_every_point_is_said_and_every_group_has_a_panel():
    plot = curves_plot(POINTS, Axis("x", "qubits"), Axis("y", "error"), "line", "group")
    label = re.search('aria-label="([^"]*)"', plot)[1]
    assert label == "error: a one 4 0.1, a one 8 0.01, b two 4 0.3"
    assert plot.count('id="axes_') == 2
    assert curves_plot(POINTS, Axis("x", "n"), Axis("y", "e"), "line").count('id="axes_') == 1


def test_names_have_points_without_a_line():
    named = [{**one, "x": name} for one, name in zip(POINTS, ("QAOA", "greedy"), strict=False)]
    plot = curves_plot(named, Axis("x", "method"), Axis("y", "ratio"), "group", "group")
    assert 'aria-label="ratio: a a QAOA 0.1, a a greedy 0.01"' in plot
    assert "legend" not in plot


def test_an_interval_that_reaches_below_zero_can_stand_on_a_logarithmic_scale():
    plot = curves_plot(POINTS, Axis("x", "n", True), Axis("y", "e", True), "line", "group")
    assert "nan" not in plot.lower() and "inf" not in plot.lower()
