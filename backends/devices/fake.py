"""Opener of fake devices behind the Runtime client's local mode."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.compilation.by_options import compiler_for
from qvlm_qiskit.backends.compilation.fractional import chosen_gates
from qvlm_qiskit.backends.devices.fake_devices import (
    calibration_date,
    fake_device,
    rep_delay_seconds,
)
from qvlm_qiskit.backends.devices.packed import offered_with, packed, tile_settings, wrappers_for
from qvlm_qiskit.backends.devices.runtime import (
    DEFAULT_PRECISION,
    LocalRuntimeEstimator,
    runtime_settings,
)
from qvlm_qiskit.backends.mitigation import MitigatedDevice, offered
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.preflight.limits import IBM_LIMITS
from qvlm_qiskit.backends.table import OWN
from qvlm_qiskit.noise_models import calibrated


@register("fake_")
def open_fake(name: str, options: BackendOptions) -> Backend:
    """The unmodified Runtime client in local mode on a fake device."""
    offer = offered("fake")
    options.only(name, OWN["fake_"].accepted, offer.mitigations, reasons=offer.reasons)
    return on_fake_device(fake_device(name), options)


def on_fake_device(device: Any, options: BackendOptions) -> Backend:
    """The same on a device that is there already."""
    name = str(device.name)
    offer = offered("fake")
    options.only(name, OWN["fake_"].accepted, offer.mitigations, reasons=offer.reasons)
    target = chosen_gates(name, device.target, options)
    level, settings = runtime_settings(options.steps)
    precision = options.sampling_precision or DEFAULT_PRECISION
    return Backend(
        name=name,
        kind="local runtime",
        num_qubits=device.num_qubits,
        options=options,
        device=packed(
            LocalRuntimeEstimator(
                device, level, options.seed, precision, settings, options.tiles != "none"
            ),
            target,
            options,
        ),
        compiler=compiler_for(target, options, calibration_date(device)),
        wrappers=wrappers_for(
            MitigatedDevice(
                target,
                lambda qubits: calibrated(target, qubits, name),
                options.seed,
                "fake",
                calibration_date(device),
            ),
            options,
        ),
        default_precision=precision,
        device_options={"resilience_level": level, **settings, **tile_settings(options)},
        noise=calibrated(target, name=name).summary(),
        mitigations=offered_with(offer.mitigations, options),
        rep_delay_seconds=rep_delay_seconds(device),
        limits=IBM_LIMITS,
    )
