"""Every page in both schemes and at two widths: accessible, within its width, and readable without script."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from schemas.ids import derived_id
from tests.browser.pages import opened, violations
from tests.browser.serving import Site

WIDTHS = (1280, 360)
PAGES: dict[str, Callable[[Site], str]] = {
    "overview": lambda _: "/",
    "batches": lambda _: "/batches",
    "batches that need somebody": lambda _: "/batches?attention=yes",
    "no batch fits": lambda _: "/batches?course=none&status=cancelled",
    "stalled batch": lambda site: f"/batches/{site.batch('stalled')}",
    "held batch": lambda site: f"/batches/{site.batch('held')}",
    "paused batch": lambda site: f"/batches/{site.batch('paused')}",
    "ended batch": lambda site: f"/batches/{site.batch('partly')}",
    "batch as it was": lambda site: f"/batches/{site.batch('retried')}?at={site.version('retried', 3)}",
    "decision": lambda site: f"/batches/{site.batch('failed')}/decisions/{site.version('failed', -1)}",
    "cancel": lambda site: f"/batches/{site.batch('stalled')}/actions/cancel",
    "system": lambda _: "/system",
    "partitions that lag": lambda _: "/system?lagging=yes",
    "pipelines": lambda _: "/pipelines",
    "pipeline": lambda _: "/pipelines/feedback",
    "what if": lambda site: f"/batches/{site.batch('retried')}/what-if",
    "operations": lambda _: "/operations",
    "operation": lambda _: f"/operations/{derived_id('browser operation retry')}",
    "preview of a bulk action": lambda _: "/operations/new?of=filter&action=pause&course=ENG5&ended=no",
    "retry without a phase": lambda _: "/operations/new?of=filter&action=retry&course=ENG5",
    "log in": lambda _: "/login",
    "dead letters": lambda _: "/dead-letters",
    "dead letters of one code": lambda _: "/dead-letters?code=ORC-NOT-JSON",
    "no dead letter": lambda _: "/dead-letters?code=none",
    "dead letter": lambda site: f"/dead-letters/{site.letter().letter.dead_letter_id}",
    "dead letter in hex": lambda site: f"/dead-letters/{site.letter(code='ORC-NOT-JSON').letter.dead_letter_id}?as=hex",
    "dead letter with a traceback": lambda site: (
        f"/dead-letters/{site.letter(code='ORC-DECISION-FAILED').letter.dead_letter_id}"
    ),
    "replayed dead letter": lambda site: f"/dead-letters/{site.letter('replayed').letter.dead_letter_id}",
    "preview of a replay": lambda site: f"/dead-letters/{site.letter().letter.dead_letter_id}/replay",
    "discard": lambda site: f"/dead-letters/{site.letter().letter.dead_letter_id}/discard",
    "preview of a group": lambda _: "/dead-letters/groups/replay?code=ORC-UNKNOWN-BATCH",
    "no such page": lambda _: "/no-such-page",
}
named = pytest.mark.parametrize("name", PAGES)


@named
def test_a_page_is_accessible_and_fits_in_both_schemes_and_widths(browser: Browser, site: Site, name: str) -> None:
    with opened(browser, site, PAGES[name](site)) as page:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                assert violations(page) == [], f"{scheme}, {width} px"
                assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} px"


@named
def test_a_page_can_be_read_without_script(browser: Browser, site: Site, name: str) -> None:
    with opened(browser, site, PAGES[name](site), script=False) as page:
        expect(page.locator("main h1")).to_be_visible()
        assert page.locator("main").inner_text().strip()
        expect(page.locator(".js-only:visible")).to_have_count(0)
