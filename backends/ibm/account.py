"""The IBM Quantum account: where it may be used, and how its key becomes a request's token.

The client sends the raw API key with every request when the exchange of the key for a token fails;
here that is an error. The key and its tokens are sent to IBM's addresses only, or to this computer:
`python -m tests.runtime_server` prints the variables that point the client to a service there.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from typing import Any

from ibm_cloud_sdk_core import ApiException
from qiskit_ibm_runtime import QiskitRuntimeService
from requests import PreparedRequest, RequestException, TooManyRedirects
from requests.auth import AuthBase
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from qvlm_qiskit.backends.ibm.lookups import guarded
from qvlm_qiskit.backends.ibm.transport import Transport, UnsafeAddressError, is_loopback
from qvlm_qiskit.basics.foreign_text import shown
from qvlm_qiskit.errors import CredentialsError

IBM_DOMAIN = "cloud.ibm.com"
ADDRESS_VARIABLES = (
    "IAM_URL",
    "QISKIT_IBM_URL",
    "GLOBAL_SEARCH_URL",
    "GLOBAL_CATALOG_URL",
    "RESOURCE_CONTROLLER_URL",
)
"""Variables by which the client and IBM's SDK send the key or a token to another address."""
_EXCHANGES = 3
SIGN_IN_SECONDS = 60.0
"""For one exchange of the key for a token."""
# The SDK takes a token for expired that is valid for fewer seconds.
_MARGIN_SECONDS = 10
_HOST = re.compile(r"[a-z0-9.-]+|\[::1\]")
_PLAIN = re.compile(r"[!-?A-\[\]-~]+")  # ASCII without blanks, @ and backslashes
_SECRET_SHAPES = (
    re.compile(r"(?i)\b(bearer|apikey|basic)\s+[^\s,;\"']{16,}"),
    re.compile(
        r"(?i)\b(api_?key|token|authorization|password)[\"']?\s*[:=]\s*[\"']?[^\s\"',&}]{8,}"
    ),
    re.compile(r"\b(eyJ)[\w-]+\.[\w-]+\.[\w-]*"),
)


class SignInError(CredentialsError):
    """No token could be had for the account's key; nothing was sent to the service."""


class SignIn(AuthBase):
    """Signs requests with a token, never with the API key itself.

    Args:
        client_auth: The client's own handler, whose token manager is used.
    """

    def __init__(self, client_auth: Any) -> None:
        self._auth = client_auth
        self._used: list[str] = []
        self.failure: str | None = None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the headers to a request."""
        request.headers.update(self.headers())
        return request

    def __deepcopy__(self, memo: dict[int, Any]) -> SignIn:
        # A token manager holds a lock; its copies exchange the key again.
        return SignIn(self._auth.__deepcopy__(memo))

    def headers(self) -> dict[str, str]:
        """The headers that identify the account.

        Raises:
            SignInError: The identity service refused the key or did not answer.
        """
        return {"Service-CRN": str(self._auth.crn), "Authorization": f"Bearer {self._token()}"}

    def drop(self, authorization: str) -> None:
        """Take a new token next time, if the kept one is that of the header."""
        manager = self._auth.tm
        if authorization == f"Bearer {manager.access_token}":
            manager.access_token = None
            manager.expire_time = manager.refresh_time = manager.request_time = 0

    def secrets(self) -> tuple[str, ...]:
        """The key and the tokens that were used, for `redacted`."""
        return (str(self._auth.api_key), *self._used)

    def _token(self) -> str:
        manager = self._auth.tm
        # The key is not sent on to where an answer points.
        manager.http_config = {"allow_redirects": False}
        for exchange in range(_EXCHANGES):
            kept = manager.access_token, manager.expire_time
            try:
                with guarded(SIGN_IN_SECONDS):
                    return self._noted(str(manager.get_token()))
            except TooManyRedirects:
                self.failure = "the identity service sends the key on to another address"
                final = True
            except ApiException as ex:
                self.failure = f"the identity service answered {ex.status_code}"
                final = ex.status_code < 500 and ex.status_code != 429
            except RequestException as ex:
                self.failure = f"no answer of the identity service ({type(ex).__name__})"
                final = False
            except Exception as ex:
                # What the SDK does with an answer that has not the documented form.
                self.failure = f"the identity service sent no token ({type(ex).__name__})"
                final = True
            # The SDK takes over a new token before it has read it, and would wait a minute for an
            # exchange that has failed already.
            manager.access_token, manager.expire_time = kept
            manager.request_time = 0
            if manager.access_token and manager.expire_time - _MARGIN_SECONDS > time.time():
                return self._noted(str(manager.access_token))
            if final or exchange == _EXCHANGES - 1:
                break
            time.sleep(0.2 * 2**exchange)
        # Outside of the handlers: their exceptions hold the request, and it the key.
        raise SignInError(f"IBM Quantum sign-in failed: {self.failure}; nothing was sent")

    def _noted(self, token: str) -> str:
        self.failure = None
        if token not in self._used:
            self._used = [*self._used[-3:], token]
        return token


class GuardedService(QiskitRuntimeService):
    """The client's service, every connection of which is guarded from its first request on."""

    @property
    def _active_api_client(self) -> Any:
        return self._guarded_client

    @_active_api_client.setter
    def _active_api_client(self, client: Any) -> None:
        # Every client becomes the active one before its first use.
        guard_client(client)
        self._guarded_client = client

    @property
    def sign_in(self) -> SignIn:
        """Of the connection in use."""
        return guard_client(self._active_api_client)

    def _discover_account(self, *args: Any, **kwargs: Any) -> Any:
        account = super()._discover_account(*args, **kwargs)
        check_address("the account's url", account.url)
        return account

    def _get_crn_from_instance_name(self, account: Any, instance: str) -> Any:
        # Asks already while the account is looked for.
        check_address("the account's url", account.url)
        return super()._get_crn_from_instance_name(account, instance)


