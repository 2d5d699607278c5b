"""Headers of a record that anybody may have written."""

from operator import methodcaller

from confluent_kafka import Message

_read = methodcaller("headers")
"""The client reports a name that is not UTF-8 by an error which a plain call leaves pending, to come up at any later
line; this one checks. Reading headers twice costs little: the client keeps them."""


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """Return a message's headers; where a name is not UTF-8 the message has none from then on."""
    try:
        return _read(message) or []
    except (SystemError, UnicodeDecodeError):
        message.set_headers(None)  # the client would keep a damaged list
        return []
