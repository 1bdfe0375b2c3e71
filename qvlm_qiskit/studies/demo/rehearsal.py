"""One circuit of every block on every backend of a demo, before its training starts."""

from __future__ import annotations

import dataclasses

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import encode_prompts, open_data
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.evaluation import capture_rows
from qvlm_qiskit.studies.demo.options import DemoOptions
from qvlm_qiskit.studies.measure import errors_on
from qvlm_qiskit.studies.noise.sweep import SCALES
from qvlm_qiskit.training import build_model


def rehearse(options: DemoOptions) -> DemoOptions:
    """One circuit of every block of an untrained model on every backend that comes later.

    Returns:
        The options with the noise factors that will be used.

    Raises:
        QVLMError: A backend that can't be opened, or can't run a circuit.
    """
    model, processor = build_model(options.training)
    sample = open_data(options.training.data, "test", 1)[0]
    rows = capture_rows(
        model.eval(),
        encode_prompts(processor, [sample.image], [sample.question]).inputs(),
        limit=1,
    )
    noisy = f"noisy:{options.device}"
    backends = [
        open_backend(noisy, shots=options.shots, mitigation=options.mitigation),
        open_backend(options.device, shots=options.shots, mitigation="resilience-1"),
    ]
    for backend in backends:
        errors_on(model, rows, backend)
    possible = []
    for scale in SCALES if options.scales is None else options.scales:
        try:
            errors_on(model, rows, open_backend(noisy, shots=options.shots, noise_scale=scale))
        except NoiseModelError:
            if options.scales is not None:
                raise
        else:
            possible.append(scale)
    return dataclasses.replace(options, scales=tuple(possible))
