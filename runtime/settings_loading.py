"""Loads the settings; errors name the wrong setting and never show its value."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import DotEnvSettingsSource, SettingsError

from runtime.kafka.client_settings import check_client_settings
from runtime.settings import ENV_PREFIX, Settings
from runtime.settings_sources import API_SETTINGS, OBSOLETE, OTHER_VARIABLES, RENAMED
from schemas.errors import ConfigurationError

_NEXT_STEP = "Correct it in the environment or in .env; docs/configuration.md lists every setting."


SettingsType = TypeVar("SettingsType", bound=Settings)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of this process; `overrides` win over all other sources.

    Raises:
        ConfigurationError: see `load`.
    """
    return load(Settings, **overrides)


def load(kind: type[SettingsType], **overrides: Any) -> SettingsType:
    """Return settings of a `kind` that adds to the shared ones.

    Raises:
        ConfigurationError: a setting is wrong (all wrong ones are named), the sizes are out of order, or no Kafka
            client can be made of the settings.
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
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Check that settings fit together, as `load` does.

    Raises:
        ConfigurationError: the sizes are out of order, or no Kafka client can be made of the settings.
    """
    settings.limits().check()
    check_client_settings(settings.kafka(), settings.kafka_extra)


def variable(field: str) -> str:
    """Return the name of a setting in the environment."""
    return (ENV_PREFIX + field).upper()


def ignored_variables(environment: Iterable[str] | None = None) -> dict[str, str]:
    """Return variables that are set but have no effect, each with advice.

    They are obsolete names of the original service, names without the prefix, and misspelt names with it.
    """
    names = {name.upper() for name in (_variables() if environment is None else environment)}
    ignored = {
        variable(old): "It belongs to the original service and has no effect here; unset it."
        for old in OBSOLETE
        if variable(old) in names
    }
    for field in ("kafka_bootstrap_servers", "log_level"):
        if field.upper() in names and not {variable(field), variable(field) + "_FILE"} & names:
            ignored[field.upper()] = f"It has no prefix; set {variable(field)}."
    known = _known_variables()
    for name in sorted(names):
        if name.startswith(ENV_PREFIX) and name not in known and name.removesuffix("_FILE") not in known | set(ignored):
            ignored[name] = _nearest(name, known)
    return ignored


def _variables() -> list[str]:
    """Return the names of all variables in the environment and in `.env`."""
    return [*os.environ, *DotEnvSettingsSource(Settings).env_vars]


def _known_variables() -> set[str]:
    """Return the variables with the prefix that any process or command reads."""
    return {variable(name) for name in (*Settings.model_fields, *API_SETTINGS, *RENAMED, *OBSOLETE, *OTHER_VARIABLES)}


def _nearest(name: str, known: set[str]) -> str:
    suffix = "_FILE" if name.endswith("_FILE") else ""
    given = name.removeprefix(ENV_PREFIX).removesuffix("_FILE")
    close = get_close_matches(given, [one.removeprefix(ENV_PREFIX) for one in sorted(known)], n=1)
    if close:
        return f"There is no such setting. The nearest is {ENV_PREFIX}{close[0]}{suffix}."
    return "There is no such setting; docs/configuration.md lists all of them. Unset it."


def _all_wrong(error: ValidationError) -> str:
    parts = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        name = variable(str(detail["loc"][0])) if detail["loc"] else "the settings"
        parts.append(f"{name}: {detail['msg']}")
    return "; ".join(parts) + "."


def _undecodable(kind: type[Settings], error: SettingsError) -> str:
    field = next((name for name in kind.model_fields if f'"{name}"' in str(error)), "")
    return f"{variable(field) if field else 'A setting'}: is not valid JSON."
