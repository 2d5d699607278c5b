"""`make screenshots`: pictures of the dashboard for docs/guide, the same on every run."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FloatRect, Page, sync_playwright

from schemas.ids import derived_id
from tests.browser.chromium import FLAGS, chromium
from tests.browser.pages import Scheme, opened
from tests.browser.serving import Site, serving

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
MOST_BYTES = 150_000
_HEIGHT = 700
Shot = tuple[str, Callable[[Site], str], Scheme, int]
SHOTS: tuple[Shot, ...] = (
    ("overview", lambda _: "/", "light", 1280),
    ("overview-dark", lambda _: "/", "dark", 1280),
    ("overview-phone", lambda _: "/", "light", 360),
    ("batches", lambda _: "/batches", "light", 1280),
    ("batch-stalled", lambda site: f"/batches/{site.batch('stalled')}", "light", 1280),
    ("batch-held", lambda site: f"/batches/{site.batch('held')}", "light", 1280),
    ("batch-held-dark", lambda site: f"/batches/{site.batch('held')}", "dark", 1280),
    ("batch-held-phone", lambda site: f"/batches/{site.batch('held')}", "light", 360),
    ("batch-retried", lambda site: f"/batches/{site.batch('retried')}", "light", 1280),
    ("preview-retry", lambda site: f"/batches/{site.batch('held')}/actions/retry?phase=nlp&essays=all", "light", 1280),
    ("dead-letters", lambda _: "/dead-letters", "light", 1280),
    ("dead-letter", lambda site: f"/dead-letters/{site.letter().letter.dead_letter_id}", "light", 1280),
    ("dead-letters-preview", lambda _: "/dead-letters/groups/replay?code=ORC-UNKNOWN-BATCH", "light", 1280),
    ("system", lambda _: "/system", "light", 1280),
    ("pipelines", lambda _: "/pipelines", "light", 1280),
    ("operations", lambda _: "/operations", "light", 1280),
    ("operation", lambda _: f"/operations/{derived_id('browser operation retry')}", "light", 1280),
    ("bulk-preview", lambda _: "/operations/new?of=filter&action=pause&course=ENG5&ended=no", "light", 1280),
)


def settled(page: Page) -> None:
    """Wait until fonts are there, and the stream is open where the page has one."""
    page.evaluate("document.fonts.ready")
    live = page.locator("[data-live]")
    if live.count():
        page.wait_for_function("document.querySelector('[data-live]').dataset.live === 'live'")


def main() -> int:
    """Write all pictures; return 1 if one of them is larger than it may be."""
    GUIDE.mkdir(parents=True, exist_ok=True)
    large = []
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for name, path, scheme, width in SHOTS:
            file = GUIDE / f"{name}.png"
            with opened(browser, site, path(site), scheme=scheme, width=width) as page:
                settled(page)
                page.screenshot(path=file, animations="disabled", caret="hide", clip=_clip(page, width))
            size = file.stat().st_size
            sys.stdout.write(f"{file.name}: {size:,} bytes\n")
            if size > MOST_BYTES:
                large.append(file.name)
        browser.close()
    sys.stderr.write(f"larger than {MOST_BYTES:,} bytes: {', '.join(large)}\n" if large else "")
    return int(bool(large))


def _clip(page: Page, width: int) -> FloatRect:
    """Return the first screen, or the whole of a page that is shorter."""
    height = page.evaluate("document.documentElement.scrollHeight")
    return {"x": 0, "y": 0, "width": width, "height": min(_HEIGHT, height)}


if __name__ == "__main__":
    sys.exit(main())
