"""The names that are known without torch are those that the model and its blocks have."""

import pytest

from qvlm_qiskit.blocks import BLOCK_KINDS
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.model import RECIPES
from qvlm_qiskit.recipes import (
    KINDS_OF_BLOCKS,
    RECIPE_NAMES,
    TrainingOptions,
    check_recipe,
    read_block_name,
)


def test_the_light_names_are_the_model_s():
    assert tuple(RECIPES) == RECIPE_NAMES
    assert (*BLOCK_KINDS, "none") == KINDS_OF_BLOCKS


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown recipe 'smal': did you mean 'small'"):
        check_recipe("smal")
    with pytest.raises(UnknownNameError, match="unknown kind of block 'frosen'"):
        check_recipe("tiny", "frosen")


@pytest.mark.parametrize("changes", [{"steps": 0}, {"learning_rate": 0.0}, {"seed": -1}])
def test_what_can_not_be_trained_with_is_refused(changes):
    with pytest.raises(InputError):
        TrainingOptions(**changes)


def test_a_block_is_a_name_with_options():
    assert read_block_name("qcnn(encoding=mps,pooling=1)").options == {
        "encoding": "mps", "pooling": "1",
    }  # fmt: skip
    assert TrainingOptions(text_block="paqm(bond=2)").chosen_blocks == {"text": "paqm(bond=2)"}
    for text, says in {"qcn(pooling=1)": "did you mean 'qcnn'", "qcnn:a": "NAME or NAME"}.items():
        with pytest.raises(InputError, match=says):
            TrainingOptions(vision_block=text)
