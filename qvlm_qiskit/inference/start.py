"""The beginning of an evaluation by jobs: it is written down, and then driven.

What is written down (`request`) is all that any process needs to go on with it (`drive`).
"""

from __future__ import annotations

from dataclasses import asdict

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.inference.afford import check_allowance, check_budget
from qvlm_qiskit.inference.drive import continue_evaluation
from qvlm_qiskit.inference.plan import EvaluationPlan, plan_evaluation
from qvlm_qiskit.inference.request import Request, SubmitOptions
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.runs import JobRun, new_run
from qvlm_qiskit.jobs.recording import service_for
from qvlm_qiskit.runs import Run


def submit_evaluation(
    run: Run,
    backend: Backend,
    store: JobStore,
    options: SubmitOptions | None = None,
    *,
    detach: bool = False,
) -> JobRun:
    """Answer a run's held-out questions by jobs that are never lost or repeated.

        run = Run.open(Path("runs/demo"))
        store = JobStore("runs/jobs")
        device = open_backend("noisy:fake_torino", shots=500, seed=0)
        job = submit_evaluation(run, device, store, SubmitOptions(limit=20), detach=True)
        …
        print(continue_evaluation(store, job.id).result["accuracy"])

    Where the plan is known already, or the jobs are to be shown while they are waited for, call
    `start_evaluation` and `continue_evaluation`.

    Args:
        run: The trained run.
        backend: From `open_backend`, with a seed where its values are to be repeatable.
        store: The ledger.
        options: What is asked.
        detach: Return as soon as the first jobs are accepted, instead of at the end.

    Returns:
        The run's record; its state is "done", with a result, or "waiting".

    Raises:
        BudgetError: It would cost too much; nothing was sent.
        JobFailedError: A job ended without results.
    """
    begun = start_evaluation(run, backend, store, options)
    return continue_evaluation(store, begun.id, detach=detach)


def start_evaluation(
    run: Run,
    backend: Backend,
    store: JobStore,
    options: SubmitOptions | None = None,
    plan: EvaluationPlan | None = None,
) -> JobRun:
    """Write down an evaluation; nothing is sent before `continue_evaluation`.

    Args:
        run: The trained run.
        backend: From `open_backend`, not recorded.
        store: The ledger.
        options: What is asked.
        plan: From `plan_evaluation` with the same arguments, where it is known already.

    Raises:
        BudgetError: The plan is beyond the budget, or what the account has left; nothing is
            written.
        UnreachableError: The service does not say what is left.
        BackendError: The mitigation can't run there.
    """
    chosen = options or SubmitOptions()
    planned = plan or plan_evaluation(run, backend, chosen, store)
    check_budget(chosen.budget, planned.chosen)
    check_allowance(service_for(backend, store, chosen.recording()), planned.chosen)
    request = Request.begin(run, backend, chosen, store, asdict(planned.chosen))
    return new_run(store, request.as_dict())
