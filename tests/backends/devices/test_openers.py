"""A machine of this package is one file among the devices, whichever it is."""

from pathlib import Path

from qvlm_qiskit.backends import catalog, list_backends, open_backend
from qvlm_qiskit.backends.table import OWN


def test_a_file_among_the_devices_opens_the_backend_of_its_name(monkeypatch, tmp_path):
    (tmp_path / "acme_device.py").write_text(
        "from qiskit.primitives import StatevectorEstimator\n"
        "from qvlm_qiskit.backends import Backend, register\n"
        "@register('acme', kind='exact', what='three exact qubits')\n"
        "def open_acme(name, options):\n"
        "    device = StatevectorEstimator()\n"
        "    return Backend(name, 'exact', 3, options, device)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(catalog.FILES.__dict__, "own", {"acme": "acme_device"})
    monkeypatch.setattr(catalog, "_registry", dict(catalog._registry))
    assert open_backend("acme").num_qubits == 3
    assert ("acme", "three exact qubits") in {(row.name, row.what) for row in list_backends()}


def test_every_file_among_the_devices_opens_something_or_is_shared():
    opened = {own.module for own in OWN.values()} | set(catalog.SHARED)
    folder = Path(catalog.__file__).parent / "devices"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == opened
    assert dict(catalog.FILES.own) == {}
