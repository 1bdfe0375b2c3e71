import subprocess
import sys

import pytest
from peft import PeftConfig, PeftType
from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

from qvlm_qiskit.adapter.tuners import QuantumLoraConfig, QuantumLoraModel, QWHAConfig
from qvlm_qiskit.adapter.tuners.registration import TunerType, register
from qvlm_qiskit.errors import InputError


def test_peft_finds_the_tuner_of_a_folder(tmp_path):
    QuantumLoraConfig(r=3, core="classical", target_modules=["b", "a"]).save_pretrained(tmp_path)
    found = PeftConfig.from_pretrained(tmp_path)
    assert type(found) is QuantumLoraConfig
    assert (found.r, found.core, set(found.target_modules)) == (3, "classical", {"a", "b"})


def test_every_name_has_a_prefix_of_its_own_and_none_is_pefts():
    prefixes = [PEFT_TYPE_TO_PREFIX_MAPPING[name] for name in TunerType]
    assert len(set(prefixes)) == len(TunerType)
    assert {t.value for t in TunerType}.isdisjoint(PeftType.__members__)


def test_a_name_that_is_taken_is_refused():
    register(QuantumLoraModel, QuantumLoraConfig)  # again, as by a reloaded module

    class Other(QuantumLoraConfig):
        pass

    with pytest.raises(InputError, match="another tuner of the name QUANTUM_LORA"):
        register(QuantumLoraModel, Other)
    with pytest.raises(InputError, match="QWHA or prefix quantum_lora_"):
        register(QuantumLoraModel, QWHAConfig)


def test_without_peft_the_package_says_what_to_install():
    script = (
        "import sys; sys.modules['peft'] = None\n"
        "from qvlm_qiskit.errors import MissingDependencyError\n"
        "try:\n    import qvlm_qiskit.adapter.tuners\n"
        "except MissingDependencyError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "needs peft: install it with pip install 'qvlm-qiskit[lora]'" in done.stdout
