import pytest
import torch
import transformers as tf

from qvlm_qiskit.adapter.towers import VisionTower, _map, _regions
from qvlm_qiskit.errors import InputError, UnknownNameError
from tests.adapter import hubs

POOLED = {"clip": "cls", "siglip": "pooled", "siglip-headless": "mean", "vit": "cls",
          "dinov2": "cls"}  # fmt: skip


@pytest.mark.parametrize("name", POOLED)
def test_every_tower_gives_features_by_what_it_has(hub, pictures, name):
    tower = VisionTower(str(hub / name))
    assert (tower.pool, tower.width) == (POOLED[name], 16)
    features = tower.features(pictures)
    assert features.shape == (5, 16)
    assert features.dtype == torch.float32
    assert not any(p.requires_grad for p in tower.module.parameters())
    torch.testing.assert_close(tower.features(pictures[2:3])[0], features[2], atol=1e-5, rtol=0)


def test_features_of_a_clip_are_its_class_token_before_the_last_norm(hub, pictures):
    tower = VisionTower(str(hub / "clip"))
    whole = tf.CLIPModel.from_pretrained(hub / "clip").eval()
    pixels = tower.processor(images=pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        seen = whole.vision_model(pixel_values=pixels)
    torch.testing.assert_close(tower.features(pictures), seen.last_hidden_state[:, 0])
    pooled = VisionTower(str(hub / "clip"), pool="pooled").features(pictures)
    torch.testing.assert_close(pooled, seen.pooler_output)
    assert not torch.allclose(pooled, tower.features(pictures))


@pytest.mark.parametrize(
    ("name", "pool", "error", "says"),
    [
        ("siglip", "cls", InputError, "no class token: pool by pooled or mean"),
        ("siglip-headless", "pooled", InputError, "no pooled output: pool by cls or mean"),
        ("vit", "pooled", InputError, "no pooled output"),
        ("clip", "max", UnknownNameError, "unknown pooling of a vision tower 'max'"),
        ("llama", "auto", InputError, "no image processor can be opened"),
        ("nowhere", "auto", InputError, "no image processor can be opened from"),
    ],
)
def test_what_a_tower_lacks_is_said(hub, name, pool, error, says):
    with pytest.raises(error, match=says) as caught:
        VisionTower(str(hub / name), pool)
    assert "\n" not in str(caught.value)


def test_kept_features_are_those_of_the_picture_and_the_tower(hub, pictures, tmp_path):
    cache = tmp_path / "features"
    tower = VisionTower(str(hub / "clip"), cache=cache)
    first = tower.features(pictures[:3])
    assert len(list(cache.iterdir())) == 3
    seen = []
    tower._all = lambda images: seen.append(len(images)) or torch.zeros(len(images), 16)
    assert torch.equal(tower.features(pictures[:3]), first)
    assert seen == [0]
    tower.features(pictures[2:5])
    assert seen == [0, 2]
    other = VisionTower(str(hub / "clip"), pool="mean", cache=cache)
    assert not torch.allclose(other.features(pictures[:3]), first)
    assert len(list(cache.iterdir())) == 8


def test_a_tower_of_ones_own_is_opened_once_it_is_registered(tmp_path, pictures):
    class OwnConfig(tf.PretrainedConfig):
        model_type = "own_tower"

        def __init__(self, hidden_size=6, **more):
            super().__init__(**more)
            self.hidden_size = hidden_size

    class OwnTower(tf.PreTrainedModel):
        config_class = OwnConfig
        main_input_name = "pixel_values"

        def __init__(self, config):
            super().__init__(config)
            self.layer = torch.nn.Conv2d(3, config.hidden_size, 4, 4)
            self.post_init()

        def forward(self, pixel_values):
            return tf.modeling_outputs.BaseModelOutput(last_hidden_state=self.layer(pixel_values))

    tf.AutoConfig.register("own_tower", OwnConfig)
    tf.AutoModel.register(OwnConfig, OwnTower)
    OwnTower(OwnConfig()).save_pretrained(tmp_path)
    tf.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path)
    tower = VisionTower(str(tmp_path))
    assert (tower.pool, tower.features(pictures).shape) == ("mean", (5, 6))
    with pytest.raises(InputError, match="no class token"):
        VisionTower(str(tmp_path), pool="cls")


@pytest.mark.parametrize("name", POOLED)
@pytest.mark.parametrize("grid", [1, 2])
def test_regions_are_means_of_the_patches_in_them(hub, pictures, name, grid):
    tower = VisionTower(str(hub / name), grid=grid)
    pixels = tower.processor(images=pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        patches = tower.module(pixel_values=pixels).last_hidden_state[:, -4:]  # of 2 × 2
    expected = patches if grid == 2 else patches.mean(1, keepdim=True)
    found = tower.features(pictures)
    assert (tower.pool, tower.width, found.shape) == ("regions", 16, (5, grid**2, 16))
    torch.testing.assert_close(found, expected)


def test_a_map_of_rows_and_columns_is_cut_into_regions_row_by_row():
    seen = torch.arange(2 * 4 * 6, dtype=torch.float32).reshape(1, 2, 4, 6)
    found = _regions(seen, 2, "it")
    for number, (row, column) in enumerate([(0, 0), (0, 3), (2, 0), (2, 3)]):
        part = seen[0, :, row : row + 2, column : column + 3]
        torch.testing.assert_close(found[0, number], part.mean((1, 2)))


def test_tokens_behind_class_and_register_tokens_are_the_patches():
    hidden, pixels = torch.randn(2, 5 + 6, 3), torch.zeros(2, 3, 8, 12)
    config = tf.PretrainedConfig(patch_size=4)
    assert torch.equal(_map(hidden, pixels, config, "it").flatten(2).mT, hidden[:, 5:])
    square = _map(hidden[:, :9], pixels, tf.PretrainedConfig(), "it")
    assert torch.equal(square.flatten(2).mT, hidden[:, :9])
    with pytest.raises(InputError, match="the 11 tokens of it are no map of a picture"):
        _map(hidden, pixels, tf.PretrainedConfig(), "it")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"grid": 3}, "sees 2 × 2 patches of a picture, fewer than a grid of 3 × 3"),
        ({"grid": 2, "pool": "mean"}, "pool=mean is one vector of a picture"),
    ],
)
def test_what_has_no_such_regions_is_refused(hub, words, says):
    with pytest.raises(InputError, match=says):
        VisionTower(str(hub / "clip"), **words)


def test_kept_regions_are_those_of_the_grid(hub, pictures, tmp_path):
    seen = {}
    for grid in (None, 1, 2):
        tower = VisionTower(str(hub / "siglip"), cache=tmp_path, grid=grid)
        seen[grid] = tower.features(pictures[:2])
        again = VisionTower(str(hub / "siglip"), cache=tmp_path, grid=grid)
        again._all = lambda images: torch.zeros(len(images), 0)
        assert torch.equal(again.features(pictures[:2]), seen[grid])
    assert len(list(tmp_path.iterdir())) == 6
    assert {tuple(one.shape) for one in seen.values()} == {(2, 16), (2, 1, 16), (2, 4, 16)}


def test_hubs_have_what_they_say(hub):
    assert set(hubs.towers()) == set(POOLED)
