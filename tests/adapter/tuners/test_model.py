"""What holds for every tuner in every model."""

import json

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file

from qvlm_qiskit.adapter.tuners.layer import TunerLinear
from qvlm_qiskit.adapter.tuners.model import linear_names
from qvlm_qiskit.errors import InputError, UnknownNameError


def logits(model, base):
    with torch.no_grad():
        return model(base.ids).logits


def parameters(model):
    return {n: p.detach().clone() for n, p in model.named_parameters()}


def test_a_tuner_trains_is_saved_loaded_switched_off_and_merged(base, tuner, train, tmp_path):
    plain = logits(base.fresh(), base)
    model = get_peft_model(base.fresh(), tuner.config(base.targets))
    assert torch.equal(logits(model, base), plain)
    before = parameters(model)
    losses = train(model, base.ids)
    assert losses[-1] < losses[0]
    changed = {n for n, p in parameters(model).items() if not torch.equal(p, before[n])}
    assert changed == {n for n, p in model.named_parameters() if p.requires_grad}
    assert all(f".{model.base_model.prefix}update." in name for name in changed)
    tuned = logits(model, base)
    assert (tuned - plain).abs().max() > 1e-4
    with model.disable_adapter():
        assert torch.equal(logits(model, base), plain)

    model.save_pretrained(tmp_path)
    for options in ({}, {"adapter_name": "other"}, {"low_cpu_mem_usage": True}):
        loaded = PeftModel.from_pretrained(base.fresh(), tmp_path, **options)
        assert torch.equal(logits(loaded, base), tuned)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert all("default" not in name for name in saved)
    trained = [n for n in saved if not n.endswith("places")]
    frozen = tuner.name == "frozen"
    count = sum(saved[n].numel() for n in trained if not (frozen and ".core." in n))
    assert count == model.get_nb_trainable_parameters()[0]

    if tuner.mergeable:
        merged = model.merge_and_unload()
        assert not any(isinstance(m, TunerLinear) for m in merged.modules())
        assert torch.allclose(logits(merged, base), tuned, atol=1e-5)
        assert [*merged.state_dict()] == [*base.fresh().state_dict()]
    else:
        with pytest.raises(InputError, match="can't be merged: its update is not linear"):
            model.merge_and_unload()
        assert torch.equal(logits(model, base), tuned)
        assert torch.equal(logits(model.unload(), base), plain)


def test_merging_is_undone_to_the_last_bit(base, tuner, train):
    if not tuner.mergeable:
        return
    model = get_peft_model(base.fresh(), tuner.config(base.targets))
    model.add_adapter("second", tuner.config(base.targets))
    before = parameters(base.fresh())
    for name in ("second", "default"):
        model.set_adapter(name)
        train(model, base.ids, 2)
    model.base_model.set_adapter(["default", "second"])
    both = logits(model, base)
    model.merge_adapter()
    merged = logits(model, base)
    assert torch.allclose(merged, both, atol=1e-5)
    assert not torch.equal(merged, both)
    model.unmerge_adapter()
    assert torch.equal(logits(model, base), both)
    plain = model.unload()
    assert all(torch.equal(p, before[n]) for n, p in plain.named_parameters())


def test_adapters_beside_each_other(base, tuner, train, tmp_path):
    model = get_peft_model(base.fresh(), tuner.config(base.targets))
    train(model, base.ids, 2)
    first = logits(model, base)
    model.add_adapter("second", tuner.config(base.targets[:1]))
    model.set_adapter("second")
    named = {n for n, p in model.named_parameters() if p.requires_grad}
    assert named
    assert all(".second." in n for n in named)
    train(model, base.ids, 3)
    second = logits(model, base)
    model.set_adapter("default")
    assert torch.equal(logits(model, base), first)
    model.save_pretrained(tmp_path)
    model.set_adapter("second")
    model.delete_adapter("default")
    assert torch.equal(logits(model, base), second)
    loaded = PeftModel.from_pretrained(base.fresh(), tmp_path)
    loaded.load_adapter(tmp_path / "second", "again")
    assert torch.equal(logits(loaded, base), first)
    loaded.set_adapter("again")
    assert torch.equal(logits(loaded, base), second)


