"""The command line ``qvlm``: one file per command, each parse → call → print."""

from qvlm_qiskit.cli.main import main

__all__ = ["main"]
