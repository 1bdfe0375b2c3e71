"""What a service has without saying anything."""

import pytest

from qvlm_qiskit.backends.service import Allowance, JobLimits, JobService, RefusedError


class Least(JobService):
    machine, account, decoder = "least", "ours", "local-1"
    post_seconds = visible_after_seconds = 1.0

    def submit(self, package, tag, *, max_seconds, session=None):
        raise NotImplementedError

    find = status = fetch = cancel = submit


def test_it_is_paid_and_states_no_limits():
    service = Least()
    assert (service.charges, service.limits, service.posts_per_minute) == (True, JobLimits(), None)
    assert service.allowance() == Allowance(None, limit_reached=False)


def test_it_has_no_sessions():
    service = Least()
    assert service.sessions == () and not service.session_accepts("any")
    service.close_session("any")
    with pytest.raises(RefusedError, match="least has no batch"):
        service.open_session("batch", None)
