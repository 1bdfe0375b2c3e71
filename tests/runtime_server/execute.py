"""Run `executor` programs: for real on a cut-down device, or at once with fixed bits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor.version_2_0 import (
    ChunkPart,
    ChunkSpan,
    ItemMetadataModel,
    MetadataModel,
    QuantumProgramResultItemModel,
    QuantumProgramResultModel,
)
from numpy.typing import NDArray
from qiskit_ibm_runtime.fake_provider.executor.broadcast_sample import broadcast_sample
from qiskit_ibm_runtime.quantum_program import QuantumProgram
from qiskit_ibm_runtime.quantum_program.converters.converters_2_0 import passthrough_data_to_2_0
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS
from samplomatic.quantum_program import CircuitItem, SamplexItem

from qvlm_qiskit.backends.devices.programs import bits_in_parts
from qvlm_qiskit.backends.pubs.active_qubits import ReducedBackend

from .circuits import certain_bits, observed_qubits, register_bits
from .legacy import run_estimator
from .machines import Machine
from .records import JobRecord, Outcome

SCHEMA = "v2.0"
# Noisy local simulation beyond this runs into gigabytes and hours.
MAX_QUBITS = 24

Arrays = dict[str, NDArray[Any]]


class ProgramRunner:
    """Executes jobs.

    Args:
        machines: By name.
        instant: Nothing is simulated; bits are those of `fixed_bits`.
        seed: Of the simulation; a job's results depend on it and on the job's place in line.
    """

    def __init__(self, machines: dict[str, Machine], instant: bool, seed: int) -> None:
        self.machines = machines
        self.instant = instant
        self._seeds = np.random.default_rng(seed)

    def __call__(self, record: JobRecord) -> Outcome:
        """Run a job's program and encode its result as the service does."""
        machine = self.machines[record.backend]
        seed = int(self._seeds.integers(2**31))
        params = record.payload["params"]
        if record.program_id == "estimator":
            return run_estimator(params, machine, self.instant or machine.mock, seed)
        started, fixed = datetime.now(UTC), self.instant or machine.mock
        program = decode_program(params)
        arrays = _fabricate(program) if fixed else simulate(program, machine, seed)
        result = encode_result(program, arrays, started)
        return Outcome(result, sum(item.size() for item in program.items) * program.shots)


def decode_program(params: dict[str, Any]) -> QuantumProgram:
    """The quantum program in a job's `params`.

    Raises:
        ValueError: Another schema version, measurement level or form than v2.0's.
    """
    converter = QUANTUM_PROGRAM_PARAMS_CONVERTERS[SCHEMA]
    model = converter.model.model_validate_json(json.dumps(params))
    program, _ = converter.decoder(model)
    if program.meas_level != "classified":
        raise ValueError(f"meas_level {program.meas_level!r} is not simulated")
    for item in program.items:
        if isinstance(item, SamplexItem):
            item.samplex.finalize()
    return program


def two_qubit_gates(params: dict[str, Any]) -> int:
    """Of all circuits of a program, each counted once."""
    circuits = (item.circuit for item in decode_program(params).items)
    return sum(circuit.decompose("box").num_nonlocal_gates() for circuit in circuits)


def encode_result(program: QuantumProgram, items: list[Arrays], started: datetime) -> str:
    """The text of a result, schema v2.0."""
    parts = [
        ChunkPart(
            idx_item=place,
            size=item.size(),
            permutation=list(range(len(item.shape))),
            element_range=(0, item.size(), 1),
        )
        for place, item in enumerate(program.items)
    ]
    span = ChunkSpan(start=started, stop=datetime.now(UTC), parts=parts)
    model = QuantumProgramResultModel(
        data=[
            QuantumProgramResultItemModel(
                results={k: CompressedTensorModel.from_numpy(v) for k, v in arrays.items()},
                metadata=ItemMetadataModel(),
            )
            for arrays in items
        ],
        metadata=MetadataModel(chunk_timing=[span]),
        passthrough_data=passthrough_data_to_2_0(program.passthrough_data),
        semantic_role=program._semantic_role,
    )
    return str(model.model_dump_json())