def open_service() -> GuardedService:
    """The service of the saved account, or of the one in the environment.

    Raises:
        UnsafeAddressError: A key or token would travel to another address than IBM's.
        SignInError: The identity service refused the key or did not answer.
        Exception: Whatever the client raises for a missing or unusable account; its message can
            hold parts of the account.
    """
    check_environment()
    with guarded():
        service = GuardedService()
    if service.sign_in.failure:
        # The client takes a failed sign-in for an instance without machines.
        raise SignInError(f"IBM Quantum sign-in failed: {service.sign_in.failure}")
    return service


def guard_service(service: Any) -> None:
    """Guard all clients of a service that somebody else made, and those that it makes later."""
    check_environment()
    if isinstance(service, GuardedService):
        return
    make = service._create_new_cloud_api_client  # noqa: SLF001  (the client has no hook)
    clients = service._get_api_clients()  # noqa: SLF001
    for client in (service._get_api_client(), *clients.values()):  # noqa: SLF001
        guard_client(client)
    if not getattr(make, "guarded", False):

        def guarded(instance: str) -> Any:
            client = make(instance)
            guard_client(client)
            return client

        guarded.guarded = True  # type: ignore[attr-defined]
        service._create_new_cloud_api_client = guarded  # noqa: SLF001


def guard_client(client: Any) -> SignIn:
    """Put our transport and sign-in under one of the client's connections; again does nothing."""
    session = client._session  # noqa: SLF001  (the client has no hook)
    if isinstance(session.auth, SignIn):
        return session.auth
    check_address("the identity service", session.auth.tm.url)
    sign_in = SignIn(session.auth)
    transport = Transport(sign_in)
    session.auth = sign_in
    session.mount("http://", transport)
    session.mount("https://", transport)
    return sign_in


def check_environment() -> None:
    """Refuse variables that would lead the key or a token to a stranger.

    Raises:
        UnsafeAddressError: One is neither IBM's address nor this computer's.
    """
    for name in ADDRESS_VARIABLES:
        if url := os.environ.get(name):
            check_address(name, url)


def check_address(what: str, url: str) -> None:
    """Refuse an address that is neither IBM's, by https, nor this computer's.

    Raises:
        UnsafeAddressError: Credentials would be sent there.
    """
    address = str(url)
    try:
        # As `requests` reads it, who sends: for other parsers the host can be another one.
        parts = parse_url(address)
    except LocationParseError:
        parts = Url()
    host = (parts.host or "").lower()
    # Users' names, backslashes and control characters make an address look like another.
    if not _HOST.fullmatch(host) or not _PLAIN.fullmatch(address):
        raise UnsafeAddressError(
            f"{what} is at no plain address, where credentials would be sent: expected https and "
            f"{IBM_DOMAIN}, or this computer"
        )
    if is_loopback(host.strip("[]")) and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https" or not f".{host}".endswith(f".{IBM_DOMAIN}"):
        raise UnsafeAddressError(
            f"{what} is at {parts.scheme}://{host}, where credentials would be sent: expected "
            f"https and {IBM_DOMAIN}, or this computer"
        )


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A text on one line without known secrets and without what looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    for shape in _SECRET_SHAPES:
        text = shape.sub(r"\1 [redacted]", text)
    return " ".join(shown(text).split())[:300]
