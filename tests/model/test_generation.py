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


def pictured(processor, samples, counts):
    """A prompt with so many images in each row, and the same rows one by one."""
    images = [sample.image for sample in samples]
    rows = [[images.pop(0) for _ in range(count)] for count in counts]
    texts = ["<s>" + "<image>" * count + samples[0].question for count in counts]

    def encoded(chosen):
        return processor(
            images=[rows[i] for i in chosen if rows[i]] or None,
            text=[texts[i] for i in chosen],
            padding=True,
            return_tensors="pt",
        )

    return encoded(range(len(counts))), [encoded([i]) for i in range(len(counts))]


@pytest.mark.parametrize("counts", [(2,), (2, 2), (1, 3), (2, 0, 1), (0, 0), (1, 1)], ids=str)
def test_every_copy_of_a_row_sees_its_own_images_in_their_order(model, processor, samples, counts):
    together, alone = pictured(processor, samples, counts)
    for row in range(len(counts)):
        with torch.no_grad():
            want = model(**alone[row]).logits[0, -1]
        for options in (
            {"do_sample": True},
            {"num_beams": 3},
            {"num_beams": 3, "use_cache": False},
        ):
            found = model.generate(
                **together, max_new_tokens=1, num_return_sequences=3, output_logits=True,
                return_dict_in_generate=True, **options,
            ).logits[0]  # fmt: skip
            copies = found.reshape(len(counts), 3, -1)[row]
            torch.testing.assert_close(copies, want.expand(3, -1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("counts", "options"),
    [
        ((2, 1), {}),
        ((2, 1), {"num_beams": 3}),
        ((2, 1), {"num_beams": 3, "use_cache": False}),
        ((2, 1), {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 2.0}),
        ((2, 1), {"cache_implementation": "static"}),
        ((2,), {"prompt_lookup_num_tokens": 2}),
    ],
    ids=str,
)
def test_several_images_give_the_answers_of_each_row_alone(
    model, processor, samples, counts, options
):
    together, alone = pictured(processor, samples, counts)
    length = together["input_ids"].shape[1]
    asked = {"max_new_tokens": 4, "do_sample": False, **options}
    found = model.generate(**together, **asked)[:, length:]
    copies = options.get("num_return_sequences", 1)
    for row, inputs in enumerate(alone):
        own = model.generate(**inputs, **asked)[:, inputs["input_ids"].shape[1] :]
        for one, other in zip(found[copies * row : copies * (row + 1)], own, strict=True):
            assert one[: len(other)].tolist() == other.tolist()
