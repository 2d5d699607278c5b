"""The pages of docs/errors, one for each error code; an installed wheel holds them as `cli/error_pages`."""

import re
from pathlib import Path

from schemas.errors import CODE_PREFIX

_ROOT = Path(__file__).parent.parent
_FOLDERS = (_ROOT / "cli" / "error_pages", _ROOT / "docs" / "errors")
"""Where they lie: in an installation, and in the repository."""
_CODE = re.compile(rf"{CODE_PREFIX}[A-Z0-9-]{{1,60}}")


def error_page(code: str) -> str | None:
    """Return the page of a code in Markdown; None where there is no such code."""
    if _CODE.fullmatch(code) is None:
        return None
    for folder in _FOLDERS:
        file = folder / f"{code}.md"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None
