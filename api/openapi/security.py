"""Credentials in the OpenAPI document: how a caller says who it is, and where it must."""

from typing import Any

from api.access.authenticate import COOKIE, KEY_HEADER
from api.access.middleware import HEALTH

SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`bos_…`) or a JSON Web Token of the configured issuer. See docs/access.md.",
    },
    "key": {"type": "apiKey", "in": "header", "name": KEY_HEADER.title(), "description": "An API key."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "An API key in the cookie of a browser that has logged in at /login.",
    },
}


def security_of(path: str, *, required: bool) -> list[dict[str, list[str]]]:
    """Return the credentials of a path's operations, one of which is enough; none for probes.

    Unless they are `required`, a caller without one is anonymous.
    """
    if path in HEALTH:
        return []
    found: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    return found if required else [*found, {}]
