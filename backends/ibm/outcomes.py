"""What a request's fate on the wire means for the ledger.

The exceptions of the Runtime client say the same for a job that was never sent and for one that
runs: only what `backends.ibm.wire` noted decides.

    what happened to POST /jobs                            the ledger's error
    no connection; nothing sent                            NotAcceptedError
    sent, and no answer in time or a broken connection     AmbiguousError
    2xx with an id                                         none: accepted
    2xx without a readable id, 3xx, 408, 499, 5xx          AmbiguousError
    401, 429                                               DeniedError, with Retry-After
    4xx that says that the session is closed               DeniedError, with that
    other 4xx in the service's words; 413 and 431          DeniedError, final
    other 4xx, such as a page of HTML                      AmbiguousError
    never begun: a question before it was not answered     NotAcceptedError
    never begun: it was answered in no form that is known  NotAcceptedError
    never begun: the client refuses the job                RefusedError

A 4xx that is not in the service's words comes from something in between: a proxy, a firewall, a
sign-in page. It is nothing that the job is to blame for, so it must not be final. Most of them did
not pass the request on, but one that looks at answers can also replace the service's own: only a
search tells, and it costs minutes where a second job costs QPU time. The service's own 4xx is no
proof either: it may have accepted the job before it failed at something else. But the request has
been answered then, and a search tells as soon as the service lists what it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from qiskit.exceptions import QiskitError
from qiskit_ibm_runtime.api.exceptions import ApiError
from qiskit_ibm_runtime.exceptions import IBMBackendApiError, IBMBackendApiProtocolError
from requests import RequestException

from qvlm_qiskit.backends.ibm.account import SignInError, redacted
from qvlm_qiskit.backends.ibm.transport import ContentTooLargeError, UnsafeAddressError
from qvlm_qiskit.backends.ibm.wire import Exchange, Record
from qvlm_qiskit.backends.service import (
    AmbiguousError,
    DeniedError,
    NoSuchJobError,
    NotAcceptedError,
    RefusedError,
    UnreachableError,
)
from qvlm_qiskit.basics.sizes import VARIABLE, TooLargeError, most_bytes
from qvlm_qiskit.errors import JobError, QVLMError

# Given by a gateway too, which can't know what the service behind it did.
_UNCLEAR = frozenset({408, 499})
# Too large already for what is in between, which then passes nothing on; it will be so again.
_TOO_LARGE = frozenset({413, 431})
_SESSION_CLOSED_CODE = 1217
_SESSION_CLOSED = re.compile(r"session\b.*\b(closed|not accept|no longer|expired|terminated)", re.I)
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NOT_THE_JOBS_FAULT = (
    ApiError,
    IBMBackendApiError,
    IBMBackendApiProtocolError,
    RequestException,
    OSError,
    MemoryError,
    Warning,
)
# What the client raises on purpose about a job; a KeyError, say, comes from an answer's form.
_REFUSALS = (ValueError, NotImplementedError, QiskitError, UnsafeAddressError)


def submitted(
    record: Record, failure: Exception | None, secrets: Sequence[str], *, in_session: bool
) -> str:
    """The server's id of a job that was submitted.

    Args:
        record: The requests of the submission.
        failure: What the client raised, if anything.
        secrets: What no message may contain.
        in_session: Whether the job was sent in a batch or session.

    Raises:
        NotAcceptedError: Surely no job; may be tried again.
        RefusedError: Surely no job; must not be tried again.
        DeniedError: The service says that it has none.
        AmbiguousError: Unknown.
    """
    posts = [e for e in record.exchanges if e.method == "POST" and e.path.endswith("/jobs")]
    if not posts:
        raise _before(record, failure, secrets)
    post = posts[-1]
    what = described(post, secrets)
    status = post.status
    if post.state == "unsent":
        raise NotAcceptedError(what)
    if status is None:
        raise AmbiguousError(what)
    if 200 <= status < 300:
        if (server_id := _accepted(post)) is None:
            raise AmbiguousError(f"{what}, without an id that can be read")
        return server_id
    if status in (401, 429):
        raise DeniedError(what, post.retry_after_seconds)
    if not 400 <= status < 500 or status in _UNCLEAR:
        raise AmbiguousError(what)
    code, message = server_error(post)
    if in_session and (code == _SESSION_CLOSED_CODE or _SESSION_CLOSED.search(message)):
        raise DeniedError(what, session_closed=True)
    if not _by_the_service(post) and status not in _TOO_LARGE:
        raise AmbiguousError(f"{what}, not in the service's words")
    raise DeniedError(what, final=True)


def opened(record: Record, failure: Exception | None, secrets: Sequence[str]) -> QVLMError:
    """The error for a batch or session that could not be opened."""
    last = record.exchanges[-1] if record.exchanges else None
    status = last.status if last else None
    refused = status is not None and 400 <= status < 500 and status not in (401, 429, *_UNCLEAR)
    if last is not None and refused and _by_the_service(last):
        return RefusedError(described(last, secrets))
    return unread(record, failure, secrets)


def unread(record: Record, failure: Exception | None, secrets: Sequence[str]) -> QVLMError:
    """The error for a question without a usable answer."""
    last = record.exchanges[-1] if record.exchanges else None
    if last is not None and last.failure == ContentTooLargeError.__name__:
        return TooLargeError(
            f"{last.method} {last.path}: the answer unpacks to more than {most_bytes():,} bytes "
            f"({VARIABLE} sets the limit)"
        )
    if last is None or isinstance(failure, SignInError | UnsafeAddressError):
        return UnreachableError(_words(failure, secrets))
    if last.status == 404 and _by_the_service(last):
        return NoSuchJobError(described(last, secrets))
    what = described(last, secrets)
    if last.status is not None and 200 <= last.status < 300 and last.body is not None:
        what += f", which can't be understood ({type(failure).__name__})"
    return UnreachableError(what)


def _before(record: Record, failure: Exception | None, secrets: Sequence[str]) -> JobError:
    """The error for a submission that ended before its POST began."""
    if isinstance(failure, SignInError):
        return NotAcceptedError(_words(failure, secrets))
    last = record.exchanges[-1] if record.exchanges else None
    if last is not None and (last.body is None or not 200 <= (last.status or 0) < 300):
        what = f"before anything was submitted: {described(last, secrets)}"
        return NotAcceptedError(what, last.retry_after_seconds)
    if isinstance(failure, _NOT_THE_JOBS_FAULT):
        return NotAcceptedError(f"before anything was submitted: {_words(failure, secrets)}")
    if last is not None and not (isinstance(failure, _REFUSALS) and _is_object(last)):
        what = f"{described(last, secrets)}, which can't be understood ({type(failure).__name__})"
        return NotAcceptedError(f"before anything was submitted: {what}")
    return RefusedError(f"the Runtime client refuses the job: {_words(failure, secrets)}")


def _by_the_service(exchange: Exchange) -> bool:
    """Whether an error has the service's form; one of a gateway has another."""
    return server_error(exchange) != (None, "")


