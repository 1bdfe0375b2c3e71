"""Several processes of one command, as torchrun starts them: which this is, and which speaks."""

from __future__ import annotations

import os

PATIENCE_SECONDS = 5.0
"""How long to look for the process that keeps who has spoken."""


def count() -> int:
    """How many there are; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this one, from 0."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0


def is_first() -> bool:
    """Whether this one writes, draws bars, and prints results."""
    return rank() == 0


def speaks() -> bool:
    """Whether this one is the first that has to say why the command ends.

    The others end without a word: what ends one of them ends all.
    """
    place, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if count() == 1 or place is None or port is None:
        return True
    from datetime import timedelta

    from torch.distributed import DistError, TCPStore

    patience = timedelta(seconds=PATIENCE_SECONDS)
    try:
        store = TCPStore(place, int(port), is_master=False, timeout=patience)
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return bool(store.add(f"qvlm/said/{attempt}", 1) == 1)
    except (DistError, RuntimeError):  # the process that kept it has gone
        return True
