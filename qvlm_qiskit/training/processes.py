"""Several processes that train as one: torchrun starts them, each takes its part of a step.

The first one does everything that is seen: it checks and holds the folder, writes, draws bars. The
others train along, and are told by it where to begin.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from qvlm_qiskit.basics.computer.processes import count
from qvlm_qiskit.errors import InputError, ProcessLostError, QVLMError
from qvlm_qiskit.recipes import TrainingOptions

SAYING_SECONDS = 10.0
"""How long a process that has lost another may take to say so; torchrun kills it after 30."""

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
    try:
        with heeding_the_end():
            yield
    finally:
        dist.destroy_process_group()


@contextmanager
def heeding_the_end() -> Iterator[None]:
    """Raise `ProcessLostError` where another process has ended, whoever is told first.

    Either the next exchange fails, or torchrun asks this process to end. The second of them comes
    while the first is on its way to the user, and must not end it.

    Raises:
        ProcessLostError: It has.
    """
    before = after = signal.getsignal(signal.SIGTERM)

    def asked(number: int, frame: Any) -> NoReturn:
        signal.signal(signal.SIGTERM, _deaf_for_a_while(before))
        raise _lost()

    _handle(asked)
    try:
        yield
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        after = _deaf_for_a_while(before)
        if isinstance(error, ProcessLostError):
            raise
        raise _lost() from error
    finally:
        _handle(after)


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
    if isinstance(error, QVLMError):
        return isinstance(error, ProcessLostError)
    return isinstance(error, dist.DistError) or any(said in str(error) for said in _LOST)


def _handle(handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():  # signals are handled nowhere else
        signal.signal(signal.SIGTERM, handler)


def _deaf_for_a_while(before: Any) -> Callable[[int, Any], None]:
    """A handler that lets `SAYING_SECONDS` pass before it does what `before` did."""
    until = time.monotonic() + SAYING_SECONDS

    def handle(number: int, frame: Any) -> None:
        if time.monotonic() >= until:
            signal.signal(number, before)
            os.kill(os.getpid(), number)

    return handle


def _lost() -> ProcessLostError:
    return ProcessLostError(
        f"one of {count()} processes has ended, and the training with it: the same command goes on "
        "with --resume"
    )