def _is_object(exchange: Exchange) -> bool:
    try:
        return isinstance(json.loads(exchange.body or b"null"), dict)
    except ValueError:
        return False


def described(exchange: Exchange, secrets: Sequence[str]) -> str:
    """One line on what became of a request, without secrets."""
    asked = f"{exchange.method} {exchange.path}"
    if exchange.state == "unsent":
        return f"{asked}: no connection ({exchange.failure})"
    if exchange.status is None:
        return f"{asked}: sent, but no answer ({exchange.failure})"
    said = f"{asked}: answered {exchange.status}"
    code, message = server_error(exchange)
    if code is not None or message:
        said += f" ({redacted(' '.join(str(p) for p in (code, message) if p), secrets)})"
    if exchange.status == 401:
        said += "; a new token is taken next time"
    return said if exchange.body is not None else f"{said}, broken off ({exchange.failure})"


def server_error(exchange: Exchange) -> tuple[int | None, str]:
    """The server's number and words for an error; (None, "") where it has none."""
    try:
        body = json.loads(exchange.body or b"null")
    except ValueError:
        return None, ""
    errors = body.get("errors") if isinstance(body, dict) else None
    error = errors[0] if isinstance(errors, list) and errors else None
    if error is None and isinstance(body, dict):
        error = body.get("error")
    if not isinstance(error, dict):
        return None, ""
    code = error.get("code")
    return code if isinstance(code, int) else None, str(error.get("message", ""))


def _accepted(exchange: Exchange) -> str | None:
    try:
        body: Any = json.loads(exchange.body or b"null")
    except ValueError:
        return None
    server_id = body.get("id") if isinstance(body, dict) else None
    return server_id if isinstance(server_id, str) and JOB_ID.fullmatch(server_id) else None


def _words(failure: Exception | None, secrets: Sequence[str]) -> str:
    return f"{type(failure).__name__}: {redacted(str(failure), secrets)}"
