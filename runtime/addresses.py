"""Hosts and addresses of either IP version."""

import socket
from ipaddress import ip_address

BACKLOG = 2_048
"""Connections that may wait to be accepted."""


def is_loopback(host: str) -> bool:
    """Return whether a host, with or without the brackets of an IPv6 address, is this machine."""
    name = host.removeprefix("[").removesuffix("]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def shown_address(host: str, port: int) -> str:
    """Return `HOST:PORT`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def family_of(host: str) -> socket.AddressFamily:
    """Return the family of sockets that listen on `host`: IPv6 for an IPv6 address, otherwise IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host`; port 0 stands for a free one. Raises `OSError` where it cannot listen.

    Its connections have TCP_NODELAY. Without it the second write of an answer, its body, waits some 40 ms for the
    client's delayed acknowledgement of the first. asyncio sets it only where the socket's `proto` is IPPROTO_TCP, and
    that of `socket.create_server` is 0.
    """
    both = host == "::" and socket.has_dualstack_ipv6()
    listener = socket.create_server((host, port), family=family_of(host), backlog=BACKLOG, dualstack_ipv6=both)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
