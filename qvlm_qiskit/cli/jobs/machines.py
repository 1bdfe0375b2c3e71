"""Asking machines again: for bills that are missing, and for raw results that are damaged."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.cli import common


def ask_for_bills(ledger: Any) -> None:
    """Ask machines that charge for the bills of jobs that have none; say how many are left."""
    from qvlm_qiskit.jobs import Recording
    from qvlm_qiskit.jobs.costs.bills import settle
    from qvlm_qiskit.jobs.recording import service_for
    from qvlm_qiskit.jobs.services.local import HERE

    sent = [job for job in ledger.find() if job.server_id and job.account != HERE]
    for name in sorted({job.machine for job in sent}):
        service = service_for(common.open_machine(name), ledger, Recording())
        if service.charges:
            left = settle(ledger, service)
            common.say(f"{name}: {left} jobs are still without a bill", err=True)


def restore_results(ledger: Any) -> None:
    """Fetch damaged raw results from their machines again."""
    from qvlm_qiskit.jobs import Recording
    from qvlm_qiskit.jobs.recording import service_for
    from qvlm_qiskit.jobs.verify import damaged_results, restore_result

    for job in damaged_results(ledger):
        machine = common.open_machine(job.machine)
        restore_result(ledger, service_for(machine, ledger, Recording()), job)
        common.say(f"the raw result of {job.id} was fetched from {job.machine} again", err=True)
