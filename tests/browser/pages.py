"""A page of the dashboard in a browser, watched: what a page must never do fails the test that opened it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.serving import Site
from tests.browser.stories import NOW_MS

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PATIENCE_MS = 120_000.0
"""How long a step may take on any machine."""
expect.set_options(timeout=PATIENCE_MS)
Scheme = Literal["light", "dark"]
_EXPECTED_ERROR = "Failed to load resource: the server responded with a status of"


class Watched:
    """What a page did that it must not do."""

    def __init__(self, context: BrowserContext, site: Site, forgiven: tuple[str, ...]) -> None:
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._site = site
        self._forgiven = forgiven
        context.on("console", lambda message: self._console(message.type, message.text))
        context.on("weberror", lambda error: self.faults.append(f"uncaught error: {error.error}"))
        context.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        forgiven = any(each in text for each in (_EXPECTED_ERROR, *self._forgiven))
        if kind in ("error", "warning") and not forgiven:
            self.faults.append(f"console {kind}: {text}")  # a violation of the policy is one, too

    def _request(self, url: str) -> None:
        self.requests.append(url)
        if not url.startswith((self._site.url, "data:")):
            self.faults.append(f"request to another host: {url}")


@contextmanager
def opened(
    browser: Browser,
    site: Site,
    path: str = "/",
    *,
    scheme: Scheme = "light",
    width: int = 1280,
    script: bool = True,
    forgiven: tuple[str, ...] = (),
    **options: Any,
) -> Iterator[Page]:
    """Open a page in a browser of its own; in the end, assert that it did nothing that it must not.

    `forgiven` are parts of console errors that the test itself provokes.
    """
    context = browser.new_context(
        base_url=site.url,
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        reduced_motion="reduce",
        java_script_enabled=script,
        timezone_id="Europe/Stockholm",
        locale="en-GB",
        **options,
    )
    context.set_default_timeout(PATIENCE_MS)
    watched = Watched(context, site, forgiven)
    if script:
        context.clock.set_fixed_time(NOW_MS)
    try:
        page = context.new_page()
        page.goto(path, wait_until="load")
        yield page
        assert not watched.faults, "\n".join(watched.faults)
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong on a page: every rule of WCAG 2.2 A and AA, and its best practices."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async () => {
            const all = await axe.run(document, {resultTypes: ["violations"], runOnly: [
                "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]});
            return all.violations.map((each) => `${each.id}: ${each.help}\\n` + each.nodes.slice(0, 4).map(
                (node) => `   ${node.html.slice(0, 200)} ${node.failureSummary}`).join("\\n"));
        }"""
    )
    return list(found)
