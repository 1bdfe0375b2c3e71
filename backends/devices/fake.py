"""Opener of fake devices behind the Runtime client's local mode."""

from __future__ import annotations

from collections.abc import Iterable

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import BackendRow, register
from qvlm_qiskit.backends.devices.fake_devices import (
    calibration_date,
    fake_device,
    fake_gates,
    fake_qubits,
    rep_delay_seconds,
)
from qvlm_qiskit.backends.devices.runtime import (
    DEFAULT_SHOTS,
    LocalRuntimeEstimator,
    runtime_settings,
)
from qvlm_qiskit.backends.devices.sampling import SAMPLING, compiler_for
from qvlm_qiskit.backends.mitigation import MitigatedDevice, mitigation_wrappers, offered
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.shots import precision_of_shots
from qvlm_qiskit.noise_models import calibrated


def _fake_rows() -> Iterable[BackendRow]:
    for device, qubits in fake_qubits().items():
        what = "the Runtime client on a fake device"
        if "u3" in fake_gates()[device]:
            what += "; no parametrised circuits (u3 gates)"
        yield BackendRow(device, "local runtime", qubits, what)


@register("fake_", kind="local runtime", what="Runtime client, fake device", rows=_fake_rows)
def open_fake(name: str, options: BackendOptions) -> Backend:
    """The unmodified Runtime client in local mode on a fake device."""
    offer = offered("fake")
    options.only(name, SAMPLING, offer.mitigations, reasons=offer.reasons)
    device = fake_device(name)
    level, settings = runtime_settings(options.steps)
    precision = options.sampling_precision or precision_of_shots(DEFAULT_SHOTS)
    return Backend(
        name=name,
        kind="local runtime",
        num_qubits=device.num_qubits,
        options=options,
        device=LocalRuntimeEstimator(device, level, options.seed, precision, settings),
        compiler=compiler_for(device.target, options, calibration_date(device)),
        wrappers=mitigation_wrappers(
            options.steps,
            MitigatedDevice(
                device.target,
                lambda qubits: calibrated(device.target, qubits, name),
                options.seed,
                "fake",
            ),
        ),
        default_precision=precision,
        device_options={"resilience_level": level, **settings},
        noise=calibrated(device.target, name=name).summary(),
        mitigations=offer.mitigations,
        rep_delay_seconds=rep_delay_seconds(device),
    )
