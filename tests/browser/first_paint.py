"""Measures the first paint of pages in Chromium over a projection of many batches.

`.venv/bin/python -m tests.browser.first_paint --batches 100000`; the exit code is 1 if a median exceeds the aim.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import insert, select

from bench.projection import filling
from bench.projection_load import Load
from state.projection import Writer, open_engine, tables
from tests.browser.chromium import FLAGS, chromium
from tests.browser.pages import opened
from tests.browser.seed import IDENTITY
from tests.browser.serving import Site, serving
from tests.browser.stories import NOW_MS

AIM_MS = 300.0
_ROUNDS = 15
_PAINTED = """() => new Promise(found => new PerformanceObserver(list => {
  for (const entry of list.getEntriesByName("first-contentful-paint")) found(entry.startTime);
}).observe({type: "paint", buffered: true}))"""
PAGES: dict[str, Callable[[Site], str]] = {
    "overview": lambda _: "/",
    "batches": lambda _: "/batches",
    "batches that need a person": lambda _: "/batches?attention=yes",
    "batches of a course": lambda _: "/batches?course=ENG5&ended=no",
    "batch": lambda site: f"/batches/{site.batch('held')}",
    "dead letters": lambda _: "/dead-letters",
    "operations": lambda _: "/operations",
}


def fill(url: str, batches: int) -> None:
    """Add batches to a projection, without moving the offsets up to which its topics are read."""
    engine = open_engine(url)
    with engine.connect() as connection:
        offsets = connection.execute(select(tables.offsets)).all()
    writer = Writer(engine)
    writer.prepare(IDENTITY)
    for records in filling(Load(batches, NOW_MS)):
        writer.apply(records)
    with engine.begin() as connection:
        connection.execute(tables.offsets.delete())
        connection.execute(insert(tables.offsets), [row._asdict() for row in offsets])
    engine.dispose()


def painted_ms(browser: Browser, site: Site, path: str) -> float:
    """Return the milliseconds from the navigation to the first contentful paint, in a browser without a cache."""
    with opened(browser, site, path) as page:
        return float(page.evaluate(_PAINTED))


def main() -> int:
    """Print the median and the slowest of each page; return 1 if a median exceeds the aim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=100_000)
    batches = parser.parse_args().batches
    slow = 0
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as site, sync_playwright() as playwright:
        fill(site.cluster.url, batches)
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        painted_ms(browser, site, "/")  # the browser's own start is no part of it
        sys.stdout.write(f"first paint, {batches:,} batches, ms: median and slowest of {_ROUNDS}\n")
        for name, path in PAGES.items():
            found = [painted_ms(browser, site, path(site)) for _ in range(_ROUNDS)]
            median = statistics.median(found)
            slow += median > AIM_MS
            sys.stdout.write(f"  {name}: {median:.0f}, {max(found):.0f}\n")
        browser.close()
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
