"""Angles that are expressions: their identity, whatever their parameters are called."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.errors import CircuitError


def rotation(angle):
    circuit = QuantumCircuit(1)
    circuit.rx(angle, 0)
    return circuit


@pytest.mark.parametrize("name", ["x + y", "2*x", "sin(x)", "x.y"])
def test_a_parameter_with_an_expression_as_its_name_is_no_expression(name):
    x, y, odd = Parameter("x"), Parameter("y"), Parameter(name)
    one, other = odd.sin() + (x + y), (x + y).sin() + odd
    assert circuit_digest(rotation(one)) != circuit_digest(rotation(other))
    assert circuit_digest(rotation(one)) == circuit_digest(rotation(odd.sin() + (x + y)))


def test_parameters_whose_names_look_alike_are_told_apart():
    theta, variant = Parameter("θ"), Parameter("ϑ")  # equal for Python's own parser
    digests = {
        circuit_digest(rotation(angle))
        for angle in (theta - 2 * variant, variant - 2 * theta, 2 * theta, 2 * variant)
    }
    assert len(digests) == 4


def test_complex_numbers_in_angles_have_no_identity():
    # Qiskit reads (1+2j)·x back from QPY as (2+1j)·x.
    with pytest.raises(CircuitError, match="complex"):
        circuit_digest(rotation((Parameter("x") * (1 + 2j)).abs()))


def test_an_expression_of_many_terms_has_an_identity():
    terms = [Parameter(f"x{i}") for i in range(1500)]
    one, other = sum(terms), sum(terms[1:], 2 * terms[0])
    assert circuit_digest(rotation(one)) != circuit_digest(rotation(other))
