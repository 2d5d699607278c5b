"""Reading pages as a strict HTML parser does."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from httpx import Response

from tests.browser.processes import processes
from tests.browser.seed import SeededCluster
from tests.browser.stories import NOW_MS
from tests.unit.api.memory import World, world

HTML = {"Accept": "text/html"}
PARTIAL = HTML | {"HX-Request-Type": "partial"}
_VOID_OF_STYLE = ("style", "script")


class Document:
    """A page, parsed without any mistake."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(response.text)
        self._check()

    def _check(self) -> None:
        """Assert what holds of every page: what its policy forbids is not on it, and ids are not repeated."""
        ids: list[str] = []
        for element in self.root.iter():
            for name, value in element.attrib.items():
                assert name != "style", element.tag
                assert not str(name).startswith("on"), name
                if name == "id":
                    ids.append(value)
            if element.tag == "script":
                assert element.get("src", "").startswith("/static/")
                assert not (element.text or "").strip()
        assert len(ids) == len(set(ids)), [each for each in ids if ids.count(each) > 1]
        assert len(list(self.root.iter("h1"))) == 1

    def all(self, tag: str, **attributes: str) -> Iterator[Element]:
        """Yield the elements with these attributes."""
        for element in self.root.iter(tag):
            if all(element.get(name.rstrip("_").replace("_", "-")) == value for name, value in attributes.items()):
                yield element

    def one(self, tag: str, **attributes: str) -> Element:
        """Return the only such element."""
        found = list(self.all(tag, **attributes))
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    def text(self, tag: str = "main") -> str:
        """Return what a part says, with single spaces."""
        return text_of(next(self.root.iter(tag)))

    def links(self) -> list[str]:
        """Return where the links of the main part lead."""
        return [link.get("href", "") for link in next(self.root.iter("main")).iter("a")]


def text_of(element: Element) -> str:
    """Return the text of an element, with single spaces."""
    return " ".join("".join(element.itertext()).split())


@asynccontextmanager
async def dashboard(cluster: SeededCluster, **settings: Any) -> AsyncIterator[World]:
    """Run the application over a cluster with a history; time stands still."""
    database = cluster.projection()
    try:
        async with world(cluster, database=database, processes=(), **settings) as running:
            running.app.state.clock_ms = NOW_MS
            services = running.services
            for service in (services.whys, services.lists, services.system):
                service._clock_ms = lambda: NOW_MS
            running.tell(*processes())
            yield running
    finally:
        database.close()


async def page(running: World, path: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Document:
    """Return a page, which has this status."""
    response = await running.client.get(path, headers=HTML | dict(headers or {}))
    assert response.status_code == status, response.text[:2_000]
    return Document(response)
