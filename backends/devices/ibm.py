"""Opener of IBM hardware behind the Runtime client."""

from __future__ import annotations

from functools import partial
from typing import Any

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.compilation.by_options import compiler_for
from qvlm_qiskit.backends.compilation.fractional import chosen_gates
from qvlm_qiskit.backends.devices.fake_devices import (
    calibration_date,
    rep_delay_seconds,
)
from qvlm_qiskit.backends.devices.packed import offered_with, packed, tile_settings, wrappers_for
from qvlm_qiskit.backends.devices.runtime import (
    DEFAULT_PRECISION,
    HardwareEstimator,
    runtime_settings,
)
from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from qvlm_qiskit.backends.mitigation import MitigatedDevice, offered
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.table import OWN
from qvlm_qiskit.noise_models import calibrated


@register("ibm:")
def open_ibm(name: str, options: BackendOptions) -> Backend:
    """IBM hardware of the account that is saved or in the environment.

    Tested with the unmodified client against a service on the same computer; IBM's own was never
    reached.

    Raises:
        CredentialsError: No usable account.
        BackendError: The service doesn't answer, or has no such machine.
    """
    offer = offered("ibm")
    options.only(name, OWN["ibm:"].accepted, offer.mitigations, reasons=offer.reasons)
    for step in options.steps:
        step.check_family("ibm")
    machine = fetch_machine(name.removeprefix("ibm:"), fractional=options.fractional)
    return on_machine(machine, options)


def on_machine(machine: Any, options: BackendOptions) -> Backend:
    """A machine that is there already, as `QiskitRuntimeService.backend` gives it."""
    name = f"ibm:{machine.name}"
    offer = offered("ibm")
    options.only(name, OWN["ibm:"].accepted, offer.mitigations, reasons=offer.reasons)
    target = chosen_gates(name, machine.target, options)
    level, settings = runtime_settings(options.steps)
    precision = options.sampling_precision or DEFAULT_PRECISION
    return Backend(
        name=name,
        kind="hardware",
        num_qubits=machine.num_qubits,
        options=options,
        device=packed(HardwareEstimator(machine, level, precision, settings), target, options),
        compiler=compiler_for(target, options, calibration_date(machine)),
        wrappers=wrappers_for(
            MitigatedDevice(target, None, options.seed, "ibm", calibration_date(machine)),
            options,
        ),
        default_precision=precision,
        device_options={"resilience_level": level, **settings, **tile_settings(options)},
        noise=calibrated(target, name=machine.name).summary(),
        mitigations=offered_with(offer.mitigations, options),
        rep_delay_seconds=rep_delay_seconds(machine),
        limits=RuntimeJobs.limits,
        service=partial(RuntimeJobs, machine, level, settings),
        # The same machine, also where "least busy" would be another one by now.
        reopen=lambda changed: on_machine(machine, changed),
    )
