"""Descriptions that several tests of noise models start from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from qvlm_qiskit.noise_models import (
    GateNoise,
    NoiseSpec,
    QubitNoise,
    Snapshot,
)


def small_spec() -> NoiseSpec:
    return NoiseSpec(
        name="two qubits",
        basis_gates=("sx", "cz", "rz"),
        qubits=(QubitNoise(100.0, 80.0, 0.01, 0.03), QubitNoise(50.0, 100.0, 0.02, 0.05)),
        gates=(GateNoise("sx", (0,), 1, 0.001, 30.0), GateNoise("cz", (0, 1), 2, 0.02, 80.0)),
        physical_qubits=(7, 9),
    )


EVERY_FAMILY = (
    "depolarizing(0.01)+amplitude_damping(p2=0.02,p1=0.004)+phase_damping(0.01)"
    "+thermal(t1_us=100,t2_us=80)+readout(0.01,0.03)+over_rotation(-0.02)+zz(0.05)"
)


def of_age(days):
    moment = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return replace(small_spec(), snapshot=Snapshot("ibm_somewhere", moment, moment))
