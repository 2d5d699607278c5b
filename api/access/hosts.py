"""The Host header: a page of a foreign site must not reach this api by DNS rebinding.

A rebinding page has a public name of its own, so its requests carry that name. Addresses, names without a dot and names
under the reserved domains cannot be such a name.
"""

from ipaddress import ip_address

_RESERVED = (".localhost", ".local", ".internal", ".home.arpa", ".test")


def host_of(header: str) -> str:
    """Return the host of a Host header, in lower case, without port and brackets."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def host_allowed(header: str | None, allowed: tuple[str, ...]) -> bool:
    """Return whether a request with this Host header may be answered; without the header it comes from no browser."""
    if header is None or "*" in allowed:
        return True
    host = host_of(header).rstrip(".")
    if host in allowed or "." not in host or host.endswith(_RESERVED):
        return bool(host)
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
