"""Start the loopback service by hand: `python -m tests.runtime_server --help`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from qvlm_qiskit.errors import QVLMError

from .faults import FAULTS
from .server import API_PATH, RuntimeServer

_CONNECT = """\
IBM Runtime protocol on {url} for {names}{mode}. In another terminal:

{exports}

and then, without arguments, QiskitRuntimeService() finds it; so does --backend ibm:{first}.
Stop with Ctrl-C.
"""


def _parser() -> argparse.ArgumentParser:
    faults = "\n".join(f"  {name:15}{text}" for name, (_, _, text) in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.runtime_server",
        description="A loopback service that speaks IBM's Runtime protocol.",
        epilog=f"faults:\n{faults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=8765, help="0 takes a free one (8765)")
    add("--backend", nargs="+", default=["fake_torino"], help="fake devices (fake_torino)")
    add(
        "--instant",
        action="store_true",
        help="simulate nothing: fixed bits in the shapes of real results",
    )
    add("--queue", type=float, default=0.0, metavar="SECONDS", help="time that a job is queued")
    add("--run", type=float, default=0.0, metavar="SECONDS", help="time that a job runs")
    add("--latency", type=float, metavar="SECONDS", help="time that every answer takes")
    add("--plan", default="premium", help='"open" refuses sessions (premium)')
    add("--rate-limit", type=int, metavar="JOBS", help="POST /jobs a minute (no limit)")
    add("--folder", type=Path, help="where jobs outlive the server")
    add("--seed", type=int, default=0, help="of the simulation and of the faults (0)")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:ENDPOINT][@NTH|~PROBABILITY][=VALUE]",
        help="may be repeated; error_after@1=504 answers the first POST /jobs with 504",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        server = RuntimeServer(
            options.backend,
            instant=options.instant,
            port=options.port,
            seed=options.seed,
            queue_seconds=options.queue,
            run_seconds=options.run,
            plan=options.plan,
            rate_limit=options.rate_limit,
            folder=options.folder,
            log=lambda line: print(line, flush=True),
        )
        if options.latency:
            server.faults.add("slow", value=options.latency)
        for text in options.fault:
            server.faults.parse(text)
        server.start()
    except (QVLMError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    print(_connection(server, options), flush=True)
    stopped.wait()
    server.stop()
    return 0


def _connection(server: RuntimeServer, options: argparse.Namespace) -> str:
    lines = [f"export {name}={value!r}" for name, value in server.environment().items()]
    return _CONNECT.format(
        url=server.url + API_PATH,
        names=", ".join(options.backend),
        mode=" (instant: nothing is simulated)" if options.instant else "",
        exports="\n".join(lines),
        first=options.backend[0],
    )


if __name__ == "__main__":
    sys.exit(main())
