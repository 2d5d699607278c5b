"""Headers as the client gives them, and as other producers make them."""

from typing import Any

import pytest

from runtime.kafka.headers import headers_of


class Foreign:
    """A message with a header name that is no text, as the client fails on it."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.kept: Any = [("damaged", b"list")]

    def headers(self) -> Any:
        raise self.error

    def set_headers(self, headers: Any) -> None:
        self.kept = headers


@pytest.mark.parametrize(
    "error",
    [
        SystemError("returned a result with an exception set"),
        UnicodeDecodeError("utf-8", b"\xe5", 0, 1, "invalid"),
    ],
)
def test_headers_that_cannot_be_read_are_none(error: Exception) -> None:
    message = Foreign(error)
    assert headers_of(message) == []
    assert message.kept is None
