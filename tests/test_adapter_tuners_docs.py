"""docs/adapter-tuners.md: the numbers of its table, and its code."""

import re
from pathlib import Path

import pytest
from torch import nn

peft = pytest.importorskip("peft")

from qvlm_qiskit.adapter import tuners  # noqa: E402
from qvlm_qiskit.errors import InputError  # noqa: E402

PAGE = (Path(__file__).parents[1] / "docs" / "adapter-tuners.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w[^`]*)` \| [^|]* \| [^|]* \| (\d+) \| (yes|no) \|", PAGE, re.MULTILINE)
NAMES = {"peft": peft, **{name: getattr(tuners, name) for name in tuners.__all__}}


def test_every_tuner_is_in_the_table():
    told = {row[0].split("(")[0] for row in ROWS}
    configs = {name for name in tuners.__all__ if name.endswith("Config")}
    assert told == configs | {"peft.LoraConfig"}


@pytest.mark.parametrize(("config", "count", "merges"), ROWS)
def test_the_numbers_of_the_table(config, count, merges):
    made = eval(config, NAMES)
    made.target_modules = ["0"]
    model = peft.get_peft_model(nn.Sequential(nn.Linear(64, 64)), made)
    assert model.get_nb_trainable_parameters()[0] == int(count)
    if merges == "yes":
        assert type(model.merge_and_unload()[0]) is nn.Linear
    else:
        with pytest.raises(InputError, match="can't be merged"):
            model.merge_and_unload()


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_the_code_runs():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
