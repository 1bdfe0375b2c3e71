import hashlib
from types import SimpleNamespace

from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.measure import weights_digest
from tests.studies.demo.blocks import BLOCKS


def test_the_expectation_errors_are_per_block_and_grow_with_the_noise(results):
    quiet, loud = results["noise_sweep"]
    stages = [results["noisy"]["raw"], results["noisy"]["mitigated"], quiet, loud]
    for stage in stages:
        assert [e["block"] for e in stage["expectations"]] == BLOCKS
        assert all(0 < e["rows"] <= 12 and e["rms"] > 0 for e in stage["expectations"])
    assert sum(e["bias"] for e in loud["expectations"]) < sum(
        e["bias"] for e in quiet["expectations"]
    )


def test_the_circuits_are_those_of_the_model_on_the_device(demo, results):
    layers = Run.open(demo[0]).model().quantum_layers
    for circuit in results["circuits"]:
        network = layers[circuit["block"]].neural_network
        assert circuit["inputs"] == network.num_inputs
        assert circuit["weights"] == network.num_weights
        assert circuit["qubits"] == circuit["observables"] == network.circuit.num_qubits
        assert len(set(circuit["physical_qubits"])) >= circuit["qubits"]
        assert set(circuit["physical_qubits"]) <= set(range(5))
        assert circuit["two_qubit_gates"] > 0
        assert circuit["depth"] > 0
        assert 0 < circuit["estimated_success_probability"] < 1


def test_the_digest_of_weights_sees_every_file_of_them(tmp_path):
    (tmp_path / "model").mkdir()
    run = SimpleNamespace(path=tmp_path)
    (tmp_path / "model" / "model.safetensors").write_bytes(b"projection")
    alone = weights_digest(run)
    assert alone == hashlib.sha256(b"projection").hexdigest()
    (tmp_path / "model" / "adapter_model.safetensors").write_bytes(b"adapter")
    assert weights_digest(run) != alone
