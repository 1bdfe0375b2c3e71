"""A promise across all techniques: stated standard errors are those of repeated runs.

Tests no single module. The mitigation's own part of the error is included.
"""

import numpy as np
import pytest
from scipy.stats import chi2

from qvlm_qiskit.backends import open_backend

REPEATS = 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mitigation", "allowance"),
    [
        ("readout(shots=500)", 1.0),
        ("zne", 1.0),
        ("zne(factory=exp)", 1.0),
        ("cdr(circuits=12)", 1.0),
        # a standard error from 15 differences: E[t²] = 15/13
        ("twirling(randomizations=16)", 15 / 13),
        ("pec(samples=60)", 1.1),
        # the members of the ensemble are a bootstrap of few circuits
        ("learned-zne(circuits=24)", 1.5),
        ("readout(shots=500)+zne(scales=1,3)", 1.0),
    ],
)
def test_the_scatter_of_repeated_runs_is_the_stated_error(
    mitigation, allowance, make_circuit, values_for
):
    """Σ (value − mean)²/std² over repetitions with other seeds, against a χ² distribution.

    One row and one observable, so that the values of a run are not correlated. The statement may
    be an upper bound (readout of several qubits, the network), never much too small.
    """
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (1,), seed=3)
    evs, stds = [], []
    for seed in range(REPEATS):
        backend = open_backend("noisy:fake_lagos", shots=400, seed=seed, mitigation=mitigation)
        data = backend.estimator().run([(circuit, ["IZI"], values)]).result()[0].data
        evs.append(float(data.evs[0]))
        stds.append(float(data.stds[0]))
    statistic = np.sum((np.array(evs) - np.mean(evs)) ** 2 / np.array(stds) ** 2)
    low, high = chi2.ppf([0.001, 0.999], REPEATS - 1)
    assert statistic < high * allowance
    assert statistic > low / 3
