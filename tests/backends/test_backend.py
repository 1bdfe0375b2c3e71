"""An open backend: its description, its stack, and a recorder around its device."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("aer", "exact", {}),
        ("aer", "simulated shots", {"shots": 100}),
        ("noisy:fake_manila", "simulated shots", {"noise_scale": 0.5, "mitigation": "readout"}),
        ("noisy:depolarizing(0.01)", "simulated shots", {}),
        ("fake_manila", "local runtime", {"mitigation": "resilience-1", "precision": 0.1}),
    ],
)
def test_the_description_is_complete_and_json_able(name, kind, options):
    backend = open_backend(name, seed=4, **options)
    described = json.loads(json.dumps(backend.describe(), allow_nan=False))
    assert (described["name"], described["kind"], described["seed"]) == (name, kind, 4)
    assert described["num_qubits"] == backend.num_qubits >= 5
    assert described["mitigation"] == options.get("mitigation", "none")
    assert described["versions"]["qiskit"]
    assert (described["noise"] is None) == name.startswith("aer")
    json.dumps(backend.device_description(), allow_nan=False)


def test_what_the_device_answers_depends_on_is_in_its_description():
    def described(name="noisy:fake_manila", **options):
        return json.dumps(open_backend(name, **options).device_description(), sort_keys=True)

    variants = [
        described(),
        described(seed=1),
        described(noise_scale=0.5),
        described("noisy:fake_lagos"),
        described("fake_manila"),
        described("fake_manila", mitigation="resilience-1"),
    ]
    assert len(set(variants)) == len(variants)
    # Raw answers serve every mitigation, compilation and number of shots.
    assert described() == described(mitigation="readout") == described(optimization_level=1)


def test_the_stack_is_built_once_and_a_recorder_goes_around_the_device():
    backend = open_backend("noisy:fake_manila", mitigation="readout", seed=1, shots=100)
    assert backend.estimator() is backend.estimator()
    seen = []

    def recorder(device, described):
        seen.append((device, described))
        return device

    recorded = backend.recorded(recorder)
    assert seen == [(backend.device, backend.device_description())]
    assert recorded is not backend
    circuit = QuantumCircuit(1)
    np.testing.assert_array_equal(
        recorded.estimator().run([(circuit, "Z")]).result()[0].data.evs,
        backend.estimator().run([(circuit, "Z")]).result()[0].data.evs,
    )
