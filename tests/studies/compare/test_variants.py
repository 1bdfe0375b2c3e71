import pytest

from qvlm_qiskit.models.hybrid_vlm import build_model
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
