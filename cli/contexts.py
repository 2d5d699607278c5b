"""Named addresses of apis, in a file of the user's. `bos contexts` keeps them; commands use the current one."""

import os
import tomllib
from pathlib import Path

from msgspec import Struct
from msgspec.toml import encode

from schemas.errors import ConfigurationError

HOME = "BOS_CONFIG_HOME"
"""Variable that names the directory of the file, in place of `$XDG_CONFIG_HOME/bos`."""


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An api: its address, and the file with the key or token for it."""

    url: str
    token_file: str = ""


class Contexts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The contexts of a user."""

    current: str = ""
    contexts: dict[str, Context] = {}

    def chosen(self) -> Context | None:
        """Return the current context; None if none is chosen."""
        return self.contexts.get(self.current)


def path_of_contexts() -> Path:
    """Return the path of the file."""
    home = os.environ.get(HOME)
    if home:
        return Path(home) / "contexts.toml"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "bos" / "contexts.toml"


def path_of_cache() -> Path:
    """Return the directory of what may be lost: `$XDG_CACHE_HOME/bos`, or beside the contexts where `HOME` names it."""
    home = os.environ.get(HOME)
    if home:
        return Path(home) / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bos"


def load_contexts() -> Contexts:
    """Return the contexts; none where there is no file. Raises `ConfigurationError` where it cannot be read."""
    from msgspec import ValidationError, convert  # noqa: PLC0415

    path = path_of_contexts()
    try:
        return convert(tomllib.loads(path.read_text(encoding="utf-8")), Contexts)
    except FileNotFoundError:
        return Contexts()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(
            f"The contexts in {path} cannot be read: {error}.",
            next_step="Correct the file, or remove it and add the contexts again with `bos contexts add`.",
        ) from error


def save_contexts(contexts: Contexts) -> None:
    """Write the file, readable by its owner alone. Raises `ConfigurationError`."""
    path = path_of_contexts()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_suffix(".new")
        new.write_bytes(encode(contexts))
        new.chmod(0o600)
        new.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"The contexts cannot be written to {path}: {error.strerror or error}.",
            next_step=f"Make the directory writable, or name another one in {HOME}.",
        ) from error
