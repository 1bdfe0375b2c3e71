"""What tests draw follows from their names: a test that fails by a draw fails everywhere."""

import random
import zlib

import numpy as np
import pytest
import torch
from hypothesis import settings


@pytest.fixture(scope="module")
def shared():
    return drawn()


def drawn_after(name):
    """What each generator draws first if it follows from this name."""
    seed = zlib.crc32(name.encode())
    return (
        random.Random(seed).random(),
        np.random.default_rng(random.Random(seed).getrandbits(128)).random(),
        np.random.RandomState(seed).random(),
        float(torch.rand(1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))),
    )


def drawn():
    unseeded = np.random.default_rng().random()
    numpy = np.random.random()  # noqa: NPY002
    return random.random(), unseeded, numpy, float(torch.rand(1, dtype=torch.float64))


@pytest.mark.parametrize("name", ["one", "other"])
def test_draws_follow_from_the_name_of_a_test(request, name):
    assert drawn() == drawn_after(request.node.nodeid)
    assert request.node.nodeid.endswith(f"[{name}]")


@pytest.mark.parametrize("time", ["first", "again"])
def test_what_is_shared_follows_from_its_own_name_and_moves_no_other_draw(request, time):
    """Whichever test is the first to ask for it, and however late."""
    together, own = request.getfixturevalue("shared"), drawn()
    assert together == drawn_after("tests/test_draws.py shared 0")
    assert own == drawn_after(request.node.nodeid)


def test_hypothesis_tries_the_same_examples_without_a_limit_of_time():
    assert settings.default.derandomize
    assert settings.default.deadline is None
