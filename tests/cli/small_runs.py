"""A small evaluation by jobs, and the processes that it leaves."""

import json

MACHINE = ("--backend", "noisy:fake_manila", "--shots", "100", "--limit", "2", "--seed", "1")
STORE = ("--store", "ledger")


def local_processes(place):
    """Ids of the processes of detached jobs."""
    records = (place / "ledger" / "local").glob("*/process")
    return [json.loads(record.read_bytes())["id"] for record in records]


def texts(result):
    return [one["answer"] for one in result["questions"]]
