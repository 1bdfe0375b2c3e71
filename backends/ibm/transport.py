"""What travels between the Runtime client and IBM's service, and for how long at most.

The client retries a POST up to five times after a 5xx answer, which submits a job again; it waits
900 s for an answer to one, and without end for an answer to a GET. `Transport` takes the place of
its HTTP adapters:

- Only a GET is sent again: after a broken connection, an incomplete body, 429 and 5xx, with growing
  random pauses or as long as Retry-After says, within a total deadline.
- Every request has a total deadline, also against a server that sends a byte now and then.
- Whoever asks by `wire.recording` learns of every request whether it left this computer and what
  came back, so that nobody needs to guess from the texts of exceptions.
- A body that unpacks to more than `basics.sizes` allows is not read.
- No request follows a redirect to another origin, and a GET alone follows any.
- Plain http is sent to this computer only, and never by way of a proxy.
"""

from __future__ import annotations

import ipaddress
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import (
    ChunkedEncodingError,
    ConnectionError,
    ContentDecodingError,
    ReadTimeout,
    RequestException,
    SSLError,
    Timeout,
    TooManyRedirects,
)
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from qvlm_qiskit.backends.ibm.wire import (
    ATTEMPT,
    POOLS,
    RECORD,
    Attempt,
    Deadlines,
    Exchange,
    Record,
    WriteLimit,
)
from qvlm_qiskit.basics.sizes import VARIABLE, most_bytes
from qvlm_qiskit.errors import BackendError

logger = logging.getLogger(__name__)

TRANSIENT = frozenset({429, 500, 502, 503, 504, 520, 521, 522, 524})
_BROKEN = (ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError)
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_PART_BYTES = 2**18


class UnsafeAddressError(BackendError):
    """An address to which credentials would travel unprotected, or to a stranger."""


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address is this computer."""
    if not host:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ContentTooLargeError(RequestException):
    """An answer's body, unpacked, is larger than is read."""


class TokenSource(Protocol):
    """What signs requests, such as `account.SignIn`."""

    def headers(self) -> Mapping[str, str]:
        """The headers that identify the account."""
        ...

    def drop(self, authorization: str) -> None:
        """Take a new token next time if this one is still the kept one."""
        ...


