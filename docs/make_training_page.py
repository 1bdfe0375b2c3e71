"""Put a real session into docs/training.md: a model is tuned on the loopback service.

    python docs/make_training_page.py

The commands run in order, in a folder of their own, and what they print is the page's session. A
test holds the page to this list and to the command line.
"""

from __future__ import annotations

import tempfile

from make_jobs_page import ROOT, put_session

PAGE = ROOT / "docs" / "training.md"
DEVICE = "fake_manila"
TUNING = (
    f"qvlm train --from runs/tiny --out runs/tuned --backend ibm:{DEVICE} --shots 50 "
    "--gradient spsa --steps 4 --batch-size 1"
)

STEPS: tuple[tuple[str, str], ...] = (
    (
        "A model is trained exactly, which takes seconds:",
        "qvlm train --recipe tiny --steps 60 --batch-size 32 --train-samples 200 --learning-rate "
        "0.01 --out runs/tiny",
    ),
    ("What would it cost to tune its circuits on the machine?", f"{TUNING} --dry-run"),
    ("A budget that is not enough for all steps:", f"{TUNING} --budget-seconds 3"),
    ("The ledger knows of it, and how it goes on:", "qvlm jobs resume last"),
    ("With more, and another process:", f"{TUNING} --budget-seconds 20 --resume"),
    ("What it cost:", "qvlm jobs usage"),
)


def main() -> None:
    """Run the commands and write the session into the page."""
    from tests.runtime_server import RuntimeServer

    with tempfile.TemporaryDirectory() as folder, RuntimeServer([DEVICE]) as server:
        put_session(PAGE, STEPS, folder, server.environment())


if __name__ == "__main__":
    main()
