import pytest

from qvlm_qiskit.blocks import BLOCKS
from qvlm_qiskit.blocks.zoo import build, find_core, zoo_names
from qvlm_qiskit.errors import InputError, UnknownNameError
from tests.blocks.zoo.conftest import SMALL


def test_every_model_of_the_zoo_is_a_file_and_has_small_sizes():
    assert set(SMALL) == set(zoo_names()) == set(BLOCKS.own) - {"paqm", "qcnn"}


@pytest.mark.parametrize("name", zoo_names())
def test_the_default_sizes_can_be_built(name):
    core = build(name)
    assert core.config.kind == "quantum"
    assert isinstance(core, find_core(name))


def test_a_block_outside_of_the_zoo_has_no_core_in_it():
    with pytest.raises(UnknownNameError, match="unknown block of the zoo 'qcnn'"):
        find_core("qcnn")
    with pytest.raises(UnknownNameError, match="did you mean 'qkan'"):
        build("qkam")


@pytest.mark.parametrize("name", [None, 3, ["qkan"]])
def test_what_is_no_name_is_an_unknown_one(name):
    with pytest.raises(UnknownNameError, match="unknown block"):
        build(name)


def test_options_are_those_of_the_configuration():
    with pytest.raises(
        UnknownNameError, match="option of block qkan 'input': did you mean 'inputs'"
    ):
        build("qkan", input=3)
    with pytest.raises(InputError, match="block qkan: inputs is a whole number"):
        build("qkan", inputs=0)
