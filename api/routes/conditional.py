"""JSON answers with an ETag: a caller that has the same answer gets 304 without a body."""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from fastapi import Request, Response
from msgspec import Struct

_TAG_BYTES = 12


def conditional(request: Request, body: Mapping[str, Any] | Struct, *, unlike: Collection[str] = ()) -> Response:
    """Return `body` as JSON, or 304 if If-None-Match names its ETag.

    The tag is a weak one of everything but the top-level members `unlike`, which say when the answer was made: without
    that, nothing would ever be the same.
    """
    encoded = msgspec.json.encode(body)
    members = body.items() if isinstance(body, Mapping) else msgspec.structs.asdict(body).items()
    tagged = msgspec.json.encode({name: value for name, value in members if name not in unlike})
    tag = f'W/"{blake2b(tagged, digest_size=_TAG_BYTES).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Authorization, Cookie, X-User-ID, X-Org-ID"}
    known = tags(request.headers.get("if-none-match", ""))
    if "*" in known or opaque(tag) in known:
        return Response(status_code=304, headers=headers)
    return Response(encoded, media_type="application/json", headers=headers)


def tags(header: str) -> frozenset[str]:
    """Return the opaque tags that If-None-Match names; weak and strong ones compare alike (RFC 9110, 13.1.2)."""
    found = (opaque(tag.strip()) for tag in header.split(","))
    return frozenset(tag for tag in found if tag)


def opaque(tag: str) -> str:
    """Return a tag without its weakness and its quotes."""
    return tag.removeprefix("W/").strip('"')
