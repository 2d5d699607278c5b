"""Filters that a reader has saved under a name, as one cookie of the browser holds them."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, unquote, urlencode

from msgspec import Struct

from api.dashboard.views.filters import Items, given, query_of
from api.dashboard.views.links import list_url

VIEWS_COOKIE = "views"
MOST_VIEWS = 12
MOST_NAME = 40
"""Characters of a name."""
MOST_BYTES = 3_500
"""Bytes of the cookie's value; browsers keep 4,096 of a cookie."""


class OwnView(Struct, frozen=True):
    """A filter under a name."""

    name: str
    query: str
    """The filter as the query of the list."""

    @property
    def url(self) -> str:
        """Return the list that it selects."""
        return list_url(query_of(self.items))

    @property
    def items(self) -> Items:
        """Return the filter's names and values."""
        return given(parse_qsl(self.query))

    def shows(self, items: Items) -> bool:
        """Return whether its filter is this one, in whatever order."""
        return sorted(self.items) == sorted(items)


def read_views(cookie: str) -> tuple[OwnView, ...]:
    """Return the views that a cookie holds; none if it holds something else."""
    pairs = parse_qsl(unquote(cookie))[:MOST_VIEWS] if len(cookie) <= MOST_BYTES else []
    return tuple(OwnView(name[:MOST_NAME], query) for name, query in pairs if name)


def with_view(views: Sequence[OwnView], added: OwnView) -> tuple[OwnView, ...]:
    """Return the views with one more at the end; it replaces one of the same name in its place."""
    if any(view.name == added.name for view in views):
        return tuple(added if view.name == added.name else view for view in views)
    return (*views, added)


def without_view(views: Sequence[OwnView], name: str) -> tuple[OwnView, ...]:
    """Return the views without the one of that name."""
    return tuple(view for view in views if view.name != name)


def cookie_of(views: Sequence[OwnView]) -> str:
    """Return the value of the cookie that holds the views."""
    return quote(urlencode([(view.name, view.query) for view in views]), safe="")
