"""A block whose circuits have weights per group and per sample: counted, bought, trained."""

from contextlib import closing
from dataclasses import dataclass

import pytest
import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from safetensors.torch import load_file
from torch import nn

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.blocks import Block, ExpectationReadout, register_block
from qvlm_qiskit.evaluation import capture_rows, expectation_errors
from qvlm_qiskit.jobs import Budget, JobStore, Recording
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient, make_qnn
from qvlm_qiskit.recipes import BLOCKS
from qvlm_qiskit.training import Ledger, Subject, TrainingOptions, plan_training, train
from tests.conftest import forgetting

SPSA = SampledGradient("spsa")


@dataclass(frozen=True)
class Config:
    kind: str = "quantum"


def network():
    x, w, circuit = ParameterVector("x", 1), ParameterVector("w", 1), QuantumCircuit(1)
    circuit.ry(x[0], 0)
    circuit.rx(w[0], 0)
    return make_qnn(circuit, list(x), list(w))


@pytest.fixture(autouse=True)
def options():
    with forgetting(BLOCKS):

        @register_block("fast weights")
        class FastWeights(Block):
            place, config_class = "vision", Config
            angle_maps, circuits = ("angles", "programmer"), ("grouped", "fast")

            def __init__(self, config, width):
                super().__init__(config, width)
                self.angles = nn.Linear(width, 2, bias=False)
                self.programmer = nn.Linear(width, 1)
                self.grouped = QuantumLayer(network(), groups=2)
                self.fast = QuantumLayer(network())
                self.expand = ExpectationReadout(3, width)

            def forward(self, patches):
                angles = self.angles(patches)
                pair = self.grouped(angles[..., None])[..., 0]
                fast = self.fast(angles[..., :1], weight=self.programmer(patches))
                return patches + self.expand(torch.cat([pair, fast], -1))

        yield TrainingOptions(
            recipe="tiny", vision_block="fast weights", steps=1, batch_size=1, train_samples=2
        )


@pytest.mark.slow
def test_a_step_through_a_ledger_buys_what_was_planned(options, tmp_path):
    machine = open_backend("noisy:fake_manila", shots=16, seed=0)
    plan = plan_training(Subject(options), machine, SPSA)
    assert any(report.block.endswith("grouped") for report in plan.report.blocks)
    with closing(JobStore(tmp_path / "jobs")) as store:
        ledger = Ledger(store, Recording(budget=Budget(executions=10**6)), plan)
        run = train(options, tmp_path / "run", backend=machine, gradient=SPSA, ledger=ledger)
        assert [job.rows for job in store.find()] == [step.rows for step in plan.steps]
    trained = load_file(run.path / "model" / "model.safetensors")
    (name,) = [name for name in trained if name.endswith("grouped.weight")]
    start = dict(Subject(options).build().module.named_parameters())[name]
    assert trained[name].shape == (2, 1)
    assert (trained[name] != start).all()


def test_errors_of_a_machine_are_those_of_the_weights_that_were_sent(options, samples):
    found = Subject(options).build()
    model = found.module.eval()
    captured = capture_rows(model, found.inputs(samples[:2]), 20)
    widths = {name.split(".")[-1]: found.shape[1] for name, found in captured.items()}
    assert widths["grouped"] == widths["fast"] == 2
    for error in expectation_errors(model, captured, open_backend("statevector")):
        assert error.rms < 1e-5
