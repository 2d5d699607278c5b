"""Hosts and addresses of either IP version."""

import socket
from ipaddress import ip_address


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
