"""Headers of every page, and the check that a form was sent by a page of this api."""

from fastapi import Request

from api.errors import Problem
from schemas.errors import Code

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{what} {where}" for what, where in _POLICY.items())
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""No page runs code or loads anything from elsewhere, and no other site can frame one."""

_TRUSTED_SITES = frozenset({"same-origin", "none"})


def require_own_form(request: Request) -> None:
    """Raise `Problem` 403 for a form that another site's page sent.

    Browsers send `Sec-Fetch-Site`, which no page can set; older ones send `Origin` with every POST. A client that
    sends neither is no browser, so no other site's page is behind it.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        own = site in _TRUSTED_SITES
    else:
        origin = request.headers.get("origin")
        own = origin is None or origin.partition("://")[2] == request.headers.get("host", "")
    if not own:
        raise Problem(
            403,
            Code.FOREIGN_PAGE,
            "A page of another site sent this form, so it was not carried out.",
            next_step="Open the dashboard in this browser, and send the form from there.",
            error="Forbidden",
        )
