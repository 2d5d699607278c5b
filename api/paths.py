"""Paths of batches, encoded so that clients, proxies and the server keep every batch id unchanged."""

import re
from urllib.parse import quote, unquote_to_bytes, urlencode

BATCHES = "/v1/batches"
_WORDS = frozenset(
    {
        ".",
        "..",
        "register",
        "status",
        "history",
        "replay",
        "why",
        "diff",
        "what-if",
        "fixture",
        "imagine",
        "decisions",
        "stream",
    }
    | {"cancel", "pause", "resume", "retry"}
)
"""Segments after /v1/batches/ that do not mean the batch of that id."""
_ESCAPED = re.compile(rb"%[0-9A-Fa-f]{2}")
_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")


def status_path(batch_id: str) -> str:
    """Return the path of a batch's status, percent-encoded."""
    return batch_path(batch_id, "status")


def batch_path(batch_id: str, resource: str) -> str:
    """Return the path of what belongs to a batch (`status`, `cancel`, …), percent-encoded.

    Clients remove the segments `.` and `..`, encoded or not, so these two ids go into the query.
    """
    if batch_id in {".", ".."}:
        return f"{BATCHES}/{resource}?{urlencode({'batch_id': batch_id})}"
    return f"{BATCHES}/{quote(batch_id, safe='')}/{resource}"


def resource_path(batch_id: str) -> str:
    """Return the path of everything known of a batch; an id that is the word of a route goes into the query."""
    if batch_id in _WORDS:
        return f"/v1/batch?{urlencode({'batch_id': batch_id})}"
    return f"{BATCHES}/{quote(batch_id, safe='')}"


def decision_path(batch_id: str, position: int) -> str:
    """Return the path of one decision on a batch, percent-encoded."""
    path = batch_path(batch_id, "decisions")
    return f"{path}&version={position}" if "?" in path else f"{path}/{position}"


def decode_segment(segment: str) -> str:
    """Return a percent-decoded path segment. Raises `UnicodeDecodeError` if it is not UTF-8."""
    return unquote_to_bytes(segment.encode("ascii")).decode()


def routing_path(raw_path: bytes) -> str:
    """Return the path for routing: still percent-encoded, so that an encoded slash is no separator.

    Characters that need no encoding are decoded (RFC 3986, section 6.2.2.2), bytes outside ASCII are encoded, and one
    slash at the end is dropped.
    """
    path = _ESCAPED.sub(_decode_unreserved, raw_path)
    if len(path) > 1:
        path = path.removesuffix(b"/")
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in path)


def _decode_unreserved(escaped: re.Match[bytes]) -> bytes:
    byte = bytes([int(escaped[0][1:], 16)])
    return byte if _UNRESERVED.fullmatch(byte) else escaped[0]
