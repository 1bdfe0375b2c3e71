import math

import pytest
import torch
from peft import PeftModel, get_peft_model
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector
from torch import nn
from transformers import Trainer, TrainingArguments

from qvlm_qiskit.adapter.tuners import QuantumLoraConfig
from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import quantum_layers, run_on


def update(**options):
    torch.manual_seed(3)
    made = QuantumLoraConfig(**options).build(10, 7)
    nn.init.normal_(made.expand.weight)
    return made


def test_the_update_is_what_its_formula_says():
    made = update(r=3, num_layers=2, scaling=0.5)
    values = torch.randn(4, 10) * 3 + 1
    got = made(values).detach()
    weights = made.core.layer.weight.detach().double().numpy().reshape(2, 3, 3)
    for row, value in zip(values.double(), got, strict=True):
        unit = (row - row.mean()) / row.var(unbiased=False).sqrt()
        angles = math.pi / 2 * torch.tanh(made.reduce.weight.double() @ unit)
        circuit = QuantumCircuit(3)
        for qubit, angle in enumerate(angles.tolist()):
            circuit.ry(angle, qubit)
        for layer in weights:
            for qubit, (ry, rz, rx) in enumerate(layer):
                circuit.ry(ry, qubit)
                circuit.rz(rz, qubit)
                circuit.rx(rx, qubit)
            for qubit in range(3):
                circuit.cx(qubit, (qubit + 1) % 3)
        state = Statevector(circuit)
        read = [state.expectation_value(SparsePauliOp.from_sparse_list([("Z", [q], 1)], 3)).real
                for q in range(3)]  # fmt: skip
        wanted = 0.5 * made.expand.weight.double() @ torch.tensor(read)
        assert torch.allclose(value.double(), wanted, atol=1e-5)


def test_angles_are_loaded_before_every_layer():
    made = update(r=2, num_layers=3, encoding="re-upload")
    assert made.core.layer.neural_network.num_inputs == 6
    assert sum(p.numel() for p in made.parameters()) == 2 * 17 + 3 * 2 * 3 + 2 * 2 * 3
    assert torch.isfinite(made(torch.randn(2, 10))).all()


@pytest.mark.parametrize(("r", "layers"), [(1, 1), (4, 1), (3, 2)])
def test_the_twin_has_as_many_parameters(r, layers):
    wanted = r * (10 + 7) + 3 * r * layers
    for core in ("quantum", "classical"):
        made = update(r=r, num_layers=layers, core=core)
        assert sum(p.numel() for p in made.parameters() if p.requires_grad) == wanted
    frozen = update(r=r, num_layers=layers, core="frozen")
    assert sum(p.numel() for p in frozen.parameters() if p.requires_grad) == r * 17


def test_the_twin_has_no_circuit_and_the_frozen_one_stays(base, train, tmp_path):
    folder = tmp_path / "frozen"
    for core, circuits in (("quantum", 2), ("classical", 0), ("frozen", 2)):
        config = QuantumLoraConfig(r=2, core=core, target_modules=base.targets[:1])
        model = get_peft_model(base.fresh(), config)
        layers = quantum_layers(model)
        assert len(layers) == circuits
        before = [layer.weight.detach().clone() for layer in layers.values()]
        for name in ("other", "default"):
            if name not in model.peft_config:
                model.add_adapter(
                    name, QuantumLoraConfig(r=2, core=core, target_modules=base.targets[:1])
                )
            model.set_adapter(name)
        train(model, base.ids, 2)
        same = [torch.equal(a, b.weight) for a, b in zip(before, layers.values(), strict=True)]
        assert same == [core == "frozen"] * circuits
    model.save_pretrained(folder)
    again = PeftModel.from_pretrained(base.fresh(), folder, is_trainable=True)
    trained = [n for n, p in again.named_parameters() if p.requires_grad]
    assert trained
    assert not any(".core." in name for name in trained)


def test_circuits_run_on_another_machine(base, train):
    config = QuantumLoraConfig(r=2, target_modules=base.targets[:1], layers_to_transform=[0])
    model = get_peft_model(base.fresh(), config)
    train(model, base.ids, 2)
    ids = base.ids[:1, :2]
    with torch.no_grad():
        exact = model(ids).logits
        with run_on(model, open_backend("aer", shots=20_000, seed=1)):
            sampled = model(ids).logits
        with run_on(model, open_backend("statevector")):
            again = model(ids).logits
    assert not torch.equal(sampled, exact)
    assert torch.allclose(sampled, exact, atol=0.05)
    assert torch.allclose(again, exact, atol=1e-5)


def test_it_has_no_matrix(base):
    model = get_peft_model(base.fresh(), QuantumLoraConfig(target_modules=base.targets))
    layer = model.get_submodule(f"base_model.model.{model.targeted_module_names[0]}")
    with pytest.raises(InputError, match="not linear in its inputs: it has no ΔW"):
        layer.get_delta_weight("default")
    assert not layer.supports_lora_conversion()


def test_what_no_circuit_has_is_refused():
    with pytest.raises(UnknownNameError, match="core 'quantom': did you mean 'quantum'"):
        QuantumLoraConfig(core="quantom")
    with pytest.raises(UnknownNameError, match="encoding 'amplitude'"):
        QuantumLoraConfig(encoding="amplitude")
    for wrong in ({"r": 0}, {"num_layers": 0}, {"r": 2.5}):
        with pytest.raises(InputError, match="whole number"):
            QuantumLoraConfig(**wrong)


def test_inputs_of_any_size_keep_a_slope():
    made = update(r=3)
    values = (torch.randn(5, 10) * 1e4).requires_grad_()
    made(values).square().sum().backward()
    assert made.reduce.weight.grad.abs().max() > 1e-3
    assert torch.isfinite(values.grad).all()


def test_the_trainer_of_transformers_trains_and_saves_it(base, tmp_path):
    config = QuantumLoraConfig(r=2, target_modules=base.targets[:1], task_type="CAUSAL_LM")
    model = get_peft_model(base.fresh(), config)
    rows = [{"input_ids": row, "labels": row} for row in base.ids]
    options = TrainingArguments(
        output_dir=tmp_path, max_steps=3, save_steps=3, learning_rate=0.02, report_to=[],
        per_device_train_batch_size=3, logging_steps=1, use_cpu=True, disable_tqdm=True,
        dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(model, options, train_dataset=rows)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0]
    assert model.get_model_status().peft_types == {"default": "QUANTUM_LORA"}
    loaded = PeftModel.from_pretrained(base.fresh(), tmp_path / "checkpoint-3")
    with torch.no_grad():
        assert torch.equal(loaded(base.ids).logits, model.eval()(base.ids).logits)