class Transport(HTTPAdapter):
    """An HTTP adapter for the sessions of the Runtime client.

    Args:
        tokens: Signs a GET again that was answered 401; a POST is not sent a second time.
        deadlines: For calls that don't run inside `wire.recording`.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        tokens: TokenSource | None = None,
        deadlines: Deadlines | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tokens = tokens
        self.deadlines = deadlines or Deadlines()
        self._sleep = sleep
        super().__init__(max_retries=0)

    def __deepcopy__(self, memo: dict[int, Any]) -> Transport:
        # A copied client keeps the same protection; urllib3's pools can't be copied.
        return Transport(self.tokens, self.deadlines, self._sleep)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose connections say when they send."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """The same pools behind a proxy.

        Raises:
            BackendError: A SOCKS proxy, whose connections would not say when they send.
        """
        if proxy.lower().startswith("socks"):
            raise BackendError("SOCKS proxies are not supported: use an HTTP proxy")
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request; `stream` and `timeout` are replaced by our own.

        Raises:
            UnsafeAddressError: Plain http to another computer.
            requests.exceptions.RequestException: No complete answer in time.
        """
        parts = urlsplit(str(request.url))
        if parts.scheme != "https":
            if not is_loopback(parts.hostname):
                raise UnsafeAddressError(
                    f"plain http to {parts.hostname!r} is refused: only this computer is spoken to "
                    "without encryption"
                )
            proxies = {}
        record = RECORD.get() or Record(self.deadlines)
        options = {"verify": verify, "cert": cert, "proxies": proxies}
        ends = time.monotonic() + record.deadlines.total(str(request.method), parts.path)
        if request.method == "GET":
            response = self._persist(request, record, ends, options)
            _check_redirect(response)
            return response
        limit = None
        if record.no_write_after is not None:
            # A computer that sleeps from here on must not go on sending: looked at again before
            # the first byte leaves.
            limit = WriteLimit.at(record.no_write_after)
            ends = min(ends, time.monotonic() + limit.seconds_left())
        # A connection that the server closed while it was idle would make the outcome unknown.
        self.poolmanager.clear()
        response = self._once(request, record, ends, options, limit)
        if response.status_code == 401:
            self._drop(request)
        if response.is_redirect:
            raise TooManyRedirects(f"a {request.method} is not sent on to another address")
        return response

    def _persist(
        self, request: PreparedRequest, record: Record, ends: float, options: Mapping[str, Any]
    ) -> Response:
        """A GET with repetitions."""
        signed_again = False
        for attempt in range(1, record.deadlines.attempts + 1):
            response, failure = None, None
            try:
                response = self._once(request, record, ends, options)
            except _BROKEN as ex:
                failure = ex
            wait = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            wait *= random.uniform(0.5, 1.0)
            if response is not None:
                if response.status_code == 401 and not signed_again and self._drop(request):
                    signed_again = True
                    request.headers.update(self.tokens.headers() if self.tokens else {})
                    continue
                if response.status_code not in TRANSIENT:
                    return response
                wait = record.exchanges[-1].retry_after_seconds or wait
            out_of_time = time.monotonic() + wait >= ends
            if out_of_time or attempt == record.deadlines.attempts or isinstance(failure, SSLError):
                break
            self._sleep(wait)
        if response is not None:
            return response
        assert failure is not None  # the loop ran at least once and ended with one of the two
        raise failure

    def _once(
        self,
        request: PreparedRequest,
        record: Record,
        ends: float,
        options: Mapping[str, Any],
        limit: WriteLimit | None = None,
    ) -> Response:
        """One attempt, with the whole body."""
        exchange = Exchange(str(request.method), urlsplit(str(request.url)).path)
        record.exchanges.append(exchange)
        left = max(0.001, ends - time.monotonic())
        silence = left
        if request.method == "GET":
            silence = min(left, record.deadlines.silence_seconds)
        connect = min(left, record.deadlines.connect_seconds)
        attempt = Attempt(exchange, ends, limit)
        token = ATTEMPT.set(attempt)
        try:
            with attempt.limited(left):
                response = super().send(request, True, (connect, silence), **options)
                exchange.state, exchange.status = "answered", response.status_code
                exchange.retry_after_seconds = _retry_after(response)
                body = _body(response)
                if attempt.expired:  # a body without a stated length just ends
                    raise ReadTimeout(f"no complete answer to {exchange.method} in time")
                exchange.body = body
        except RequestException as ex:
            exchange.failure = type(ex).__name__
            if attempt.expired and not isinstance(ex, Timeout):
                exchange.failure = ReadTimeout.__name__
                raise ReadTimeout(f"no complete answer to {exchange.method} in time") from ex
            raise
        finally:
            ATTEMPT.reset(token)
            logger.debug(
                "%s %s: %s", exchange.method, exchange.path, exchange.status or exchange.failure
            )
        return response

    def _drop(self, request: PreparedRequest) -> bool:
        """Forget the token that a request was refused with; whether there was one of ours."""
        authorization = request.headers.get("Authorization")
        if self.tokens is None or not authorization:
            return False
        self.tokens.drop(str(authorization))
        return True


def _body(response: Response) -> bytes:
    """The whole body, unpacked.

    Raises:
        ContentTooLargeError: It is larger than is read.
    """
    most, parts, size = most_bytes(), [], 0
    for part in response.iter_content(_PART_BYTES):
        parts.append(part)
        size += len(part)
        if size > most:
            response.close()
            raise ContentTooLargeError(
                f"an answer of more than {most // 2**20:,} MiB is not read ({VARIABLE} sets the "
                "limit)"
            )
    content = b"".join(parts)
    response._content = content  # noqa: SLF001  (what `content` would have kept)
    return content


def _check_redirect(response: Response) -> None:
    """Refuse an answer that sends a GET on to somebody else, or to plain http.

    Raises:
        TooManyRedirects: It does: what is there is not the service's word.
    """
    if not response.is_redirect:
        return
    asked = str(response.url)
    target = urljoin(asked, response.headers["Location"])
    if _origin(target) != _origin(asked):
        raise TooManyRedirects("a GET is not sent on to another address")


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or usual


def _retry_after(response: Response) -> float | None:
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except InvalidHeader:
        return None
