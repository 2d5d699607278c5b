"""Sources of settings beside the plain environment: files that hold secrets, and names of the original service."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from schemas.errors import ConfigurationError

RENAMED = {
    "kafka_consumer_group_id": "orchestrator_group",
    "graceful_timeout": "graceful_timeout_s",
    "keep_alive_timeout": "keep_alive_timeout_s",
}
"""Settings of the original service that have another name now, and that name."""

OBSOLETE = frozenset(
    {
        "content_service_url",
        "content_service_timeout_seconds",
        "kafka_topic_cj_initiate_command",
        "kafka_topic_batch_phase_concluded",
        "db_pool_size",
        "db_max_overflow",
        "use_mock_repository",
        "redis_url",
        "bcs_base_url",
        "bcs_pipeline_endpoint",
        "bcs_request_timeout",
        "circuit_breaker_enabled",
        "kafka_fallback_queue_size",
        "entitlements_base_url",
        "entitlements_http_timeout_seconds",
    }
)
"""Settings of the original service that have no effect any more."""

API_SETTINGS = frozenset(
    {
        "allow_anyone_on_the_network",
        "allowed_hosts",
        "anonymous_scopes",
        "api_keys",
        "body_timeout_s",
        "graceful_timeout_s",
        "host",
        "jwt_audience",
        "jwt_issuer",
        "jwt_jwks",
        "jwt_organisation_claim",
        "jwt_scope_prefix",
        "keep_alive_timeout_s",
        "max_concurrent_registrations",
        "max_concurrent_requests",
        "max_decision_lag_s",
        "max_streams",
        "max_wait_s",
        "port",
        "projection_timeout_s",
        "rate_limit_per_s",
        "response_timeout_s",
        "stream_max_s",
        "tail_bytes",
        "web_concurrency",
        "write_timeout_s",
    }
)
"""Settings of the api only. In a shared environment other processes see them too, which is no mistake."""

OTHER_VARIABLES = frozenset({"cache_dir", "maven_repository"})
"""Variables with the prefix that are read by commands, not by a process."""


class FileSource(PydanticBaseSettingsSource):
    """Reads a setting `X` from the file that `X_FILE` names, without surrounding white space.

    `environment` holds the variables of the plain sources, including `.env`, with names in lower case.
    """

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._environment = environment
        self._prefix = str(settings_cls.model_config.get("env_prefix", "")).lower()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the file's content for one field. Raises `ConfigurationError` naming the setting."""
        plain = self._prefix + field_name
        path = self._environment.get(f"{plain}_file")
        if not path:
            return None, field_name, False
        variable = f"{plain}_file".upper()
        if self._environment.get(plain) is not None:
            raise ConfigurationError(f"{plain.upper()} and {variable} are both set.", next_step="Unset one of the two.")
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, self.field_is_complex(field)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(
                f"The file that {variable} names cannot be read: {reason}.",
                next_step=f"Correct {variable}, or the file's permissions.",
            ) from error

    def __call__(self) -> dict[str, Any]:
        """Return the fields that come from files."""
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, is_complex = self.get_field_value(field, name)
            if value is not None:
                found[key] = self.prepare_field_value(key, field, value, is_complex)
        return found


class RenamedSource(PydanticBaseSettingsSource):
    """Reads settings under their names of the original service."""

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._environment = environment
        self._prefix = str(settings_cls.model_config.get("env_prefix", "")).lower()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return the value of the old name of one field."""
        for old, new in RENAMED.items():
            if new == field_name:
                return self._environment.get(self._prefix + old), field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the fields that are set under their old names."""
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def environment_of(*sources: PydanticBaseSettingsSource) -> dict[str, str | None]:
    """Return the variables that the plain sources have read, in lower case; the first source wins."""
    variables: dict[str, str | None] = {}
    for source in sources:
        if isinstance(source, EnvSettingsSource):
            variables = {**source.env_vars, **variables}
    return variables
