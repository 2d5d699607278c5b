"""Ports for processes that start later, chosen so that no other process takes them in between."""

import random
import socket
from contextlib import ExitStack

_HOST = "127.0.0.1"
# Below the ranges that systems take for outgoing connections: any client's connection could be given a port of that
# range between the choice and its use, and a client that calls a stopped server again and again could be given that
# very port for its own side, and connect to itself.
_PORTS = range(18_000, 32_000)
_TRIES = 400


def free_port() -> int:
    """Return a free port of 127.0.0.1 that this function gives to no other process.

    It stays reserved until this process ends: a UDP socket with the same number is kept open, which does not disturb a
    TCP server and is seen by every other call of this function on the machine. Raises `OSError` if no port is free.
    """
    for port in random.SystemRandom().sample(_PORTS, _TRIES):
        with ExitStack() as closing:
            mark = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                mark.bind((_HOST, port))
            except OSError:
                continue  # another process has chosen it
            if is_free(port):
                mark.detach()  # from here on the descriptor belongs to the process
                return port
    raise OSError(f"no free port found in {_PORTS.start} to {_PORTS.stop}")


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: past connections are no obstacle
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
