"""The exchange of an API key for tokens that run out, and their check."""

from __future__ import annotations

import secrets
import time

import jwt

from .clock import Clock
from .errors import RefusedError, unauthorized

API_KEY = "loopback-api-key"


class Identity:
    """What `POST /identity/token` and the `Authorization` header need.

    Args:
        clock: The server's time.
        api_key: The one key that is accepted.
        lifetime_seconds: Of a token, as the server counts it and as the token says.
    """

    def __init__(self, clock: Clock, api_key: str, lifetime_seconds: float) -> None:
        self.clock = clock
        self.api_key = api_key
        self.lifetime_seconds = lifetime_seconds
        self._secret = secrets.token_bytes(32)
        self._expiry: dict[str, float] = {}

    def issue(self, api_key: str) -> dict[str, object]:
        """The response to an exchange.

        Raises:
            RefusedError: A key that is not known.
        """
        if not secrets.compare_digest(api_key.encode(), self.api_key.encode()):
            raise RefusedError(
                400, 1200, "Provided API key could not be found.", "Check the API key."
            )
        # The client compares with its own clock, which nobody moves.
        issued = int(time.time())
        claims = {"iat": issued, "exp": issued + int(self.lifetime_seconds), "jti": _identifier()}
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        with self.clock.condition:
            self._expiry[token] = self.clock.now() + self.lifetime_seconds
        return {
            "access_token": token,
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": int(self.lifetime_seconds),
            "expiration": claims["exp"],
        }

    def check(self, header: str | None) -> None:
        """Accept `Bearer <token>` with a token that is issued, not expired and not withdrawn.

        Raises:
            RefusedError: Anything else, a raw API key too.
        """
        kind, _, token = (header or "").partition(" ")
        with self.clock.condition:
            expiry = self._expiry.get(token, 0.0)
        if kind != "Bearer" or expiry <= self.clock.now():
            raise unauthorized()

    def withdraw(self) -> None:
        """Make every issued token invalid."""
        with self.clock.condition:
            self._expiry.clear()


def _identifier() -> str:
    return secrets.token_hex(8)
