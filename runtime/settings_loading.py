"""Reading the settings, with errors that name what is wrong and show no value."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import SettingsError

from runtime.settings import ENV_PREFIX, Settings
from runtime.settings_sources import OBSOLETE
from schemas.errors import ConfigurationError

_NEXT_STEP = "Correct it in the environment or in .env; docs/configuration.md lists every setting."


SettingsType = TypeVar("SettingsType", bound=Settings)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of this process, `overrides` before all other sources.

    Raises:
        ConfigurationError: as `load`.
    """
    return load(Settings, **overrides)


def load(kind: type[SettingsType], **overrides: Any) -> SettingsType:
    """Return settings of a `kind` that adds to the shared ones.

    Raises:
        ConfigurationError: a setting is wrong (all wrong ones are named), or the sizes are out of order.
    """
    try:
        settings = kind(**overrides)
    except ValidationError as error:
        raise ConfigurationError(_all_wrong(error), next_step=_NEXT_STEP) from None
    except SettingsError as error:
        raise ConfigurationError(_undecodable(kind, error), next_step=_NEXT_STEP) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{Path('.env').absolute()} is not UTF-8 text.", next_step="Save it as UTF-8, or remove it."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{Path('.env').absolute()} cannot be read: {error.strerror or error}.",
            next_step="Correct the file's permissions, or remove it.",
        ) from None
    settings.limits().check()
    return settings


def variable(field: str) -> str:
    """Return the name of a setting in the environment."""
    return (ENV_PREFIX + field).upper()


def ignored_variables(environment: Iterable[str] | None = None) -> dict[str, str]:
    """Return variables that somebody set for the service before this one, in vain; each with what to do about it."""
    names = {name.upper() for name in (os.environ if environment is None else environment)}
    ignored = {
        variable(old): "It belongs to the service before this one and means nothing here; unset it."
        for old in OBSOLETE
        if variable(old) in names
    }
    for field in ("kafka_bootstrap_servers", "log_level"):
        if field.upper() in names and not {variable(field), variable(field) + "_FILE"} & names:
            ignored[field.upper()] = f"It has no prefix; set {variable(field)}."
    return ignored


def _all_wrong(error: ValidationError) -> str:
    parts = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        name = variable(str(detail["loc"][0])) if detail["loc"] else "the settings"
        parts.append(f"{name}: {detail['msg']}")
    return "; ".join(parts) + "."


def _undecodable(kind: type[Settings], error: SettingsError) -> str:
    field = next((name for name in kind.model_fields if f'"{name}"' in str(error)), "")
    return f"{variable(field) if field else 'A setting'}: is not valid JSON."
