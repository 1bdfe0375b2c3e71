"""The exchange of an API key for tokens that run out, and their check."""

from __future__ import annotations

import hashlib
import secrets
import time

import jwt

from .clock import Clock
from .errors import RefusedError, unauthorized

API_KEY = "loopback-api-key"
# The client renews a token at whole seconds: one that is on its way then is still good.
LEEWAY_SECONDS = 1.0


class Identity:
    """What `POST /identity/token` and the `Authorization` header need.

    A token carries all that is needed to check it, so that it outlives a restart of the server.

    Args:
        clock: The server's time.
        api_key: The one key that is accepted.
        lifetime_seconds: Of a token, as the server counts it and as the token says.
    """

    def __init__(self, clock: Clock, api_key: str, lifetime_seconds: float) -> None:
        self.clock = clock
        self.api_key = api_key
        self.lifetime_seconds = lifetime_seconds
        self._secret = hashlib.sha256(api_key.encode()).digest()
        self._withdrawn_until_ns = 0

    def issue(self, api_key: str) -> dict[str, object]:
        """The response to an exchange.

        Raises:
            RefusedError: A key that is not known.
        """
        if not secrets.compare_digest(api_key.encode(), self.api_key.encode()):
            raise RefusedError(
                400, 1200, "Provided API key could not be found.", "Check the API key."
            )
        # The client compares iat and exp with its own clock, which nobody moves.
        issued = int(time.time())
        claims = {
            "iat": issued,
            "exp": issued + int(self.lifetime_seconds),
            "issued_ns": time.time_ns(),
            "end": self.clock.now() + self.lifetime_seconds + LEEWAY_SECONDS,
        }
        return {
            "access_token": jwt.encode(claims, self._secret, algorithm="HS256"),
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": int(self.lifetime_seconds),
            "expiration": claims["exp"],
        }

    def check(self, header: str | None) -> None:
        """Accept `Bearer <token>` with a token of ours that is neither expired nor withdrawn.

        Raises:
            RefusedError: Anything else, a raw API key too.
        """
        kind, _, token = (header or "").partition(" ")
        if kind != "Bearer":
            raise unauthorized()
        try:
            claims = jwt.decode(token, self._secret, ["HS256"], options={"verify_exp": False})
        except jwt.InvalidTokenError as error:
            raise unauthorized() from error
        if claims["end"] <= self.clock.now() or claims["issued_ns"] <= self._withdrawn_until_ns:
            raise unauthorized()

    def withdraw(self) -> None:
        """Make every token that was issued up to now invalid."""
        self._withdrawn_until_ns = time.time_ns()
