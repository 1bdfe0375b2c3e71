"""A promise of model and processor together: transformers' own ``generate`` answers."""

import pytest
import torch
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.data import encode_prompts
from qvlm_qiskit.model import HybridVLM


def generate(model, batch, **options):
    options = {"max_new_tokens": 6, "do_sample": False, **options}
    output = model.generate(**batch.inputs(), **options)
    return output[:, batch.input_ids.shape[1] :]


@pytest.fixture(params=["quantum", "classical", "none"])
def any_model(request, make_model):
    return make_model(request.param, seed=2)


def test_left_padding_changes_no_answer(any_model, processor, samples, prompts):
    together = generate(any_model, prompts)
    assert (prompts.attention_mask == 0).any()
    for row, sample in enumerate(samples):
        alone = encode_prompts(processor, [sample.image], [sample.question])
        assert alone.attention_mask.all()
        answer = generate(any_model, alone)[0]
        assert together[row, : len(answer)].tolist() == answer.tolist()


def test_the_cache_changes_no_answer(any_model, prompts):
    cached = generate(any_model, prompts, use_cache=True)
    uncached = generate(any_model, prompts, use_cache=False)
    assert cached.tolist() == uncached.tolist()


def test_every_step_is_the_forward_pass_of_everything_before_it(model, prompts):
    tokens = generate(model, prompts, max_new_tokens=4)
    ids, mask = prompts.input_ids, prompts.attention_mask
    finished = torch.zeros(len(ids), dtype=torch.bool)
    for step in range(tokens.shape[1]):
        with torch.no_grad():
            logits = model(
                input_ids=ids, attention_mask=mask, pixel_values=prompts.pixel_values
            ).logits[:, -1]
        logits[:, model.config.image_token_id] = -torch.inf
        expected = logits.argmax(-1)
        assert torch.equal(tokens[~finished, step], expected[~finished])
        finished |= tokens[:, step] == model.generation_config.eos_token_id
        ids = torch.cat([ids, tokens[:, step : step + 1]], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)


def eager_for_images(model):
    """Make the image token by far the most likely one."""
    head = model.lm_head.forward

    def forward(hidden):
        logits = head(hidden)
        logits[..., model.config.image_token_id] = 50.0
        return logits

    model.lm_head.forward = forward
    return model


@pytest.mark.parametrize(
    "options",
    [{}, {"do_sample": True, "temperature": 5.0}, {"num_beams": 3}, {"use_cache": False}],
    ids=["greedy", "sampled", "beams", "no cache"],
)
def test_the_image_token_is_never_generated(make_model, prompts, options):
    torch.manual_seed(0)
    model = eager_for_images(make_model())
    tokens = generate(model, prompts, max_new_tokens=8, **options)
    assert tokens.numel()
    assert not (tokens == model.config.image_token_id).any()


def test_a_stored_model_does_not_generate_the_image_token_either(model, prompts, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = HybridVLM.from_pretrained(tmp_path)
    assert generate(loaded, prompts).tolist() == generate(model, prompts).tolist()
    tokens = generate(eager_for_images(loaded), prompts)
    assert not (tokens == loaded.config.image_token_id).any()


def test_beams_and_several_answers_keep_their_image(model, prompts):
    beams = generate(model, prompts, num_beams=2)
    assert len(beams) == len(prompts)
    one_by_one = [generate(model, prompts[i : i + 1], num_beams=2)[0] for i in range(len(prompts))]
    for together, alone in zip(beams, one_by_one, strict=True):
        assert together[: len(alone)].tolist() == alone.tolist()
    torch.manual_seed(0)
    several = generate(model, prompts, do_sample=True, num_return_sequences=2)
    assert len(several) == 2 * len(prompts)


def test_an_answer_ends_with_the_end_token_and_is_padded_after_it(make_model, prompts):
    model = make_model()
    eos, pad = model.config.text_config.eos_token_id, model.config.text_config.pad_token_id

    def forward(hidden):
        logits = torch.zeros(*hidden.shape[:-1], 64)
        logits[0, :, 9] = 1.0
        logits[1:, :, eos] = 1.0
        return logits

    model.lm_head.forward = forward
    tokens = generate(model, prompts, max_new_tokens=3)
    assert tokens[0].tolist() == [9, 9, 9]
    assert tokens[1].tolist() == [eos, pad, pad]


def test_generation_runs_on_another_estimator_and_gives_the_same(model, prompts):
    own = generate(model, prompts[:2], max_new_tokens=3)
    with model.run_on(StatevectorEstimator()):
        other = generate(model, prompts[:2], max_new_tokens=3)
    assert other.tolist() == own.tolist()


def test_images_are_encoded_once_per_answer_with_a_cache(model, prompts, monkeypatch):
    calls = []
    encode = model.get_image_features
    monkeypatch.setattr(
        model, "get_image_features", lambda pixels: calls.append(len(pixels)) or encode(pixels)
    )
    generate(model, prompts, max_new_tokens=4)
    assert calls == [len(prompts)]
