"""A port that was chosen is there when it is used."""

import socket
import subprocess
import sys

from cli.supervision.ports import free_port, is_free

CHOOSE = "from cli.supervision.ports import free_port; print([free_port() for _ in range(300)])"


def test_a_chosen_port_can_be_listened_on() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)


def test_no_port_is_chosen_twice_by_this_process_or_another() -> None:
    mine = [free_port() for _ in range(300)]
    chosen = subprocess.run([sys.executable, "-c", CHOOSE], check=True, capture_output=True, text=True).stdout
    theirs = [int(port) for port in chosen.strip("[]\n").split(", ")]
    assert len(theirs) == 300
    assert len({*mine, *theirs}) == 600
