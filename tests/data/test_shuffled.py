import numpy as np
import pytest

from qvlm_qiskit.data.registry import find_data, open_data
from qvlm_qiskit.data.shuffled import mixed
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import data_name
from tests.data import miniatures


@pytest.fixture(scope="module")
def fruit(tmp_path_factory):
    place = tmp_path_factory.mktemp("fruit")
    miniatures.image_folder(place, each=6, splits=("train", "test"))
    return f"folder:{place}"


def pictures(samples):
    return [one.image.tobytes() for one in samples]


def texts(samples):
    return [(one.question, one.answer, one.references) for one in samples]


@pytest.mark.parametrize("name", ["digits", "fruit"])
def test_training_pictures_are_in_another_order_and_texts_are_not(name, request):
    name = request.getfixturevalue("fruit") if name == "fruit" else name
    plain, other = (open_data(n, "train", 12, 3) for n in (name, f"shuffled:{name}"))
    assert texts(plain) == texts(other)
    assert pictures(plain) != pictures(other)
    assert sorted(pictures(plain)) == sorted(pictures(other))
    assert pictures(other) == pictures(open_data(f"shuffled:{name}", "train", 12, 3))
    assert pictures(other) != pictures(open_data(f"shuffled:{name}", "train", 12, 4))


def test_what_is_asked_afterwards_is_the_data_itself(fruit):
    plain, other = (open_data(n, "test", 5, 0) for n in (fruit, f"shuffled:{fruit}"))
    assert pictures(plain) == pictures(other)
    assert plain.digest == other.digest


def test_its_options_are_those_of_the_data(fruit):
    found = open_data(f"shuffled:{fruit}(ask=which fruit?)", "train", 3)
    assert {one.question for one in found} == {"which fruit?"}
    with pytest.raises(UnknownNameError, match="option of folder 'aks'"):
        find_data(f"shuffled:{fruit}(aks=which fruit?)")
    assert find_data("shuffled:digits").questions == find_data("digits").questions


def test_a_record_can_tell_it_from_the_data(fruit):
    plain, other = (open_data(n, "train", 12, 0) for n in (fruit, f"shuffled:{fruit}"))
    assert plain.digest != other.digest
    assert len(plain) == len(other) == 12


def test_a_picture_that_is_read_later_is_another_ones(fruit):
    samples = open_data(fruit, "train", 12, 0)
    again = mixed(samples, 0)
    order = [pictures(samples).index(one) for one in pictures(again)]
    expected = np.random.default_rng([0, 12]).permutation(12).tolist()
    assert [pictures(samples)[i] for i in order] == [pictures(samples)[i] for i in expected]


def test_its_name_is_kept_with_the_whole_place(fruit, monkeypatch):
    place = fruit.partition(":")[2]
    monkeypatch.chdir(place)
    assert data_name("shuffled:folder:.", "ask=what?") == f"shuffled:folder:{place}(ask=what?)"


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("shuffled", InputError, "a control of another data set: shuffled:NAME"),
        ("shuffled:digit", UnknownNameError, "did you mean 'digits'"),
    ],
)
def test_another_data_set_has_to_be_named(name, error, says):
    with pytest.raises(error, match=says):
        find_data(name)
