"""Equal tokens at equal positions are one row; what was computed is kept while nothing changes."""

import copy
import pickle

import pytest
import torch

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.model.text_mixing import KnownRows, mix_tokens


@pytest.fixture
def counted(model):
    """A model, and how many rows its text circuit was asked for in each call."""
    asked = []
    encode = model.paqm.core.layer.encode

    def listen(features, *rest):
        asked.append(features.shape[:-1].numel())
        return encode(features, *rest)

    model.paqm.core.layer.encode = listen
    return model, asked


def test_rows_and_gradients_are_those_of_every_token(model, batch):
    tokens = torch.tensor([4, 4, 5, 4, 5, 4])
    positions = torch.tensor([0, 0, 1, 3, 1, 0])
    found, expected = [], []
    for into, equal_once in ((found, True), (expected, False)):
        model.zero_grad()
        rows = model.decoder.embed_tokens(tokens)
        if equal_once:
            values = mix_tokens(model.paqm, rows, tokens, positions, None)
        else:
            values = model.paqm(rows[None], positions[None])[0]
        values.square().sum().backward()
        into += [values.detach(), model.decoder.embed_tokens.weight.grad.clone()]
        into += [p.grad.clone() for p in model.paqm.parameters()]
    torch.testing.assert_close(found, expected)


def test_a_generation_asks_for_pairs_never_seen_only(counted, prompts):
    model, asked = counted
    given = prompts.inputs()
    answer = model.generate(**given, max_new_tokens=4)
    first = sum(asked)
    asked.clear()
    again = model.generate(**given, max_new_tokens=4)
    assert first > 0 and sum(asked) == 0
    assert torch.equal(answer, again)


def test_the_same_weights_elsewhere_are_asked_again(counted, prompts):
    model, asked = counted
    given = prompts.inputs()
    with torch.no_grad():
        plain = model(**given).logits
        with model.run_on(open_backend("noisy:depolarizing(0.2)", precision=0)):
            asked.clear()
            noisy = model(**given).logits
            assert sum(asked) > 0
            asked.clear()
            torch.testing.assert_close(model(**given).logits, noisy)
            assert sum(asked) == 0
        torch.testing.assert_close(model(**given).logits, plain)
    assert not torch.allclose(noisy, plain)


def test_samples_are_never_kept(model, prompts):
    given = prompts.inputs()
    with torch.no_grad(), model.run_on(open_backend("noisy:depolarizing(0.1)", shots=50)):
        one, other = model(**given).logits, model(**given).logits
    assert not torch.equal(one, other)


CHANGES = {
    "an angle": lambda model: model.paqm.core.layer.weight.data.add_(0.3),
    "an order": lambda model: model.paqm.core.layer.weight.data.copy_(
        model.paqm.core.layer.weight.data.flip(0)
    ),
    "a map": lambda model: model.paqm.reduce.weight.data.mul_(1.5),
    "a gate": lambda model: model.paqm.gate.logit.data.fill_(1.0),
    "an embedding": lambda model: model.decoder.embed_tokens.weight.data.add_(0.1),
    "a dtype": lambda model: model.double(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_is_seen(model, prompts, change):
    """Also where torch's own versions don't change: by way of ``.data``."""
    given = prompts.inputs()
    with torch.no_grad():
        before = model(**given).logits
        CHANGES[change](model)
        if change == "a dtype":
            given["pixel_values"] = given["pixel_values"].double()
        found = model(**given).logits
        fresh = copy.deepcopy(model)
        assert not fresh._known_rows.rows
        torch.testing.assert_close(found, fresh(**given).logits)
    assert change == "a dtype" or not torch.allclose(found, before)


def test_nothing_is_kept_while_it_trains(model, batch, prompts):
    model(**batch)
    assert not model._known_rows.rows
    with torch.no_grad():
        model.train()(**batch)
        assert not model._known_rows.rows
        model.eval()(**prompts.inputs())
    assert model._known_rows.rows
    assert not pickle.loads(pickle.dumps(model._known_rows)).rows


def test_no_tokens_are_no_rows(model):
    none = torch.zeros(0, dtype=torch.long)
    assert mix_tokens(model.paqm, torch.zeros(0, 16), none, none, KnownRows()).shape == (0, 16)
