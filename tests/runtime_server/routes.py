"""The protocol: which request does what to machines, sessions and jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from .auth import Identity
from .clock import Clock, instant, iso
from .errors import RefusedError, invalid, rate_limited, unknown
from .execute import SCHEMA, two_qubit_gates
from .faults import Fault, Faults
from .jobs import Jobs
from .machines import Machine
from .messages import CLOUD, Request, Response
from .sessions import Sessions

PROGRAMS = ("executor", "estimator")
DEFAULT_LIMIT = 20


class Service:
    """The state behind the endpoints; each method below `answer` is one of them.

    Args:
        clock: The server's time.
        machines: By name.
        jobs: Accepted jobs.
        sessions: Sessions and batches.
        identity: Tokens.
        faults: What goes wrong.
        instance: The CRN of the one instance.
        plan: Its plan, such as "open".
        rate_limit: `POST /jobs` in a minute before 429, or None.
        allowance_seconds: QPU time of the instance.

    Attributes:
        most_two_qubit_gates: Executor jobs with more are refused; None: whatever they have.
    """

    def __init__(
        self,
        clock: Clock,
        machines: dict[str, Machine],
        jobs: Jobs,
        sessions: Sessions,
        identity: Identity,
        faults: Faults,
        instance: str,
        plan: str,
        rate_limit: int | None,
        allowance_seconds: float,
    ) -> None:
        self.clock = clock
        self.machines = machines
        self.jobs = jobs
        self.sessions = sessions
        self.identity = identity
        self.faults = faults
        self.instance = instance
        self.plan = plan
        self.rate_limit = rate_limit
        self.allowance_seconds = allowance_seconds
        self.most_two_qubit_gates: int | None = None
        self._submitted: list[float] = []

    def answer(self, endpoint: str, names: tuple[str, ...], request: Request) -> Response:
        """Do what a request asks.

        Raises:
            RefusedError: Anything that the service refuses.
        """
        if endpoint not in CLOUD.values():
            self.identity.check(request.headers.get("Authorization"))
            if request.headers.get("Service-CRN") != self.instance:
                raise RefusedError(403, 1201, "The instance is not accessible.", "Check the CRN.")
        handler: Callable[..., Response] = getattr(self, f"_{endpoint}")
        return handler(request, *names)

    def usage_seconds(self) -> float:
        """QPU time of all jobs so far; a mock uses none, whatever it says of a job."""
        real = (job for job in self.jobs if not job.backend.startswith("mock_"))
        return sum(self._charge(job.id) for job in real)

    # The cloud around the service.

    def _token(self, request: Request) -> Response:
        form = parse_qs(request.body.decode())
        return Response(200, self.identity.issue(form.get("apikey", [""])[0]))

    def _instances(self, request: Request) -> Response:
        self.identity.check(request.headers.get("Authorization"))
        item = {
            "crn": self.instance,
            "name": "loopback",
            "service_plan_unique_id": "plan",
            "doc": {"extensions": {"backends": list(self.machines)}},
            "tags": [],
        }
        return Response(200, {"items": [item], "limit": 100})

    def _plan(self, request: Request) -> Response:
        pricing = "free" if self.plan == "open" else "paygo"
        content = {
            "overview_ui": {"en": {"display_name": self.plan.capitalize()}},
            "metadata": {"pricing": {"type": pricing}},
        }
        return Response(200, content)

    # Machines.

    def _backends(self, request: Request) -> Response:
        mocks = request.first("include_mocks") == "True"
        offered = [m for m in self.machines.values() if mocks or not m.mock]
        devices = [m.listing(self.jobs.pending(m.name)) for m in offered]
        return Response(200, {"devices": devices})

    def _machine(self, name: str) -> Machine:
        if name not in self.machines:
            raise unknown("Backend", name, 1007)
        return self.machines[name]

    def _configuration(self, request: Request, name: str) -> Response:
        return Response(200, self._machine(name).configuration)

    def _properties(self, request: Request, name: str) -> Response:
        return Response(200, self._machine(name).properties)

    def _status(self, request: Request, name: str) -> Response:
        return Response(200, self._machine(name).status(self.jobs.pending(name)))

    def _usage(self, request: Request) -> Response:
        used = self.usage_seconds()
        content = {
            "instance_id": self.instance,
            "plan_id": self.plan,
            "usage_consumed_seconds": round(used),
            "usage_allocation_seconds": self.allowance_seconds,
            "usage_limit_reached": used >= self.allowance_seconds,
        }
        return Response(200, content)

    # Sessions.

    def _create_session(self, request: Request) -> Response:
        payload = request.json()
        self._machine(payload.get("backend", ""))
        return Response(200, self.sessions.create(payload))

    def _session(self, request: Request, session_id: str) -> Response:
        return Response(200, self.sessions.get(session_id))

    def _update_session(self, request: Request, session_id: str) -> Response:
        if request.json().get("accepting_jobs") is False:
            self.sessions.stop_accepting(session_id)
        return Response(204)

    def _close_session(self, request: Request, session_id: str) -> Response:
        self.sessions.close(session_id)
        with self.clock.condition:
            for record in self.jobs:
                if record.session_id == session_id and record.status == "Queued":
                    self.jobs.cancel(record.id)
        return Response(204)

    # Jobs.

    def _submit(self, request: Request) -> Response:
        payload, faults = request.json(), request.faults
        session_id = payload.get("session_id")
        lag = faults.get("listing_lag")
        with self.clock.condition:
            self._check_rate()
            self._check_payload(payload)
            if session_id and "session_closed" in faults:
                self.sessions.close(session_id)
            if session_id:
                self.sessions.check_open(session_id)
            accepted = [
                self.jobs.add(payload, lag.number(0.0) if lag else 0.0, _fate(faults))
                for _ in range(2 if "duplicate" in faults else 1)
            ]
            if request.post:
                request.post.job_ids += [record.id for record in accepted]
        told = next(iter(self.jobs)) if "another_id" in faults else accepted[0]
        return Response(200, {"id": told.id, "backend": payload["backend"]})

    def _check_rate(self) -> None:
        now = self.clock.now()
        self._submitted = [past for past in self._submitted if past > now - 60]
        if self.rate_limit is not None and len(self._submitted) >= self.rate_limit:
            raise rate_limited(self._submitted[0] + 60 - now)
        self._submitted.append(now)

    def _check_payload(self, payload: dict[str, Any]) -> None:
        program = payload.get("program_id")
        if program not in PROGRAMS:
            raise unknown("Program", str(program), 1247)
        if payload.get("backend") not in self.machines:
            raise unknown("Backend", str(payload.get("backend")), 1007)
        params = payload.get("params")
        if not isinstance(params, dict):
            raise invalid("params is not an object.")
        version = params.get("schema_version")
        if program == "executor" and version != SCHEMA:
            raise invalid(f"schema_version {version!r} is not supported; {SCHEMA} is.")
        if program == "executor" and self.most_two_qubit_gates is not None:
            count, most = two_qubit_gates(params), self.most_two_qubit_gates
            if count > most:
                raise invalid(f"{count} two-qubit gates in the job; at most {most}.")
        if program == "estimator" and not isinstance(params.get("pubs"), list):
            raise invalid("params.pubs is not a list.")
        tags = payload.get("tags", [])
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise invalid("tags is not a list of strings.")

    def _list_jobs(self, request: Request) -> Response:
        chosen = [record for record in self.jobs if self._wanted(record, request)]
        chosen.sort(key=lambda record: record.created, reverse=request.first("sort") != "ASC")
        limit = int(request.first("limit") or DEFAULT_LIMIT)
        offset = int(request.first("offset") or 0)
        page = [record.view() for record in chosen[offset : offset + limit]]
        hidden = request.faults.get("short_list")
        count = len(chosen) + (int(hidden.number(1.0)) if hidden else 0)
        content = {"jobs": page, "count": count, "limit": limit, "offset": offset}
        return Response(200, content)

    def _wanted(self, record: Any, request: Request) -> bool:
        pending = request.first("pending")
        after, before = request.first("created_after"), request.first("created_before")
        return (
            record.visible <= self.clock.now()
            and (request.first("include_mocks") == "True" or record.backend[:5] != "mock_")
            and set(request.query.get("tags", [])) <= set(record.tags)
            and (pending is None or record.final == (pending == "false"))
            and request.first("backend") in (None, record.backend)
            and request.first("program") in (None, record.program_id)
            and request.first("session_id") in (None, record.session_id)
            and (after is None or record.created >= instant(after))
            and (before is None or record.created <= instant(before))
        )

    def _job(self, request: Request, job_id: str) -> Response:
        exclude = request.first("exclude_params") == "true"
        if "another_job" in request.faults:
            *_, newest = self.jobs
            job_id = newest.id
        return Response(200, self.jobs[job_id].view(exclude_params=exclude))

    def _delete_job(self, request: Request, job_id: str) -> Response:
        self.jobs.delete(job_id)
        return Response(204)

    def _results(self, request: Request, job_id: str) -> Response:
        text = self.jobs.read_result(job_id)
        return Response(200 if text else 204, text or None)

    def _metrics(self, request: Request, job_id: str) -> Response:
        record = self.jobs[job_id]
        charge = self._charge(job_id)
        content = {
            "timestamps": {
                "created": iso(record.created),
                "running": iso(record.running),
                "finished": iso(record.finished),
            },
            "usage": {
                "status": "final" if record.final else "pending",
                "seconds": charge,
                "qpu_charge_time_seconds": charge,
            },
            "executions": record.executions,
        }
        return Response(200, content)

    def _charge(self, job_id: str) -> float:
        """QPU seconds of a job: executions × the pause between shots, or its time when longer."""
        record = self.jobs[job_id]
        if record.running is None:
            return 0.0
        held = (record.finished or self.clock.now()) - record.running
        machine = self.machines.get(record.backend)
        shots = record.executions * machine.rep_delay_seconds if machine else 0.0
        return round(max(shots, min(held, self.jobs.run_seconds)), 6)

    def _logs(self, request: Request, job_id: str) -> Response:
        return Response(200, self.jobs[job_id].logs)

    def _cancel(self, request: Request, job_id: str) -> Response:
        self.jobs.cancel(job_id)
        return Response(204)

    def _tags(self, request: Request, job_id: str) -> Response:
        self.jobs.retag(job_id, request.json().get("tags", []))
        return Response(204)


def _fate(faults: dict[str, Fault]) -> tuple[str, str] | None:
    if "job_failed" in faults:
        return "failed", str(faults["job_failed"].value)
    if "job_max_time" in faults:
        return "max_time", ""
    return None
