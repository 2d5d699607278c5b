"""Access to the service, before routing: the Host header, foreign pages, credentials, rates, and security headers."""

import math
from urllib.parse import quote, urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.authenticate import Authenticator
from api.access.hosts import host_allowed
from api.access.rates import RateLimit
from api.errors import Problem, problem_response
from api.settings import ApiSettings
from schemas.errors import Code

HEALTH = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})
"""Paths without credentials, rate and Host check, for probes and scrapers: they show no batch."""
_PUBLIC = ("/login", "/logout", "/static/")
"""Paths without credentials: what a browser needs to log in."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME = frozenset({"same-origin", "none"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Headers of every answer that does not set its own."""


class AccessMiddleware:
    """ASGI middleware between admission and the routes; sets `state["principal"]` of the scope."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator
        self._hosts = settings.allowed_hosts
        self._any_host = settings.access_controlled and not settings.allowed_hosts
        self._rate = RateLimit(settings.rate_limit_per_s) if settings.rate_limit_per_s else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._check(scope)
        except Problem as problem:
            answer = _to_login(scope, problem) or problem_response(Request(scope), problem)
            await answer(scope, receive, secured)
            return
        await self._app(scope, receive, secured)

    async def _check(self, scope: Scope) -> None:
        path = scope["path"]
        if path in HEALTH:
            return
        headers = Headers(scope=scope)
        if not self._any_host and not host_allowed(headers.get("host"), self._hosts):
            raise _wrong_host(headers["host"])
        if scope["method"] not in _SAFE:
            _refuse_foreign_page(headers)
        if path.startswith(_PUBLIC):
            return
        principal, name = await self._authenticator.principal(scope["headers"])
        scope.setdefault("state", {})["principal"] = principal
        if self._rate is not None and (wait_s := self._rate.wait_s(name)) > 0:
            raise _too_often(wait_s)


def _refuse_foreign_page(headers: Headers) -> None:
    """Refuse what a page of another site sends: the browser would add the cookie, or reach a loopback api."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        foreign = site not in _SAME
    else:  # an older browser sends Origin alone, a program neither
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign:
        raise Problem(
            403,
            Code.FOREIGN_PAGE,
            "The request comes from a page of another site.",
            next_step="Use the dashboard at the api's own address, or a program.",
            error="Forbidden",
        )


def _to_login(scope: Scope, problem: Problem) -> RedirectResponse | None:
    """Return the way to the login page, for a browser that opens a page without a credential."""
    wants_page = "text/html" in Headers(scope=scope).get("accept", "")
    if problem.code != Code.UNAUTHENTICATED or scope["method"] != "GET" or not wants_page:
        return None
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", status_code=303)


def _wrong_host(host: str) -> Problem:
    return Problem(
        421,
        Code.HOST,
        f"The api does not answer under the name {host[:255]}.",
        next_step="Use its address, or have the operator add the name to ALLOWED_HOSTS.",
        error="Misdirected Request",
    )


def _too_often(wait_s: float) -> Problem:
    return Problem(
        429,
        Code.RATE_LIMIT,
        "The caller sends more requests than RATE_LIMIT_PER_S allows.",
        next_step="Wait for the seconds of Retry-After; the operator can raise the limit.",
        error="Too Many Requests",
        headers={"Retry-After": str(max(1, math.ceil(wait_s)))},
    )
