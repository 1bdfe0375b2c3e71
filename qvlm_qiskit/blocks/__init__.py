"""Quantum blocks, one file each, with their classical twins and learned gates."""

from qvlm_qiskit.blocks.block import PLACES, Block, Place, blocks_in, layers_outside
from qvlm_qiskit.blocks.circuit_block import CircuitBlock, CircuitConfig
from qvlm_qiskit.blocks.core import BLOCK_KINDS, build_core
from qvlm_qiskit.blocks.cores.shape import ENCODINGS
from qvlm_qiskit.blocks.gate import ExpectationReadout, GatedResidual, gate_values
from qvlm_qiskit.blocks.insert import insert_block, inserted_blocks, load_blocks, save_blocks
from qvlm_qiskit.blocks.paqm import PAQM, PAQMConfig
from qvlm_qiskit.blocks.qcnn import QCNN, QCNNConfig
from qvlm_qiskit.blocks.registry import build_at, build_block, register_block
from qvlm_qiskit.recipes import BLOCKS

__all__ = [
    "BLOCKS",
    "BLOCK_KINDS",
    "ENCODINGS",
    "PAQM",
    "PLACES",
    "QCNN",
    "Block",
    "CircuitBlock",
    "CircuitConfig",
    "ExpectationReadout",
    "GatedResidual",
    "PAQMConfig",
    "Place",
    "QCNNConfig",
    "blocks_in",
    "build_at",
    "build_block",
    "build_core",
    "gate_values",
    "insert_block",
    "inserted_blocks",
    "layers_outside",
    "load_blocks",
    "register_block",
    "save_blocks",
]
