"""Openers of what Qiskit Runtime's client runs: fake devices and IBM hardware."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import requests
from qiskit_ibm_runtime.exceptions import IBMAccountError, IBMNotAuthorizedError

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import BackendRow, register
from qvlm_qiskit.backends.compilation.compiler import Compiler
from qvlm_qiskit.backends.devices.fake_devices import (
    calibration_date,
    fake_device,
    fake_gates,
    fake_qubits,
    rep_delay_seconds,
)
from qvlm_qiskit.backends.devices.runtime import (
    DEFAULT_SHOTS,
    HardwareEstimator,
    LocalRuntimeEstimator,
    runtime_settings,
)
from qvlm_qiskit.backends.ibm.account import open_service
from qvlm_qiskit.backends.ibm.transport import UnsafeAddressError
from qvlm_qiskit.backends.mitigation import MitigatedDevice, mitigation_wrappers
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.shots import precision_of_shots
from qvlm_qiskit.errors import BackendError, CredentialsError
from qvlm_qiskit.noise_models import calibrated

ACCEPTED = ("shots", "precision", "seed", "optimization_level", "layout_trials")
BY_RUNTIME = ("twirling", "dd", "resilience-0", "resilience-1", "resilience-2")
"""Techniques that are options of the Runtime's own estimator."""
WRAPPED = ("none", "readout", "zne", "readout+zne", "learned-zne", "cdr", "auto")
ON_FAKES = (*WRAPPED, "pec", *BY_RUNTIME)
ON_HARDWARE = (*WRAPPED, *BY_RUNTIME)
CANDIDATES = ("none", "readout", "zne", "readout+zne", "readout+cdr")
NOT_ON_HARDWARE = {
    "pec": "its random circuits need another number of shots than the circuit itself, and one "
    "Runtime job has one"
}


def _fake_rows() -> Iterable[BackendRow]:
    for device, qubits in fake_qubits().items():
        what = "the Runtime client on a fake device"
        if "u3" in fake_gates()[device]:
            what += "; no parametrised circuits (u3 gates)"
        yield BackendRow(device, "local runtime", qubits, what)


@register("fake_", kind="local runtime", what="Runtime client, fake device", rows=_fake_rows)
def open_fake(name: str, options: BackendOptions) -> Backend:
    """The unmodified Runtime client in local mode on a fake device."""
    options.only(name, ACCEPTED, ON_FAKES)
    device = fake_device(name)
    level, settings = runtime_settings(options.steps)
    precision = options.sampling_precision or precision_of_shots(DEFAULT_SHOTS)
    return Backend(
        name=name,
        kind="local runtime",
        num_qubits=device.num_qubits,
        options=options,
        device=LocalRuntimeEstimator(device, level, options.seed, precision, settings),
        compiler=_compiler(device, options),
        wrappers=mitigation_wrappers(
            options.steps,
            MitigatedDevice(
                device.target,
                lambda qubits: calibrated(device.target, qubits, name),
                options.seed,
                BY_RUNTIME,
                CANDIDATES,
            ),
        ),
        default_precision=precision,
        device_options={"resilience_level": level, **settings},
        noise=calibrated(device.target, name=name).summary(),
        mitigations=ON_FAKES,
        rep_delay_seconds=rep_delay_seconds(device),
    )


def _compiler(device: Any, options: BackendOptions) -> Compiler:
    return Compiler(
        device.target,
        options.optimization_level,
        options.seed,
        trials=options.layout_trials,
        calibration_date=calibration_date(device),
    )


def _ibm_rows() -> Iterable[BackendRow]:
    what = "IBM hardware of the saved account"
    yield BackendRow("ibm:least_busy", "hardware", None, what)
    yield BackendRow("ibm:<name>", "hardware", None, what)


@register("ibm:", kind="hardware", what="IBM hardware", rows=_ibm_rows)
def open_ibm(name: str, options: BackendOptions) -> Backend:
    """IBM hardware of the account that is saved or in the environment.

    Tested with the unmodified client against a service on the same computer; IBM's own was never
    reached.

    Raises:
        CredentialsError: No usable account.
        BackendError: The service doesn't answer, or has no such machine.
    """
    options.only(name, ACCEPTED, ON_HARDWARE, reasons=NOT_ON_HARDWARE)
    return _on_machine(fetch_machine(name.removeprefix("ibm:")), options)


def _on_machine(machine: Any, options: BackendOptions) -> Backend:
    name = f"ibm:{machine.name}"
    options.only(name, ACCEPTED, ON_HARDWARE, reasons=NOT_ON_HARDWARE)
    level, settings = runtime_settings(options.steps)
    precision = options.sampling_precision or precision_of_shots(DEFAULT_SHOTS)
    return Backend(
        name=name,
        kind="hardware",
        num_qubits=machine.num_qubits,
        options=options,
        device=HardwareEstimator(machine, level, precision, settings),
        compiler=_compiler(machine, options),
        wrappers=mitigation_wrappers(
            options.steps,
            MitigatedDevice(machine.target, None, options.seed, BY_RUNTIME, CANDIDATES),
        ),
        default_precision=precision,
        device_options={"resilience_level": level, **settings},
        noise=calibrated(machine.target, name=machine.name).summary(),
        mitigations=ON_HARDWARE,
        rep_delay_seconds=rep_delay_seconds(machine),
        # The same machine, also where "least busy" would be another one by now.
        reopen=lambda changed: _on_machine(machine, changed),
    )


def fetch_machine(name: str) -> Any:
    """The machine of that name, or "least_busy", from the saved account.

    Raises:
        CredentialsError: No usable account.
        UnsafeAddressError: The account's key or tokens would travel to another address than IBM's.
        BackendError: The service doesn't answer, or has no such machine.
    """
    # The client's messages could hold parts of the account: only their type is passed on.
    try:
        service = open_service()
    except (CredentialsError, UnsafeAddressError):
        raise
    except (IBMAccountError, IBMNotAuthorizedError) as ex:
        if (host := _silent_host(ex)) is not None:
            raise BackendError(
                f"IBM Quantum can't be reached: no connection to {host}; nothing was asked"
            ) from None
        raise CredentialsError(
            f"no usable IBM Quantum account ({type(ex).__name__}): save one with "
            "QiskitRuntimeService.save_account(token=…, instance=…) or set QISKIT_IBM_TOKEN and "
            "QISKIT_IBM_INSTANCE"
        ) from None
    except Exception as ex:
        # Network and service errors have no common base in the client.
        raise BackendError(
            f"IBM Quantum refused or did not answer ({type(ex).__name__}): check the account, the "
            "instance and the network"
        ) from None
    try:
        return service.least_busy() if name == "least_busy" else service.backend(name)
    except Exception as ex:
        raise BackendError(
            f"can't open the IBM machine {name!r} ({type(ex).__name__}): it does not exist, is not "
            "open to this account, or IBM Quantum did not answer"
        ) from None


def _silent_host(failure: BaseException | None) -> str | None:
    """The address that gave no answer, where that is behind an error about the account.

    The client says "invalid account" also where it could ask nobody.
    """
    while failure is not None:
        if isinstance(failure, requests.ConnectionError | requests.Timeout):
            return "it" if failure.request is None else urlsplit(str(failure.request.url)).netloc
        failure = failure.__cause__ or failure.__context__
    return None
