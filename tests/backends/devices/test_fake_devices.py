"""The fake devices of the client."""

import pytest

from qvlm_qiskit.backends import list_backends
from qvlm_qiskit.backends.devices.fake_devices import fake_classes, fake_device
from qvlm_qiskit.errors import UnknownNameError


def test_every_fake_device_is_listed_and_what_it_cannot_do_is_said():
    rows = {row.name: row for row in list_backends()}
    assert set(fake_classes()) <= set(rows)
    assert "no parametrised circuits" in rows["fake_almaden"].what
    assert "no parametrised circuits" not in rows["fake_torino"].what


def test_a_device_is_built_once_and_an_unknown_one_is_named_with_the_nearest():
    assert fake_device("fake_manila") is fake_device("fake_manila")
    assert fake_device("fake_manila").num_qubits == 5
    with pytest.raises(UnknownNameError, match="fake_manila"):
        fake_device("fake_manilla")
