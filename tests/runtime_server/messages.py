"""Requests and responses, and the table of endpoints."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .errors import invalid
from .faults import Fault
from .records import Post


@dataclass
class Request:
    """One HTTP request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes
    faults: dict[str, Fault] = field(default_factory=dict)
    post: Post | None = None

    @cached_property
    def _loaded(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def tags(self) -> list[str]:
        """The tags in a submission; none when it can't be read."""
        tags = self._loaded.get("tags") if isinstance(self._loaded, dict) else None
        return [str(tag) for tag in tags] if isinstance(tags, list) else []

    def json(self) -> dict[str, Any]:
        """The body.

        Raises:
            RefusedError: 400 for anything that is not a JSON object.
        """
        if not isinstance(self._loaded, dict):
            raise invalid("The body is not a JSON object.")
        return self._loaded

    def first(self, name: str) -> str | None:
        """A query parameter."""
        return self.query.get(name, [None])[0]  # type: ignore[list-item]


@dataclass
class Response:
    """One HTTP response; a `dict` is sent as JSON."""

    status: int
    content: dict[str, Any] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)


# (name, method, pattern of the path behind the base); Service._<name> answers
_TABLE: list[tuple[str, str, str]] = [
    ("backends", "GET", r"/backends"),
    ("configuration", "GET", r"/backends/([^/]+)/configuration"),
    ("properties", "GET", r"/backends/([^/]+)/properties"),
    ("status", "GET", r"/backends/([^/]+)/status"),
    ("usage", "GET", r"/instances/usage"),
    ("create_session", "POST", r"/sessions"),
    ("session", "GET", r"/sessions/([^/]+)"),
    ("update_session", "PATCH", r"/sessions/([^/]+)"),
    ("close_session", "DELETE", r"/sessions/([^/]+)/close"),
    ("submit", "POST", r"/jobs"),
    ("list_jobs", "GET", r"/jobs"),
    ("job", "GET", r"/jobs/([^/]+)"),
    ("delete_job", "DELETE", r"/jobs/([^/]+)"),
    ("results", "GET", r"/jobs/([^/]+)/results"),
    ("metrics", "GET", r"/jobs/([^/]+)/metrics"),
    ("logs", "GET", r"/jobs/([^/]+)/logs"),
    ("cancel", "POST", r"/jobs/([^/]+)/cancel"),
    ("tags", "PUT", r"/jobs/([^/]+)/tags"),
]
_API = re.compile(r"(/experimental)?/api/v1(?P<rest>/.*)")
CLOUD = {
    ("POST", "/identity/token"): "token",
    ("POST", "/global-search/v3/resources/search"): "instances",
    ("GET", "/global-catalog/plan"): "plan",
}
ENDPOINTS = [*CLOUD.values(), *(name for name, _, _ in _TABLE)]


def match(method: str, path: str) -> tuple[str, tuple[str, ...]] | None:
    """The endpoint that a request means, and the names in its path."""
    if (method, path) in CLOUD:
        return CLOUD[method, path], ()
    api = _API.fullmatch(path)
    for name, expected, pattern in _TABLE if api else ():
        found = re.fullmatch(pattern, api["rest"]) if api and method == expected else None
        if found:
            return name, found.groups()
    return None
