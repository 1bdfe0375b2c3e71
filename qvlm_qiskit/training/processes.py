"""Several processes that train as one: torchrun starts them, each takes its part of a step.

The first one does everything that is seen: it checks and holds the folder, writes, draws bars. The
others train along, and are told by it where to begin.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from qvlm_qiskit.basics.processes import count
from qvlm_qiskit.errors import InputError, ProcessLostError, QVLMError
from qvlm_qiskit.recipes import TrainingOptions

_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""What gloo says in a RuntimeError when another process has ended."""


def check_shared(options: TrainingOptions) -> None:
    """Refuse steps that the processes can't share equally.

    Raises:
        InputError: The batches of a step are no multiple of the processes.
    """
    if options.accumulate % count():
        raise InputError(
            f"{count()} processes share the batches of a step: --accumulate must be a multiple of "
            f"{count()}, got {options.accumulate}"
        )


def check_filled(samples: int, options: TrainingOptions) -> None:
    """Refuse several processes where the samples of a step are not there.

    Raises:
        InputError: They are not.
    """
    step = options.batch_size * options.accumulate
    if count() > 1 and samples < step:
        raise InputError(
            f"{count()} processes share {options.accumulate} batches of {options.batch_size}, and "
            f"there are {samples} training samples: choose a smaller --batch-size"
        )


@contextmanager
def together() -> Iterator[None]:
    """Until the end of the block, the processes that torchrun has started are one group.

    Raises:
        ProcessLostError: Another one has ended.
    """
    if count() == 1 or dist.is_initialized():
        yield
        return
    dist.init_process_group(None if torch.cuda.is_available() else "gloo")
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _ended) if in_main else None
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, QVLMError) or not _is_lost(error):
            raise
        raise _lost() from error
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)
        dist.destroy_process_group()


def tell(what: Any = None) -> Any:
    """What the first process tells all: its own `what`, which others leave out."""
    if count() == 1:
        return what
    told = [what]
    dist.broadcast_object_list(told, src=0)
    return told[0]


def wait() -> None:
    """Come back once all processes are here."""
    if count() > 1:
        dist.barrier()


def _is_lost(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(said in str(error) for said in _LOST)


def _ended(number: int, frame: Any) -> NoReturn:
    """Raise where the others are ended, as torchrun does once one has ended."""
    raise _lost()


def _lost() -> ProcessLostError:
    return ProcessLostError(
        f"one of {count()} processes has ended, and the training with it: the same command goes on "
        "with --resume"
    )