def test_a_base_in_half_precision_has_tuners_in_single(base, tuner, train, tmp_path):
    model = get_peft_model(base.fresh(torch.bfloat16), tuner.config(base.targets))
    assert torch.equal(logits(model, base), logits(base.fresh(torch.bfloat16), base))
    losses = train(model, base.ids, 6)
    assert min(losses) < losses[0]
    model = model.to(torch.bfloat16)  # as a user may move the whole
    kinds = {p.dtype for n, p in model.named_parameters() if "_update." in n}
    assert kinds == {torch.float32}
    tuned = logits(model, base)
    assert tuned.dtype == torch.bfloat16
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(base.fresh(torch.bfloat16), tmp_path)
    assert torch.equal(logits(loaded, base), tuned)
    if tuner.mergeable:
        merged = model.merge_and_unload()
        assert {p.dtype for p in merged.parameters()} == {torch.bfloat16}
        assert torch.allclose(logits(merged, base).float(), tuned.float(), atol=0.05)


def test_whole_modules_are_saved_too(base, tuner, train, tmp_path):
    config = tuner.config(base.targets[:1], modules_to_save=["lm_head"])
    fresh = base.fresh()
    if base.kind == "gpt2":
        with pytest.warns(UserWarning, match="tie"):
            model = get_peft_model(fresh, config)
        return
    model = get_peft_model(fresh, config)
    losses = train(model, base.ids)
    assert losses[-1] < losses[0]
    model.save_pretrained(tmp_path)
    assert "base_model.model.lm_head.weight" in load_file(tmp_path / "adapter_model.safetensors")
    loaded = PeftModel.from_pretrained(base.fresh(), tmp_path)
    assert torch.equal(logits(loaded, base), logits(model, base))


def test_targets_that_are_not_there_are_named_before_anything_is_changed(base, tuner):
    model = base.fresh()
    known = linear_names(model)
    assert set(base.targets) < set(known)
    with pytest.raises(UnknownNameError, match=f"unknown target module 'qproj'.*{known[0]}"):
        get_peft_model(model, tuner.config([base.targets[0], "qproj"]))
    assert not any(isinstance(m, TunerLinear) for m in model.modules())
    norm = {"llama": "norm", "gpt2": "ln_f"}[base.kind]
    with pytest.raises(InputError, match=f"{norm} is a .*Norm: a tuner stands around linear"):
        get_peft_model(base.fresh(), tuner.config([norm]))


def test_targets_by_expression_by_layer_and_by_default(base, tuner):
    last = base.targets[0]
    chosen = get_peft_model(base.fresh(), tuner.config([last], layers_to_transform=[1]))
    assert [n for n in chosen.targeted_module_names if ".0." in n] == []
    assert len(chosen.targeted_module_names) == 1
    same = get_peft_model(base.fresh(), tuner.config(rf".*\.1\..*\.{last}"))
    assert same.targeted_module_names == chosen.targeted_module_names
    usual = get_peft_model(base.fresh(), tuner.config(None))
    assert {n.rpartition(".")[2] for n in usual.targeted_module_names} == {
        "llama": {"q_proj", "v_proj"}, "gpt2": {"c_attn"}
    }[base.kind]  # fmt: skip
    every = get_peft_model(base.fresh(), tuner.config("all-linear"))
    count = sum(n.rpartition(".")[2] in linear_names(base.fresh()) and "lm_head" not in n
                for n, _ in base.fresh().named_modules())  # fmt: skip
    assert len(every.targeted_module_names) == count


def test_the_file_of_a_configuration_is_the_same_each_time(base, tuner, tmp_path):
    config = tuner.config(["b", "a", "c"])
    config.target_modules = {"b", "a", "c"}
    config.save_pretrained(tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text("utf-8"))
    assert said["target_modules"] == ["a", "b", "c"]
    assert said["peft_type"] == config.tuner.value
