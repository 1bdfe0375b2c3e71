from dataclasses import dataclass

import pytest

from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.blocks import (
    BLOCKS,
    PAQM,
    QCNN,
    Block,
    PAQMConfig,
    build_at,
    build_block,
    register_block,
)
from qvlm_qiskit.blocks.registry import check_options, read_block
from qvlm_qiskit.errors import InputError, UnknownNameError
from tests.conftest import forgetting


def test_blocks_are_built_by_name_from_plain_options():
    paqm = build_block("paqm", 8, {"num_qubits": 3, "num_layers": 1, "gate": "channel"})
    assert isinstance(paqm, PAQM)
    assert paqm.config == PAQMConfig(num_qubits=3, num_layers=1, gate="channel")
    assert paqm.reduce.in_features == 8
    assert isinstance(build_block("qcnn", 8, {"num_qubits": 2}), QCNN)


def test_without_options_the_config_has_its_defaults():
    assert build_block("paqm", 8, {}).config == PAQMConfig()


@pytest.mark.parametrize(("name", "nearest"), [("pacm", "paqm"), ("qcn", "qcnn")])
def test_an_unknown_block_names_the_nearest(name, nearest):
    with pytest.raises(UnknownNameError, match=f"{name}.*did you mean '{nearest}'"):
        build_block(name, 8, {})


@pytest.mark.parametrize(
    ("option", "nearest"),
    [("num_qubit", "num_qubits"), ("num_layer", "num_layers"), ("initial_gates", "initial_gate")],
)
def test_an_unknown_option_names_the_nearest(option, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'") as error:
        build_block("paqm", 8, {option: 2})
    assert "paqm" in str(error.value)
    assert isinstance(error.value, InputError)


def test_a_name_that_is_near_to_nothing_lists_all():
    with pytest.raises(UnknownNameError, match="paqm") as error:
        build_block("zzz", 8, {})
    assert "did you mean" not in str(error.value)


@pytest.mark.parametrize("field", ["kind", "gate"])
def test_an_unknown_value_of_an_option_names_the_option(field):
    with pytest.raises(UnknownNameError, match="nothing"):
        build_block("qcnn", 8, {"num_qubits": 2, field: "nothing"})


@pytest.fixture
def apart():
    """What a test registers is forgotten after it."""
    with forgetting(BLOCKS):
        yield


@dataclass(frozen=True)
class Config:
    size: int = 3
    kind: str = "quantum"


def test_a_block_of_ones_own_can_be_registered(apart):
    @register_block("mine")
    class Mine(Block):
        place = "text"
        config_class = Config

        def __init__(self, config, width):
            super().__init__(config, width)
            self.shape = (config.size, width)

    assert build_block("mine", 7, {"size": 5}).shape == (5, 7)
    with pytest.raises(UnknownNameError, match="size"):
        build_block("mine", 7, {"sizes": 5})
    assert "mine" not in BLOCKS.own


def test_this_packages_own_are_files_of_the_folder():
    assert list(BLOCKS.own)[:2] == ["paqm", "qcnn"]
    assert {"qkan", "hamiltonian-embedding"} <= set(BLOCKS.own)
    assert {"zoo", "cores", "twins", "build"}.isdisjoint(BLOCKS.own)


def test_a_block_is_built_at_its_place_only():
    assert isinstance(build_at("text", 8, {"name": "paqm", "num_qubits": 2}), PAQM)
    with pytest.raises(InputError, match="'qcnn' stands at 'vision', not at 'text'"):
        build_at("text", 8, {"name": "qcnn"})
    with pytest.raises(InputError, match="needs a name, got None"):
        build_at("text", 8, {"num_qubits": 2})


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"config_class": Config}, "must say its place"),
        ({"place": "ceiling", "config_class": Config}, "must say its place"),
        ({"place": "text"}, "config_class with a field 'kind'"),
    ],
)
def test_a_block_that_does_not_say_what_it_is_is_refused(apart, facts, says):
    register_block("vague")(type("Vague", (Block,), facts))
    with pytest.raises(RegistryError, match=says):
        build_block("vague", 8, {})


def test_what_is_no_block_is_refused(apart):
    BLOCKS.enter("other", dict)
    with pytest.raises(RegistryError, match="'other' leads to no block"):
        build_block("other", 8, {})


def test_options_stand_behind_a_name_and_have_their_fields_types():
    text = "qcnn(encoding=re-upload, pooling=1, initial_gate=0.25, gate=channel)"
    options = {"encoding": "re-upload", "pooling": 1, "initial_gate": 0.25, "gate": "channel"}
    assert read_block(text) == ("qcnn", options)
    assert read_block("paqm") == ("paqm", {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("qcn(pooling=1)", "unknown block 'qcn': did you mean 'qcnn'"),
        ("qcnn(poling=1)", "unknown option of block qcnn 'poling': did you mean 'pooling'"),
        ("qcnn(pooling=one)", r"block qcnn: pooling is a number \(int\), not 'one'"),
        ("qcnn(pooling=1.5)", r"pooling is a number \(int\), not '1.5'"),
        ("qcnn(pooling=1,pooling=2)", "says pooling= twice"),
        ("qcnn:here", r"a block is written as NAME or NAME\(option=value,…\), got 'qcnn:here'"),
        ("qcnn(pooling", "is not of the form NAME"),
        ("", "is not of the form NAME"),
    ],
)
def test_what_stands_behind_a_name_is_refused_in_one_line(text, says):
    with pytest.raises(InputError, match=says) as error:
        read_block(text)
    assert "\n" not in str(error.value)


def test_options_of_a_block_of_ones_own_are_typed_by_its_configuration(apart):
    facts = {"place": "text", "config_class": Config}
    register_block("mine")(type("Mine", (Block,), facts))
    assert read_block("mine(size=5)") == ("mine", {"size": 5})


def test_values_that_a_configuration_refuses_name_the_block():
    check_options("qcnn", {"num_qubits": 4, "pooling": 2})
    with pytest.raises(InputError, match="block qcnn: pooling=3 is more than num_qubits=4 allows"):
        check_options("qcnn", {"num_qubits": 4, "pooling": 3})
    with pytest.raises(UnknownNameError, match="unknown encoding 'msp': did you mean 'mps'"):
        build_block("qcnn", 8, {"num_qubits": 2, "encoding": "msp"})