def simulate(program: QuantumProgram, machine: Machine, seed: int) -> list[Arrays]:
    """Sample every item of a program under the machine's noise.

    Qubits that are in no observable and whose outcome is certain are filled in without noise; of
    the others, over all items of the program, those that gates connect are simulated together.

    Raises:
        CapacityError: More connected qubits than a simulation takes.
    """
    rng = np.random.default_rng(seed)
    sampled = [_sample(item, rng) for item in program.items]
    known = [
        certain_bits(item.circuit, values)
        for item, (_, values) in zip(program.items, sampled, strict=True)
    ]
    widest = range(max(item.circuit.num_qubits for item in program.items))
    observed = observed_qubits(program.passthrough_data)
    open_ = [q for q in widest if q in observed or any(q not in bits for bits in known)]
    qubits = tuple(open_) or (0,)
    items = [
        (item.circuit, values) for item, (_, values) in zip(program.items, sampled, strict=True)
    ]
    result = bits_in_parts(
        items,
        qubits,
        program.shots,
        lambda part: _reduced_device(machine, part),
        seed,
        MAX_QUBITS,
    )
    arrays = []
    for item, (extra, _), bits, measured in zip(program.items, sampled, known, result, strict=True):
        filled = {name: np.array(array) for name, array in measured.items()}
        idle = set(bits) - set(qubits)
        for qubit, register, place in register_bits(item.circuit, idle):
            filled[register][..., place] = bits[qubit][..., None]
        arrays.append({**extra, **filled})
    return arrays


def _sample(
    item: CircuitItem | SamplexItem, rng: np.random.Generator
) -> tuple[Arrays, NDArray[np.float64]]:
    """What the randomisation of an item drew, and the circuit's parameter values (…, P)."""
    if isinstance(item, CircuitItem):
        return {}, np.asarray(item.circuit_arguments, dtype=float)
    drawn = broadcast_sample(item.samplex, item.samplex_arguments, item.shape, rng)
    values = drawn.pop("parameter_values", np.empty((*item.shape, 0)))
    return drawn, np.asarray(values, dtype=float)


@lru_cache(maxsize=128)
def _reduced_device(machine: Machine, qubits: tuple[int, ...]) -> ReducedBackend:
    return ReducedBackend(machine.device, qubits)


def _fabricate(program: QuantumProgram) -> list[Arrays]:
    """Fixed bits in the shapes of a real result; see `fixed_bits`."""
    found = []
    for item in program.items:
        arrays: Arrays = {}
        for register in item.circuit.cregs:
            bits = fixed_bits(program.shots, register.size)
            arrays[register.name] = np.tile(bits, (*item.shape, 1, 1))
        if isinstance(item, SamplexItem):
            for spec in item.samplex.outputs().specs:
                if spec.name != "parameter_values":
                    shape = (*item.shape, *spec.shape[1:])
                    arrays[spec.name] = np.zeros(shape, dtype=spec.dtype)
        found.append(arrays)
    return found


def fixed_bits(shots: int, size: int) -> NDArray[np.bool_]:
    """(shots, size) bits that are 0 but for the first few shots.

    Shot 0 reads 1 everywhere and shot 1 + b reads, in place j, bit b of j + 1: the parity of one
    place or of two is odd in at least one shot and even in most, so that no expectation value has
    a standard error of 0, with which the client could not extrapolate.
    """
    places = np.arange(1, size + 1)
    rows = [np.ones(size, dtype=bool)]
    rows += [(places >> b) % 2 == 1 for b in range(size.bit_length())]
    bits = np.zeros((shots, size), dtype=bool)
    used = rows[: max(shots // 2, 0)]
    if used:
        bits[: len(used)] = used
    return bits
