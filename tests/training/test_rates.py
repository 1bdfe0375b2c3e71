"""Parts of a model with learning rates of their own; a test of `training/trainer.py`."""

import torch
from torch import nn

from qvlm_qiskit.basics.progress import silent
from qvlm_qiskit.training import TrainingOptions
from qvlm_qiskit.training.trainer import Log, make_trainer


class Parts(nn.Module):
    rate_factors = {"head": 10.0, "head.wide": 0.5}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 2)
        self.head = nn.ModuleDict({"wide": nn.Linear(2, 2), "last": nn.Linear(2, 1)})

    def forward(self, x, labels=None):
        y = self.head["last"](self.head["wide"](self.body(x)))
        return {"loss": y.square().mean()}


def trainer_of(model, tmp_path):
    options = TrainingOptions(steps=4, batch_size=2, train_samples=8, learning_rate=0.01)
    rows = [{"x": torch.ones(2) * i, "labels": torch.tensor(0)} for i in range(8)]
    with silent("training", 4) as report:
        return make_trainer(model, rows, options, tmp_path / "checkpoints", Log(report, None))


def test_every_part_has_its_rate_and_its_decay(tmp_path):
    model = Parts()
    optimiser = trainer_of(model, tmp_path).create_optimizer()
    rates = {p: group["lr"] for group in optimiser.param_groups for p in group["params"]}
    decay = {p: group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert len(rates) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        factor = 0.5 if "wide" in name else 10.0 if name.startswith("head") else 1.0
        assert rates[parameter] == 0.01 * factor
        assert (decay[parameter] > 0) == name.endswith("weight")


def test_a_model_without_such_parts_is_trained_as_ever(tmp_path):
    plain = Parts()
    plain.rate_factors = {}
    optimiser = trainer_of(plain, tmp_path).create_optimizer()
    assert {group["lr"] for group in optimiser.param_groups} == {0.01}
