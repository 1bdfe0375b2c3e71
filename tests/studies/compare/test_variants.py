from dataclasses import replace

import pytest

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.models.hybrid_vlm import build_model
from qvlm_qiskit.studies.compare.cells import all_cells
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.variants import has_blocks, has_circuits

FORM = "vision=qcnn(encoding=mps,pooling=1),text=paqm(encoding=angle)"


@pytest.mark.parametrize("kind", ["quantum", "classical", "frozen"])
def test_a_variant_with_other_blocks_is_trained_with_them(kind):
    text = f"quantum,{kind}({FORM}),linear"
    options = CompareOptions(recipe="tiny", variants=(text,))
    assert options.variants == ("quantum", f"{kind}({FORM})", "linear")
    training = options.training(options.variants[1], 0)
    assert training.blocks == kind
    model, _ = build_model(training)
    forms = [(b.config.encoding, b.config.pooling, b.config.kind) for b in model.blocks.values()]
    assert forms == [("mps", 1, kind), ("angle", 0, kind)]


def test_what_stands_behind_a_variant_does_not_change_what_it_is():
    circuits = {kind: has_circuits(f"{kind}({FORM})") for kind in ("quantum", "classical", "none")}
    assert circuits == {"quantum": True, "classical": False, "none": False}
    assert has_blocks(f"quantum({FORM})")
    assert not has_blocks("linear")
    assert not has_blocks("quantum:Model(a=1)")


MODEL = "adapter(vision=a,language=b,num_qubits=6)"


def test_a_models_own_variants_are_it_with_other_options():
    options = CompareOptions(
        model=MODEL,
        variants=("model,model(projection=linear,beams=1),model(num_qubits=3)", "majority"),
    )
    meant = {variant: options.training(variant, 1).model for variant in options.variants[:3]}
    assert meant == {
        "model": MODEL,
        "model(projection=linear,beams=1)": f"{MODEL[:-1]},projection=linear,beams=1)",
        "model(num_qubits=3)": MODEL.replace("6", "3"),
    }
    assert options.meant("shuffled(model)") == MODEL
    assert options.meant("majority") == "majority"


def test_a_shuffled_variant_is_trained_on_other_pictures_and_nothing_else():
    options = CompareOptions(recipe="tiny", variants=("quantum", "shuffled(quantum)"))
    plain, other = (options.training(variant, 2) for variant in options.variants)
    assert (plain.data, other.data) == ("digits", "shuffled:digits")
    assert replace(other, data=plain.data) == plain


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"variants": ("model",)}, InputError, "say --model"),
        ({"variants": ("shuffled(model)",)}, InputError, "say --model"),
        ({"variants": ("shuffled(quantums)",)}, UnknownNameError, "did you mean 'quantum'"),
        ({"variants": ("shuffled(majority)",)}, InputError, "looks at no picture"),
        (
            {"variants": ("model",), "model": "adaptor(a=1)"},
            UnknownNameError,
            "did you mean 'adapter'",
        ),
    ],
)
def test_what_means_nothing_is_refused(options, error, says):
    with pytest.raises(error, match=says):
        CompareOptions(**options)


@pytest.mark.parametrize(
    ("changes", "circuits"),
    [
        ("", True),
        ("projection=frozen", True),
        ("projection=classical", False),
        ("projection=linear", False),
        ("projection=linear,adapter=quantum-lora(r=2)", True),
        ("projection=linear,adapter=quantum_lora(r=2,core=classical)", False),
    ],
)
def test_an_adapter_runs_on_a_machine_where_it_has_circuits(changes, circuits):
    variant = f"model({changes})" if changes else "model"
    both = (variant, "quantum")
    options = CompareOptions(model=MODEL, variants=both, backend="aer", seeds=1)
    machines = [cell.machine for cell in all_cells(options) if cell.variant == variant]
    assert machines == (["statevector", "aer"] if circuits else ["statevector"])
