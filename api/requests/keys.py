"""The header Idempotency-Key: what it may be."""

from api.errors import Problem
from schemas.errors import Code

IDEMPOTENCY_HEADER = "Idempotency-Key"
_LONGEST_KEY = 255


def check_key(key: str) -> str:
    """Return the key. Raises `Problem` 400 if it is empty, too long, or not printable ASCII."""
    if not key or len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise Problem(
            400,
            Code.HEADER,
            f"{IDEMPOTENCY_HEADER} must be 1 to {_LONGEST_KEY} printable ASCII characters.",
            next_step="Send a UUID of your own as the key.",
            error="Validation Error",
            details=[{"type": "header", "loc": ["header", IDEMPOTENCY_HEADER], "msg": "not usable as a key"}],
        )
    return key
