"""The pages of docs/errors, which explain each error code; the wheel holds them as `cli/error_pages`."""

import re
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

import schemas
from schemas.errors import CODE_PREFIX

_ROOT = Path(schemas.__file__).parent.parent
_FOLDERS = (_ROOT / "cli" / "error_pages", _ROOT / "docs" / "errors")
"""Where they lie: in an installation, and in the repository."""
_CODE = re.compile(rf"{CODE_PREFIX}[A-Z0-9-]{{1,60}}")
_LINK = re.compile(rf"<code>({CODE_PREFIX}[A-Z0-9-]+)</code>")
_HEADING = re.compile(r"\A#[^\n]*\n")


@cache
def error_page(code: str) -> Markup | None:
    """Return what a code means, what causes it and what to do, as HTML without its heading; None for no such code."""
    if _CODE.fullmatch(code) is None:
        return None
    for folder in _FOLDERS:
        file = folder / f"{code}.md"
        if file.is_file():
            return _rendered(file.read_text(encoding="utf-8"))
    return None


def _rendered(text: str) -> Markup:
    """Render Markdown in which HTML stands for itself; names of other codes become links."""
    html = MarkdownIt("commonmark", {"html": False}).render(_HEADING.sub("", text))
    return Markup(_LINK.sub(r'<a class="id" href="/errors/\1">\1</a>', html))  # noqa: S704 - the product's own pages
