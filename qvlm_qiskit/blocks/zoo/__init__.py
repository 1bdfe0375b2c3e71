"""Quantum models of published papers, each one file, with a classical twin and a frozen version.

A file here holds a configuration and a core under :func:`.zoo_block`. The core is a torch module of
its own (:func:`.build`), and the same name is a block for the places of a model: see
:mod:`qvlm_qiskit.blocks.zoo.block`.
"""

from qvlm_qiskit.blocks.zoo.autoencoder import DenoisingAutoencoder, Sines
from qvlm_qiskit.blocks.zoo.block import CoreBlock, zoo_block
from qvlm_qiskit.blocks.zoo.build import build, find_core, zoo_names
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Published, SizedCore, Sizes, WideLinear
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork

__all__ = [
    "Core",
    "CoreBlock",
    "CoreConfig",
    "DenoisingAutoencoder",
    "MatchedNetwork",
    "Published",
    "Sines",
    "SizedCore",
    "Sizes",
    "WideLinear",
    "build",
    "find_core",
    "zoo_block",
    "zoo_names",
]
