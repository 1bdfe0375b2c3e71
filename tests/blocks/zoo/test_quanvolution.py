"""Patch by patch, by Qiskit."""

import math

import pytest
import torch
from qiskit import QuantumCircuit

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.errors import InputError


def test_values_are_those_of_each_patch_by_itself(z_of):
    torch.manual_seed(0)
    core = build("quanvolution", side=4, repetitions=2).double()
    images = torch.rand(1, 1, 4, 4, dtype=torch.float64)
    maps = core(images)
    for row in range(2):
        for column in range(2):
            patch = images[0, 0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten()
            circuit = QuantumCircuit(4)
            for qubit, pixel in enumerate(patch.tolist()):
                circuit.ry(math.pi * pixel, qubit)
            for layer in core.layer.weight.detach().reshape(2, 4, 3).tolist():
                for qubit, (y, z, x) in enumerate(layer):
                    circuit.ry(y, qubit)
                    circuit.rz(z, qubit)
                    circuit.rx(x, qubit)
                for qubit in range(4):
                    circuit.cx(qubit, (qubit + 1) % 4)
            found = maps[0, :, row, column].tolist()
            torch.testing.assert_close(found, z_of(circuit), rtol=0, atol=1e-10)


def test_the_twin_treats_patches_alike_too():
    core = build("quanvolution", side=4, kind="classical")
    images = torch.rand(1, 1, 4, 4)
    moved = core(images.roll(2, dims=-1))
    torch.testing.assert_close(moved, core(images).roll(1, dims=-1))


def test_an_odd_side_is_refused():
    with pytest.raises(InputError, match="need an even side, got side=5"):
        build("quanvolution", side=5)
