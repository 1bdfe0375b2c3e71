import pytest

from qvlm_qiskit.errors import InputError, QVLMError, UnknownNameError
from qvlm_qiskit.models import OwnModel, VisionLanguageModel, find_model
from qvlm_qiskit.models.registry import class_file
from qvlm_qiskit.recipes import MODELS, TrainingOptions

MODULE = """
from qvlm_qiskit.models import OwnModel

class Whole(OwnModel):
    def inputs(self, samples): ...
    def labels(self, samples): ...
    def texts(self, output): ...
    def forward(self, pixels, labels=None): ...

class Half(OwnModel):
    def inputs(self, samples): ...

class Foreign:
    def answers(self, samples): ...

thing = 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working folder with modules; what is imported from it is forgotten afterwards."""
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_nets.py").write_text(MODULE)
    (tmp_path / "broken_nets.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "wrong_nets.py").write_text("1 / 0\n")
    yield
    for name in ("my_nets", "broken_nets", "wrong_nets"):
        sys.modules.pop(name, None)


def test_the_default_is_found_by_its_name():
    assert MODELS.names()[0] == "hybrid-vlm"
    assert find_model("hybrid-vlm") is VisionLanguageModel


def test_a_class_of_the_current_folder_is_found_with_options_or_without():
    found = find_model("my_nets:Whole")
    assert issubclass(found, OwnModel)
    assert find_model("my_nets:Whole(size=3)") is found


def test_the_file_of_a_class_is_known_unless_this_package_has_it(tmp_path):
    assert class_file("my_nets:Whole(size=3)") == tmp_path / "my_nets.py"
    assert [class_file(name) for name in MODELS.own] == [None] * len(MODELS.own)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("my_net:Whole", "no module 'my_net' is installed, on PYTHONPATH or in the current folder"),
        ("my_nets:Whle", "unknown class of my_nets 'Whle': did you mean 'Whole'"),
        ("my_nets:thing", "my_nets:thing is no class but a int"),
        ("my_nets:Half", "is no model: it lacks labels, texts, forward$"),
        ("my_nets:Foreign", "it lacks build, load, save, .* (derive it from qvlm_qiskit.models"),
        ("my_nets.py:Whole", "no module 'my_nets.py'"),
        ("nets/my_nets:Whole", "is no name of a module.*without a path"),
        ("broken_nets:A", "broken_nets can't be imported: No module named 'nothing_of_that_name'"),
        ("wrong_nets:A", "wrong_nets can't be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(name, says):
    with pytest.raises(QVLMError, match=says.replace("(derive", r"\(derive")) as refused:
        find_model(name)
    assert "\n" not in str(refused.value)


def test_training_options_refuse_what_can_be_refused_without_importing():
    with pytest.raises(UnknownNameError, match="unknown model 'hybrid-vml': did you mean 'hybrid-"):
        TrainingOptions(model="hybrid-vml")
    with pytest.raises(InputError, match="recipe is an option of hybrid-vlm; those of my_nets:W"):
        TrainingOptions(model="my_nets:Whole", recipe="tiny")
    with pytest.raises(InputError, match="hybrid-vlm takes no options of this kind"):
        TrainingOptions(model="hybrid-vlm(size=3)")
