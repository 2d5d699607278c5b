"""The pages of errors as HTML."""

import re
from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from runtime.error_pages import error_page
from schemas.errors import CODE_PREFIX

_LINK = re.compile(rf"<code>({CODE_PREFIX}[A-Z0-9-]+)</code>")
_HEADING = re.compile(r"\A#[^\n]*\n")


@cache
def error_help(code: str) -> Markup | None:
    """Return what a code means, what causes it and what to do, as HTML without its heading; None for no such code."""
    text = error_page(code)
    return None if text is None else _rendered(text)


def _rendered(text: str) -> Markup:
    """Render Markdown in which HTML stands for itself; names of other codes become links."""
    html = MarkdownIt("commonmark", {"html": False}).render(_HEADING.sub("", text))
    return Markup(_LINK.sub(r'<a class="id" href="/errors/\1">\1</a>', html))  # noqa: S704 - the product's own pages
