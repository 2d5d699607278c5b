"""Reading a request's body: one JSON object, strict enough that everything behind the door can encode it again."""

import json
from math import isinf
from typing import Any, NoReturn

from fastapi import Request

from api.errors import Problem
from schemas.errors import Code

_NEXT_STEP = "Send one JSON object in UTF-8 with Content-Type: application/json."
_LARGEST_INTEGER = 2**53
"""Integers beyond it have no form of their own in RFC 8785, which the fingerprint is reckoned from."""
_DEEPEST = 64


async def json_object(request: Request, limit: int) -> dict[str, Any]:
    """Return the body of at most `limit` bytes as a dict. Raises `Problem` 400 or 413."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem(
            400,
            Code.CONTENT_TYPE,
            f"The content type is {media_type or 'missing'!r}, not application/json.",
            next_step=_NEXT_STEP,
            error="Request body must be valid JSON",
        )
    return parse_object(await _read(request, limit))


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`. Raises `Problem` 400 for anything else."""
    try:
        parsed = _decoder.decode(raw.decode("utf-8"))
    except RecursionError:
        _refuse("it is nested too deeply")
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    except ValueError as error:
        _refuse(str(error)[:200])
    if not isinstance(parsed, dict):
        _refuse("it is not an object")
    _check_values(parsed)
    return parsed


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise too_large(limit)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise too_large(limit)
    return bytes(raw)


def too_large(limit: int) -> Problem:
    """Return the problem of a body above `limit` bytes."""
    return Problem(
        413,
        Code.BODY_TOO_LARGE,
        f"The request is larger than the limit of {limit} bytes.",
        next_step="Register fewer essays at a time, or raise BATCH_ORCHESTRATOR_SERVICE_MAX_INPUT_BYTES.",
        error="Request body too large",
        extra={"limit_bytes": limit},
    )


def _refuse(why: str) -> NoReturn:
    raise Problem(
        400,
        Code.BAD_JSON,
        f"The body cannot be read as a JSON object: {why}.",
        next_step=_NEXT_STEP,
        error="Request body must be valid JSON",
    )


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is named twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(number := int(digits)) >= _LARGEST_INTEGER:
        raise ValueError("an integer is out of range")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError("a number is out of range")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _check_values(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
                _check_text(*item)
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str):
                _check_text(item)
        level = below
        if not level:
            return
    _refuse(f"it is nested more than {_DEEPEST} levels deep")


def _check_text(*texts: str) -> None:
    for text in texts:
        if text.isascii():
            continue
        try:
            text.encode()
        except UnicodeEncodeError:
            _refuse("a text holds half of a surrogate pair")
