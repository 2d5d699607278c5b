"""Rendering: one template gives a whole page, or its main part alone where a script asks for it."""

import hashlib
import re
import time
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct

from api.access.authenticate import COOKIE
from api.dashboard import security
from api.dashboard.assets import dashboard_assets
from api.dashboard.views import times, words

THEMES = ("light", "dark")
THEME_COOKIE = "theme"
_HTML = "text/html; charset=utf-8"
_STYLES = ("tokens.css", "app.css", "drawings.css", "pages.css")
_SCRIPTS = ("vendor/htmx.min.js", "vendor/hx-sse.min.js")
_FIRST_SCRIPTS = ("theme.js",)
"""Run before the first paint."""
_MODULES = ("time.js", "keys.js", "live.js", "slider.js", "dialog.js")
_TIME_TEXT = re.compile(rb"(<time[^>]*>)[^<]*")


class NavigationItem(Struct, frozen=True):
    """A page in the navigation."""

    name: str
    label: str
    url: str


NAVIGATION = (
    NavigationItem("overview", "Overview", "/"),
    NavigationItem("batches", "Batches", "/batches"),
    NavigationItem("dead-letters", "Dead letters", "/dead-letters"),
    NavigationItem("system", "System", "/system"),
    NavigationItem("pipelines", "Pipelines", "/pipelines"),
    NavigationItem("operations", "Operations", "/operations"),
)


def environment() -> Environment:
    """Return the templates of the dashboard, with their filters."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "iso": times.iso,
        "utc": times.utc,
        "relative": times.relative,
        "duration": times.duration,
        "number": times.number,
    }
    assets = dashboard_assets()
    made.globals |= {
        "asset": assets.url,
        "styles": tuple(filter(assets.has, _STYLES)),
        "first_scripts": tuple(filter(assets.has, _FIRST_SCRIPTS)),
        "scripts": tuple(filter(assets.has, _SCRIPTS)),
        "modules": tuple(filter(assets.has, _MODULES)),
        "navigation": NAVIGATION,
        "tones": words.BANNERS,
    }
    return made


_environment = environment()


def now_of(request: Request) -> int:
    """Return the present time in Unix milliseconds; tests freeze it in `app.state.clock_ms`."""
    frozen: int | None = getattr(request.app.state, "clock_ms", None)
    return time.time_ns() // 1_000_000 if frozen is None else frozen


def theme_of(request: Request) -> str:
    """Return the colours that the reader chose: `light`, `dark`, or empty for those of the system."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def wants_partial(request: Request) -> bool:
    """Whether a script asks for the main part of a page alone."""
    return request.headers.get("hx-request-type") == "partial"


def render(
    request: Request,
    template: str,
    *,
    active: str,
    title: str,
    status: int = 200,
    stream_url: str = "",
    refetch: str = "",
    **context: Any,
) -> Response:
    """Return the page, or its main part where that is asked for, or 304 if the reader has it already.

    `active` names the page in the navigation. `stream_url` is the stream of its notices; `refetch` is the htmx trigger
    on which the page reads its main part again, empty where only parts of it do.
    """
    text = _environment.get_template(template).render(
        layout="partial.html" if wants_partial(request) else "base.html",
        active=active,
        title=title,
        stream_url=stream_url,
        refetch=refetch,
        origin=f"{request.url.scheme}://{request.url.netloc}",
        theme=theme_of(request),
        self_url=_self_url(request),
        logged_in=COOKIE in request.cookies,
        **{"now_ms": now_of(request)} | context,
    )
    body = text.encode()
    etag = f'"{_digest(body)}"'
    headers = security.PAGE_HEADERS | {
        "Cache-Control": "no-cache",
        "Vary": "HX-Request-Type, Cookie, X-User-ID, X-Org-ID",
    }
    if status == 200 and request.method in {"GET", "HEAD"}:
        headers["ETag"] = etag
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, headers=headers, media_type=_HTML)


def _digest(body: bytes) -> str:
    """Return the hash of a page, without the texts of its times: scripts keep those current."""
    return hashlib.sha256(_TIME_TEXT.sub(rb"\1", body)).hexdigest()[:20]


def _self_url(request: Request) -> str:
    query = request.url.query
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.split(b"?")[0].decode("latin-1")
    return f"{path}?{query}" if query else path
