"""The fake devices are known by their files as the client knows them."""

from pathlib import Path

from qvlm_qiskit.backends.devices.fake_devices import fake_classes, fake_device
from qvlm_qiskit.backends.devices.fake_files import fake_files, fake_gates, fake_qubits


def test_the_files_are_those_of_the_client_s_classes():
    classes = fake_classes()
    assert list(fake_files()) == list(classes)
    for name, path in fake_files().items():
        assert path.samefile(Path(classes[name].dirname) / classes[name].conf_filename)


def test_a_device_has_the_qubits_and_gates_of_its_file():
    device = fake_device("fake_manila")
    assert fake_qubits()["fake_manila"] == device.num_qubits
    assert set(fake_gates()["fake_manila"]) <= set(device.operation_names)
