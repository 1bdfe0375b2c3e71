"""A service that says what it is told to about its bills."""

from dataclasses import replace

from tests.jobs.unreliable import Unreliable

NEEDED = 2.025
"""QPU seconds of one row."""


class Bills(Unreliable):
    """Says `bill` for every job, None while it is not certain."""

    bill = None

    def _job(self, server_id):
        return replace(super()._job(server_id), usage_seconds=self.bill)
