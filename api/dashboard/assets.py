"""Static files of the dashboard, served under names that hold their hash, so that a browser may keep them for ever."""

import gzip
import hashlib
import re
from functools import cache
from pathlib import Path

from msgspec import Struct

_STATIC = Path(__file__).parent / "static"
PREFIX = "/static/"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_REFERENCE = re.compile(rb"""(url\("|from\s*"\./|import\s*"\./)([A-Za-z0-9_./-]+)(")""")
"""A file that a style sheet or a module names, relative to its own folder."""


class Asset(Struct, frozen=True, kw_only=True):
    """A static file as it is served."""

    url: str
    media_type: str
    content: bytes
    compressed: bytes | None
    """The content in gzip; None where that is hardly smaller."""


class Assets:
    """The static files below one folder, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_name: dict[str, Asset] = {}
        self._by_url: dict[str, Asset] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _MEDIA_TYPES:
                self._load(path.relative_to(folder).as_posix())

    def url(self, name: str) -> str:
        """Return the path of a file, with its hash. Raises `KeyError` for a file that does not exist."""
        return self._by_name[name].url

    def at(self, url: str) -> Asset | None:
        """Return the file at a path, or None."""
        return self._by_url.get(url)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return name in self._by_name

    def _load(self, name: str) -> Asset:
        if name in self._by_name:
            return self._by_name[name]
        path = self._folder / name
        content = path.read_bytes()
        if path.suffix in {".css", ".js"}:
            content = _REFERENCE.sub(lambda found: self._linked(path.parent, found), content)
        digest = hashlib.sha256(content).hexdigest()[:12]
        stem, suffix = name.removesuffix(path.suffix), path.suffix
        packed = gzip.compress(content, 9, mtime=0)
        asset = Asset(
            url=f"{PREFIX}{stem}.{digest}{suffix}",
            media_type=_MEDIA_TYPES[suffix],
            content=content,
            compressed=packed if len(packed) < 0.9 * len(content) else None,
        )
        self._by_name[name] = self._by_url[asset.url] = asset
        return asset

    def _linked(self, folder: Path, found: re.Match[bytes]) -> bytes:
        """Replace the name in a reference by its hashed one, which is absolute."""
        target = (folder / found[2].decode()).resolve()
        before = found[1].removesuffix(b"./")
        if not target.is_file():
            return found[0]
        return before + self._load(target.relative_to(self._folder).as_posix()).url.encode() + found[3]


@cache
def dashboard_assets() -> Assets:
    """Return the static files of the dashboard."""
    return Assets(_STATIC)
