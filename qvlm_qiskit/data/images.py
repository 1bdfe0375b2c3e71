"""Images of users, opened by the one way that there is."""

from __future__ import annotations

from qvlm_qiskit.basics.images import open_image

__all__ = ["open_image"]
