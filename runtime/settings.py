"""Settings shared by all processes, from the environment with prefix `BATCH_ORCHESTRATOR_SERVICE_`.

A setting `X` can come from a file: `X_FILE` names it (for secrets). `.env` is read.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.limits import Limits
from schemas.topics import DEFAULT_PREFIX, TopicTable

ENV_PREFIX = "BATCH_ORCHESTRATOR_SERVICE_"


class Settings(BaseSettings):
    """Settings of every process. Units stand in the names."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_file=".env", extra="ignore", frozen=True)

    service_name: str = "batch-service"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    environment: Literal["development", "staging", "production", "testing"] = "development"

    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: str | None = None
    kafka_extra: dict[str, Any] = Field(default_factory=dict)
    """Further librdkafka properties for every client, as a JSON object."""

    topic_prefix: str = DEFAULT_PREFIX
    topic_partitions: int = Field(default=4, ge=1)
    """Partitions of own topics. Cannot change under a running inbox generation."""
    orchestrator_group: str = "batch-orchestrator"
    router_group: str = "batch-orchestrator-router"
    projector_group: str = "batch-orchestrator-projector"
    generation: int = Field(default=0, ge=0, lt=2**18)
    """Generation of the inbox: raised by one when batches move to new partitions or another cluster."""

    peer_era: Literal["any", "seed", "head"] = "any"
    default_phases: tuple[str, ...] = ()
    """Phases requested for every batch, beside those that the pipeline always runs."""
    pipelines_file: Path | None = None
    """Pipeline definitions (TOML); the built-in ones where unset. Read by the router alone."""

    max_essays: int = Limits().essays
    max_input_bytes: int = Limits().input_bytes
    max_inbox_bytes: int = Limits().inbox_bytes
    max_state_bytes: int = Limits().state_bytes
    max_dead_letter_bytes: int = Limits().dead_letter_bytes

    state_dir: Path = Path("state-data")
    """Where the orchestrator keeps its stores; one directory per instance."""
    instance: str = "0"
    """Name of this instance within its group, stable over restarts: `group.instance.id` and `transactional.id`."""
    commit_interval_s: float = Field(default=0.1, gt=0, le=5)
    """Seconds between the orchestrator's commits: the latency of its outputs."""
    projection_url: str = "sqlite:///projection.db"
    """SQLAlchemy URL of the projection database."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the process's metrics and health; 0 for none."""

    def limits(self) -> Limits:
        """Return the size ladder."""
        return Limits(
            essays=self.max_essays,
            input_bytes=self.max_input_bytes,
            inbox_bytes=self.max_inbox_bytes,
            state_bytes=self.max_state_bytes,
            dead_letter_bytes=self.max_dead_letter_bytes,
        )

    def topics(self) -> TopicTable:
        """Return the topic table."""
        return TopicTable(
            prefix=self.topic_prefix,
            partitions=self.topic_partitions,
            orchestrator_group=self.orchestrator_group,
            limits=self.limits(),
        )

    def kafka(self) -> dict[str, Any]:
        """Return the librdkafka properties that every client shares."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.kafka_bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
        }
        optional = {
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_sasl_username,
            "sasl.password": self.kafka_sasl_password.get_secret_value() if self.kafka_sasl_password else None,
            "ssl.ca.location": self.kafka_ssl_ca_location,
        }
        config.update({name: value for name, value in optional.items() if value is not None})
        config.update(self.kafka_extra)
        return config
