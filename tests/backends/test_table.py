"""The table of backends agrees with the openers, which it does not import."""

import pytest

from qvlm_qiskit.backends.catalog import check_backend, list_backends, open_backend
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.table import OWN, check_noise, noisy_names
from qvlm_qiskit.errors import InputError, NoiseModelError, QVLMError, UnknownNameError


def test_the_rows_stand_in_the_order_of_the_names():
    rows = [row.name for row in list_backends()]
    keys = ["statevector", "aer", "aer-gpu", "pauli-propagation", "noisy:", "fake_", "ibm:"]
    assert list(OWN) == keys
    firsts = [next(i for i, name in enumerate(rows) if name.startswith(key)) for key in keys]
    assert firsts == sorted(firsts)
    assert [name for name in rows if name.startswith("noisy:")] == noisy_names()


def test_every_listed_name_passes_and_opens_what_it_says():
    for row in list_backends():
        if "<" not in row.name:
            check_backend(row.name)
    for name in ("statevector", "aer", "noisy:depolarizing(0.01)", "fake_manila"):
        rows = {row.name: row for row in list_backends()}
        opened = open_backend(name)
        assert (opened.kind, opened.num_qubits) == (rows[name].kind, rows[name].qubits)


@pytest.mark.parametrize("key", ["statevector", "aer", "noisy:fake_manila", "fake_manila"])
@pytest.mark.parametrize(
    "given", [{"shots": 5}, {"noise_scale": 2.0}, {"device": "cpu"}, {"dtype": "complex64"}]
)
def test_the_options_are_those_that_the_opener_takes(key, given):
    try:
        check_backend(key, BackendOptions(**given))
    except InputError as refused:
        with pytest.raises(InputError) as caught:
            open_backend(key, **given)
        assert str(caught.value) == str(refused)
    else:
        open_backend(key, **given)


@pytest.mark.parametrize(
    "source", ["fake_manila", "ibm:x", "depolarizing(0.01)", "fake_manila+zz(0.1)", "a/b", "c.json"]
)
def test_a_noise_that_may_be_passes(source):
    check_noise(source)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("fake_manilla", UnknownNameError),
        ("", UnknownNameError),
        ("bitflip(1)", UnknownNameError),
        ("fake_manila+x", UnknownNameError),
        ("depolarizing(x)", NoiseModelError),
        ("thermal(1)", NoiseModelError),
    ],
)
def test_a_noise_that_can_not_be_is_refused(source, error):
    with pytest.raises(error) as caught:
        check_noise(source)
    assert isinstance(caught.value, QVLMError)
