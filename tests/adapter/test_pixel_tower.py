import numpy as np
import pytest
import torch
from PIL import Image
from qiskit.quantum_info import Statevector

from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.cores import build_core
from qvlm_qiskit.adapter.pixel_tower import PixelTower


def grey(levels):
    return Image.fromarray(np.array(levels, dtype=np.uint8))


def test_pixels_are_the_picture_row_by_row():
    picture = grey([[0, 255, 51, 0], [10, 20, 30, 40]])
    (found,) = PixelTower(3).features([picture])
    torch.testing.assert_close(255 * found, torch.tensor([0.0, 255, 51, 0, 10, 20, 30, 40]))


def test_regions_are_parts_of_the_picture():
    levels = np.arange(64).reshape(8, 8)
    (found,) = PixelTower(4, grid=2).features([grey(levels)])
    for number, (row, column) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        part = levels[row : row + 4, column : column + 4]
        np.testing.assert_allclose(255 * found[number].numpy(), part.ravel(), atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_pictures_of_any_size_and_mode_have_as_many_pixels_as_amplitudes(pictures, n):
    tower = PixelTower(n)
    assert tower.width == 2**n
    given = [pictures[0], pictures[1].convert("L"), pictures[2].convert("RGBA"),
             pictures[3].convert("1"), Image.new("RGB", (1, 1), "red")]  # fmt: skip
    found = tower.features(given)
    assert found.shape == (5, 2**n)
    assert 0 <= found.min() <= found.max() <= 1
    assert PixelTower(n, 3).features(given).shape == (5, 9, 2**n)
    assert PixelTower(n).features([]).shape == (0, 2**n)


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_a_black_picture_is_a_uniform_one(kind):
    """As is every other picture of one grey level."""
    tower = PixelTower(4)
    seen = tower.features([grey(np.full((6, 6), level)) for level in (0, 1, 128, 255)])
    torch.manual_seed(0)
    core = build_core(ProjectionConfig(kind=kind, num_qubits=4, encoding="amplitude"))
    values = core(seen)
    torch.testing.assert_close(values, values[:1].expand(4, -1), atol=1e-6, rtol=0)
    if kind == "quantum":
        network = core.layer.neural_network
        weights = dict(zip(network.weight_params, core.layer.weight.tolist(), strict=True))
        rest = network.circuit.copy_empty_like()
        for each in network.circuit.data[1:]:
            rest.append(each)
        state = Statevector(np.full(16, 0.25)).evolve(rest.assign_parameters(weights, strict=False))
        expected = [state.expectation_value(one).real for one in network.observables]
        np.testing.assert_allclose(values[0].detach().numpy(), expected, atol=1e-6)


def test_a_region_without_light_is_uniform_too():
    levels = np.zeros((4, 4))
    levels[2:, 2:] = [[10, 20], [30, 40]]
    (found,) = PixelTower(2, grid=2).features([grey(levels)])
    assert found[:3].tolist() == [[1.0] * 4] * 3
    torch.testing.assert_close(255 * found[3], torch.tensor([10.0, 20, 30, 40]))


def test_towers_that_see_otherwise_have_other_digests():
    assert len({PixelTower(*how).digest for how in [(2,), (3,), (2, 2), (2, 3)]}) == 4
    assert PixelTower(2).digest == PixelTower(2).digest
