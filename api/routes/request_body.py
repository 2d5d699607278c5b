"""Reading a request's body: one JSON object, checked so strictly that every later step can encode it again.

Work on bodies above `INLINE_BYTES` runs in threads: a body of 4 MiB takes tenths of a second, in which the event loop
answers other requests.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from math import isinf
from typing import Any, NoReturn, TypeVar

from fastapi import Request

from api.errors import Problem
from api.headers import header
from schemas.errors import Code
from schemas.json_bounds import MAX_DEPTH, count_values, nested_too_deep
from schemas.limits import Limits

INLINE_BYTES = 32_768
"""Largest body that is processed on the event loop: it takes about a millisecond."""

_FEWER_ESSAYS = "Register or name fewer essays at a time, or raise BATCH_ORCHESTRATOR_SERVICE_MAX_INPUT_BYTES."
_SMALLER_FILE = "Send a smaller file, for example with fewer definitions."
_NEXT_STEP = "Send one JSON object in UTF-8 with Content-Type: application/json."
_LARGEST_INTEGER = 2**53
"""Larger integers have no exact form in RFC 8785, from which the fingerprint is computed."""
_TEXTS = frozenset({"text/plain", "application/toml", "text/toml", "text/x-toml", "application/x-toml"})
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="bodies")
Result = TypeVar("Result")


async def off_the_loop(size: int, work: Callable[[], Result]) -> Result:
    """Return the result of `work`; in a thread if `size` is above `INLINE_BYTES`."""
    if size <= INLINE_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


async def read_body(request: Request, limit: int, timeout_s: float, *, optional: bool = False) -> bytes:
    """Return the bytes of a JSON body; where it is `optional`, a request without content type and body has `{}`.

    Raises `Problem`: 400 or 415 for another kind of content, 413 above `limit` bytes, 408 if it does not arrive within
    `timeout_s` seconds.
    """
    may_lack = optional and header(request.scope["headers"], "content-type") is None
    if not may_lack:
        _check_content(request)
    raw = await _received(request, limit, timeout_s)
    if may_lack:
        if not raw:
            return b"{}"
        _check_content(request)
    return raw


async def read_text(request: Request, limit: int, timeout_s: float) -> str:
    """Return a body of plain text, as a file is sent. Raises what `read_body` raises."""
    media_type = _media_type(header(request.scope["headers"], "content-type") or "")
    if media_type not in _TEXTS:
        raise Problem(
            400,
            Code.CONTENT_TYPE,
            f"The content type is {media_type[:60] or 'missing'!r}, not text/plain.",
            next_step="Send the file as it is, with Content-Type: text/plain.",
            error="Request body must be text",
        )
    _check_coding(request)
    raw = await _received(request, limit, timeout_s, _SMALLER_FILE)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Problem(
            400,
            Code.CONTENT_TYPE,
            "The body is not UTF-8.",
            next_step="Send the file in UTF-8.",
            error="Request body must be text",
        ) from None


async def _received(request: Request, limit: int, timeout_s: float, too_large_step: str = _FEWER_ESSAYS) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise too_large(limit, too_large_step)
    raw = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > limit:
                    raise too_large(limit, too_large_step)
    except TimeoutError:
        raise _too_slow(timeout_s) from None
    return bytes(raw)


def parse_object(raw: bytes, limits: Limits) -> dict[str, Any]:
    """Return the JSON object in `raw`. Raises `Problem` 400 for anything else."""
    if len(raw) > limits.json_values and (count := count_values(raw)) > limits.json_values:
        raise _too_many_values(count, limits.json_values)
    try:
        parsed = _decoder.decode(raw.decode("utf-8"))
    except RecursionError:
        _refuse("it is nested too deeply")
    except UnicodeDecodeError:
        _refuse(_encoding_fault(raw))
    except ValueError as error:
        _refuse(_encoding_fault(raw, otherwise=str(error)[:200]))
    if not isinstance(parsed, dict):
        _refuse("it is not an object")
    if nested_too_deep(parsed):
        _refuse(f"it is nested more than {MAX_DEPTH} levels deep")
    if b"\\u" in raw:
        _check_surrogates(parsed)
    return parsed


def too_large(limit: int, next_step: str = _FEWER_ESSAYS) -> Problem:
    """Return the problem of a body above `limit` bytes."""
    return Problem(
        413,
        Code.BODY_TOO_LARGE,
        f"The request is larger than the limit of {limit} bytes.",
        next_step=next_step,
        error="Request body too large",
        extra={"limit_bytes": limit},
    )


def _check_content(request: Request) -> None:
    raw = request.scope["headers"]
    content_type = header(raw, "content-type") or ""
    media_type = _media_type(content_type)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise _content_type(f"The content type is {media_type or 'missing'!r}, not application/json.")
    charset = _charset(content_type)
    if charset not in _UTF_8:
        raise _content_type(f"The charset of the content type is {charset[:40]!r}; JSON is sent in UTF-8.")
    _check_coding(request)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _check_coding(request: Request) -> None:
    coding = (header(request.scope["headers"], "content-encoding") or "identity").strip().lower()
    if coding not in {"identity", ""}:
        raise Problem(
            415,
            Code.CONTENT_ENCODING,
            f"The body is encoded as {coding[:40]!r}; compressed bodies are not accepted.",
            next_step="Send the body without compression and without Content-Encoding.",
            error="Unsupported content encoding",
            headers={"Accept-Encoding": "identity"},
        )


def _charset(content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type
    return str(message.get_param("charset", "utf-8")).strip().lower()


def _content_type(detail: str) -> Problem:
    return Problem(400, Code.CONTENT_TYPE, detail, next_step=_NEXT_STEP, error="Request body must be valid JSON")


def _too_slow(timeout_s: float) -> Problem:
    return Problem(
        408,
        Code.BODY_TIMEOUT,
        f"The body has not arrived within {timeout_s:g} s.",
        next_step="Send the whole body at once, then repeat the request with the same Idempotency-Key.",
        error="Request timeout",
        headers={"Connection": "close"},
    )


def _too_many_values(count: int, limit: int) -> Problem:
    return Problem(
        400,
        Code.TOO_MANY_VALUES,
        f"The body holds {count} JSON values; the limit is {limit}.",
        next_step="Leave out what a request does not need, or register or name fewer essays at a time.",
        error="Validation Error",
    )


def _encoding_fault(raw: bytes, otherwise: str = "it is not UTF-8") -> str:
    """Return why a body cannot be decoded, as far as its first bytes show."""
    found = json.detect_encoding(raw)
    if found == "utf-8-sig":
        return "it begins with a byte order mark, which JSON must not have"
    if found != "utf-8":
        return f"it is {found.upper()}, not UTF-8"
    if raw[:2] == b"\x1f\x8b":
        return "it is compressed with gzip"
    return otherwise


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


def _check_surrogates(parsed: dict[str, Any]) -> None:
    # Only an escape can bring half a pair: the bytes themselves were UTF-8.
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        _refuse("a text holds half of a surrogate pair")
