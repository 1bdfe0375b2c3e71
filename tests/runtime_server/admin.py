"""What tests in other processes ask the server, under /_admin/."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.errors import InputError

from .errors import invalid, unknown
from .faults import asdict_of
from .messages import Request, Response
from .records import JobRecord

if TYPE_CHECKING:
    from .server import RuntimeServer


def answer_admin(server: RuntimeServer, request: Request) -> Response:
    """Answer one of:

    - `GET /_admin/jobs[?tag=]`: accepted jobs without payload and result.
    - `GET /_admin/posts[?tag=]`: every `POST /jobs` that came, refused ones too.
    - `GET|POST|DELETE /_admin/faults`: list, add (the arguments of `Faults.add`), clear.
    - `POST /_admin/advance` with `{"seconds": …}`.
    - `POST /_admin/sessions/close` with `{"id": …}`.

    Raises:
        RefusedError: 400 for other arguments, 404 for other paths.
    """
    try:
        return _answer(server, request)
    except (InputError, TypeError, ValueError, KeyError) as error:
        raise invalid(f"{type(error).__name__}: {error}") from error


def _answer(server: RuntimeServer, request: Request) -> Response:
    what = (request.method, request.path.removeprefix("/_admin/"))
    tag = request.first("tag")
    if what == ("GET", "jobs"):
        jobs = list(server.jobs) if tag is None else server.jobs.tagged(tag)
        return Response(200, {"jobs": [_summary(record) for record in jobs]})
    if what == ("GET", "posts"):
        posts = server.jobs.posts if tag is None else server.jobs.posts_tagged(tag)
        return Response(200, {"posts": [asdict(post) for post in list(posts)]})
    if what == ("GET", "faults"):
        return Response(200, {"faults": server.faults.describe()})
    if what == ("DELETE", "faults"):
        server.faults.clear()
        return Response(204)
    if what == ("POST", "faults"):
        return Response(200, asdict_of(server.faults.add(**request.json())))
    if what == ("POST", "advance"):
        server.advance(float(request.json()["seconds"]))
        return Response(204)
    if what == ("POST", "sessions/close"):
        server.sessions.close(request.json()["id"])
        return Response(204)
    raise unknown("Endpoint", request.path, 1404)


def _summary(record: JobRecord) -> dict[str, Any]:
    fields = asdict(record)
    for name in ("payload", "result", "logs"):
        del fields[name]
    return fields
