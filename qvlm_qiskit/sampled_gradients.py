"""How sampled values can be differentiated: names and numbers, known without torch or Qiskit."""

from __future__ import annotations

from typing import Literal, get_args

from qvlm_qiskit.errors import InputError, UnknownNameError

SampledMethod = Literal["param_shift", "spsa"]
METHODS: tuple[SampledMethod, ...] = get_args(SampledMethod)
DEFAULT_EPSILON = 0.1
DEFAULT_SAMPLES = 1


def check_sampled_gradient(
    method: str,
    prune: bool = False,
    samples: int = DEFAULT_SAMPLES,
    epsilon: float = DEFAULT_EPSILON,
) -> None:
    """Refuse a gradient of samples that can't be computed.

    Args:
        method: One of `METHODS`.
        prune: Whether derivatives below their standard error are skipped.
        samples: SPSA's number of directions.
        epsilon: SPSA's step, in radians.

    Raises:
        InputError: Numbers out of range, or an option of the other method.
        UnknownNameError: Another method.
    """
    if method not in METHODS:
        raise UnknownNameError("gradient", str(method), METHODS)
    if not epsilon > 0 or samples < 1:
        raise InputError(
            "epsilon must be positive and the number of directions at least 1, got "
            f"epsilon={epsilon}, {samples} directions"
        )
    if method != "spsa" and (samples, epsilon) != (DEFAULT_SAMPLES, DEFAULT_EPSILON):
        raise InputError(f"directions and their epsilon go with gradient 'spsa', not {method!r}")
    if method != "param_shift" and prune:
        raise InputError(f"prune goes with gradient 'param_shift', not with {method!r}")
