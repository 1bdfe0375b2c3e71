"""An estimator whose jobs cost something, for a service in its place; without pytest."""

from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import RYGate
from qiskit.primitives import StatevectorEstimator
from qiskit.transpiler import InstructionProperties, Target

from qvlm_qiskit.backends.pubs.work import Work


def target():
    """One qubit, a microsecond for a rotation and a readout."""
    made = Target(num_qubits=1, dt=1e-9)
    made.add_instruction(RYGate(Parameter("t")), {(0,): InstructionProperties(duration=1e-6)})
    made.add_instruction(Measure(), {(0,): InstructionProperties(duration=1e-6)})
    return made


class StatesExecutions(StatevectorEstimator):
    """An estimator that says what its jobs cost, and must never be run: the service runs."""

    def run(self, pubs, *, precision=None):
        raise AssertionError("the device ran outside the ledger")

    def jobs(self, pubs):
        work = []
        for pub in pubs:
            measured = pub.circuit.copy()
            measured.measure_all()
            work.append(Work(measured, pub.parameter_values.size, 100, target()))
        return [work]

    def error_gain(self, pub):
        return 1.0
