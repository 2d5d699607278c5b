"""Headers of records from any writer, which need not be UTF-8."""

from operator import methodcaller

from confluent_kafka import Message

_read = methodcaller("headers")
"""Reads a message's headers. For a name that is not UTF-8 the client sets an error that a plain method call leaves
pending, so that it is raised at a later line; `methodcaller` raises it here. Reading headers twice is cheap."""


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """Return a message's headers; if a name is not UTF-8, remove all headers from the message."""
    try:
        return _read(message) or []
    except (SystemError, UnicodeDecodeError):
        message.set_headers(None)  # the client would keep a damaged list of headers
        return []
