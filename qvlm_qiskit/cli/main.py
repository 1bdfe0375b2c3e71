"""The entry point: builds the application, and turns every user error into one line, status 2."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

import typer

from qvlm_qiskit.basics.computer.processes import is_first, speaks
from qvlm_qiskit.basics.foreign_text import shown
from qvlm_qiskit.cli.terminal import prepare_terminal, refuse_what_python_can_not_do
from qvlm_qiskit.errors import QVLMError

_INTERRUPTED = 130

COMMANDS = {
    "demo": "demo", "train": "train", "evaluate": "evaluate", "preflight": "preflight",
    "submit": "submit", "ask": "ask", "caption": "ask", "push": "push", "profile": "profile",
    "jobs": "jobs",
    "backends": "backends", "noise": "noise", "study": "study", "adapter": "adapter",
}  # fmt: skip
"""Command → its module in this package, in the order of work.

A module has a function of the command's name, or, for a command with commands of its own, `app`.
"""

app = typer.Typer(
    name="qvlm",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Hybrid quantum-classical vision-language models on Qiskit: train on statevectors, run "
    "the same weights on noisy simulators and IBM Quantum.",
)
for _name, _module in COMMANDS.items():
    _found = import_module(f"qvlm_qiskit.cli.{_module}")
    if hasattr(_found, "app"):
        app.add_typer(_found.app, name=_name)
    else:
        app.command(_name)(getattr(_found, _name))


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    """Show the version, or the help where no command is given."""
    if version:
        from qvlm_qiskit import __version__

        print(f"qvlm {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: By default those of the process.

    Returns:
        The exit status: 0; 2 for a user's error, which is printed as one line on stderr; 130
        after Ctrl-C.
    """
    _quiet_libraries()
    _say_what_is_logged()
    prepare_terminal()
    try:
        refuse_what_python_can_not_do()
        status = app(
            args=None if arguments is None else list(arguments),
            prog_name="qvlm",
            standalone_mode=False,
        )
        sys.stdout.flush()  # a full disk shows here at the latest
    except typer.TyperException as error:
        return _refuse(_usage_message(error))
    except QVLMError as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("qvlm: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        # the reader of our output has gone; nothing is left to tell it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _refuse("this machine's memory is not enough for that")
    except RuntimeError as error:
        said = ("not enough memory", "can't allocate memory")  # by torch's allocator
        if not any(one in str(error) for one in said):
            raise
        return _refuse("this machine's memory is not enough for that")
    except OSError as error:
        return _refuse(_system_message(error))
    if status == _INTERRUPTED:  # typer's own handling says nothing
        print("qvlm: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _refuse(message: str) -> int:
    if speaks():
        print(f"qvlm: {' '.join(shown(message).split())}", file=sys.stderr)
    return 2


def _system_message(error: OSError) -> str:
    """What the operating system refused; stdout is emptied, or Python would try again."""
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"can't write the output: {error.strerror or error}"


def _usage_message(error: typer.TyperException) -> str:
    """The parser's message, with what would have been accepted."""
    message: str = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    accepted = ""
    if message.startswith("No such option"):
        options = [o for p in context.command.params for o in p.opts if o.startswith("--")]
        accepted = f" (options of {context.command_path}: {', '.join([*options, '-h, --help'])})"
    elif message.startswith("No such command"):
        accepted = f" (commands: {', '.join(context.command.commands)})"
    return message.rstrip(".") + accepted


class _Said(logging.Handler):
    """Prints what this package logs as a command's own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, in one of several processes."""
        if is_first():
            print(f"qvlm: {shown(record.getMessage())}", file=sys.stderr, flush=True)


def _say_what_is_logged() -> None:
    """Warnings of this package are for the user, once each."""
    log = logging.getLogger("qvlm_qiskit")
    if not any(isinstance(handler, _Said) for handler in log.handlers):
        log.addHandler(_Said(logging.WARNING))


def _quiet_libraries() -> None:
    """Keep advice meant for library users off a command's screen; errors still come through."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP advises on unused parameters
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
