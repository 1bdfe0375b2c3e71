"""What bills say about the next ones."""

from dataclasses import replace

import numpy as np
import pytest

from qvlm_qiskit.jobs.costs.learned import LEAST_BILLS, learned
from tests.jobs.unreliable import Unreliable


class Biased(Unreliable):
    """Bills by a clock of its own; `estimates` are read from the ledger."""

    def __init__(self, store, per_job, per_second, noise=0.0):
        super().__init__()
        self.ledger, self.bias = store, (per_job, per_second)
        self.draw, self.noise = np.random.default_rng(3), noise

    def bill(self, estimated):
        per_job, per_second = self.bias
        true = per_job + per_second * estimated
        return true * (1 + self.noise * self.draw.standard_normal())

    def _job(self, server_id):
        job = super()._job(server_id)
        (own,) = [s for s in self.ledger.find() if s.tag in (job.tags or ())]
        return replace(job, usage_seconds=self.bill(own.seconds_estimated))


def bought(buy, service, sizes, start=0):
    for size in sizes:
        buy(service, np.arange(start, start + size))
        start += size
    return start


@pytest.mark.parametrize("bias", [(0.0, 1.7), (0.0, 0.4), (-1.9, 1.2), (3.0, 1.0)], ids=str)
def test_after_five_bills_of_a_biased_clock_the_sixth_is_known(bias, buy, store):
    service = Biased(store, *bias, noise=0.01)
    start = bought(buy, service, [1, 40, 15, 80, 25])
    found = learned(store, service.machine)
    assert found.bills == 5
    bought(buy, service, [55], start)
    sixth = max(store.find(), key=lambda one: one.created_at)
    shown = found.seconds(1, sixth.seconds_estimated)
    assert abs(shown / sixth.seconds_used - 1) < 0.05
    wrong = abs(sixth.seconds_estimated / sixth.seconds_used - 1)
    assert wrong > 0.1  # what the documented formula says
    both = found.seconds(2, 2 * sixth.seconds_estimated)
    assert both == pytest.approx(2 * shown)


def test_jobs_of_one_size_teach_a_ratio(buy, store):
    service = Biased(store, 0.0, 3.0)
    bought(buy, service, [10] * LEAST_BILLS)
    found = learned(store, service.machine)
    assert (found.per_job, found.per_second) == (0.0, pytest.approx(3.0))


def test_few_bills_and_those_of_others_teach_nothing(buy, store):
    service = Biased(store, 0.0, 2.0)
    bought(buy, service, [5] * (LEAST_BILLS - 1))
    assert learned(store, service.machine) is None
    bought(buy, service, [5], 100)
    assert learned(store, service.machine) is not None
    assert learned(store, "another") is None
    assert learned(None, service.machine) is None


def test_no_bill_is_below_nothing(buy, store):
    service = Biased(store, -2.0, 1.0)
    bought(buy, service, [1, 40, 80])
    assert learned(store, service.machine).seconds(100, 1.0) == 0.0
