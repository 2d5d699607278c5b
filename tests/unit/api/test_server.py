"""The socket that the api is served on."""

import socket

import pytest

from api.server import listening
from api.settings import ApiSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_what_is_written_is_sent_at_once(host: str) -> None:
    """Head and body of an answer are two writes; the second would wait for the client's delayed acknowledgement."""
    with listening(ApiSettings(host=host, port=0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(("::1" if host == "::" else host, address[1])):
            connection, _ = listener.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
