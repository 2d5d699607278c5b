"""Settings shared by all processes, from the environment with prefix `BATCH_ORCHESTRATOR_SERVICE_`.

A setting `X` can come from a file: `X_FILE` names it (for secrets). `.env` is read.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from runtime.settings_sources import FileSource, RenamedSource, environment_of
from schemas.limits import Limits
from schemas.topics import DAY_MS, DEFAULT_PREFIX, RETENTION_MS, TopicTable

ENV_PREFIX = "BATCH_ORCHESTRATOR_SERVICE_"


class Settings(BaseSettings):
    """Settings of every process. Names end with the unit."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_file=".env", extra="ignore", frozen=True)

    service_name: str = "batch-service"
    """Name of the service in its logs."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    environment: Literal["development", "staging", "production", "testing"] = "development"
    """Name of the environment, in every log line."""

    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: str | None = None
    kafka_extra: dict[str, Any] = Field(default_factory=dict)
    """Further librdkafka properties for every client, as a JSON object; none on which correctness depends."""
    kafka_silence_timeout_s: float = Field(default=12, ge=2)
    """Seconds without an answer from Kafka, or without a turn of the processing loop, after which a process ends to be
    restarted. The api replaces its clients after half of that time, and goes on."""
    startup_timeout_s: float = Field(default=10, gt=0)
    """Seconds that a start waits for the Kafka cluster to answer."""

    topic_prefix: str = DEFAULT_PREFIX
    topic_partitions: int = Field(default=4, ge=1)
    """Partitions of own topics. Cannot change under a running inbox generation."""
    topic_replication: int = Field(default=-1, ge=-1)
    """Replicas of created topics, and the minimum for own topics; -1 for the cluster's default."""
    topic_retention_s: int = Field(default=RETENTION_MS // 1000, ge=1)
    """Seconds that own topics keep records, and so how far back a batch can be explained and replayed. Below a day only
    with `ENVIRONMENT=testing`: records that a stopped process has not read would be lost."""
    topic_check_interval_s: float = Field(default=10, gt=0)
    """Seconds between two checks of partition counts and of topics that were missing."""
    orchestrator_group: str = "batch-orchestrator"
    router_group: str = "batch-orchestrator-router"
    projector_group: str = "batch-orchestrator-projector"
    timekeeper_group: str = "batch-orchestrator-timekeeper"
    generation: int = Field(default=0, ge=0, lt=2**18)
    """Generation of the inbox: raised by one when batches move to new partitions or another cluster."""

    peer_era: Literal["any", "seed", "head"] = "any"
    router_start: str | None = None
    """Where the router begins at its first start: `earliest`, `latest` or an ISO 8601 time.
    If it is unset, the router refuses to begin on topics that hold records. Later starts ignore it."""
    default_phases: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated phases requested for every batch, in addition to those that the pipeline always runs."""
    pipelines_file: Path | None = None
    """File of pipeline definitions (TOML); the built-in ones if unset. The router and the orchestrator read it, and the
    api for previews of dead letters."""

    max_essays: int = Field(default=Limits().essays, ge=1)
    max_input_bytes: int = Field(default=Limits().input_bytes, ge=1)
    max_inbox_bytes: int = Field(default=Limits().inbox_bytes, ge=1)
    max_state_bytes: int = Field(default=Limits().state_bytes, ge=1)
    max_dead_letter_bytes: int = Field(default=Limits().dead_letter_bytes, ge=1)

    state_dir: Path = Path("state-data")
    """Directory of the orchestrator's stores, one per instance, and of notes about unclean ends (also the router's)."""
    timekeeper_dir: Path = Path("timekeeper-data")
    """Directory of the timekeeper's index; one per instance. It is rebuilt from the status topic if it is lost."""
    timekeeper_pause_s: float = Field(default=60, gt=0)
    """Seconds after which a deadline is fired again if nothing has come of it; doubled each time, up to an hour."""
    instance: str = "0"
    """Name of this instance within its group, stable over restarts: `group.instance.id` and `transactional.id`."""
    commit_interval_s: float = Field(default=0.05, gt=0, le=5)
    """Seconds between the orchestrator's commits: the latency of its outputs."""
    commit_idle_s: float = Field(default=0.005, ge=0, le=5)
    """Seconds after which the orchestrator commits earlier, on its own message path, if no more input is there."""
    store_cache_mib: int = Field(default=128, ge=1, le=65_536)
    """MiB of its stores' blocks that the orchestrator keeps in memory, over all partitions; filled as they are read."""
    processing_guarantee: Literal["exactly-once", "at-least-once"] = "exactly-once"
    """Guarantee of the orchestrator. `at-least-once` can repeat an effect after a crash, with the same bytes and id."""
    message_path: Literal["own", "library"] = "own"
    """How messages reach the orchestrator and the projector: in batches by a loop of ours, or singly by the library."""
    projection_url: str = "sqlite:///projection.db"
    """SQLAlchemy URL of the projection database."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of a stream process's metrics and health; 0 for none. The api serves them on its own port."""
    stop_timeout_s: float = Field(default=9, gt=0)
    """Seconds that a process may take to commit or abort at a stop; then it ends at once, with exit code 70 and the
    traceback of every thread."""
    max_lag_s: float = Field(default=60, gt=0)
    """Seconds behind its input from which a process reports that it is not ready."""
    report_interval_s: float = Field(default=3, gt=0, le=60)
    """Seconds between two reports of a process; without one for three intervals and 3 s it counts as missing."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (part of the library's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, `.env`, files named by `X_FILE`, old names."""
        environment = environment_of(env_settings, dotenv_settings)
        files = FileSource(settings_cls, environment)
        return init_settings, env_settings, dotenv_settings, files, RenamedSource(settings_cls, environment)

    @field_validator("default_phases", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("router_start")
    @classmethod
    def _is_a_start(cls, value: str | None) -> str | None:
        if value not in {None, "earliest", "latest"}:
            try:
                datetime.fromisoformat(str(value))
            except ValueError:
                raise ValueError("must be earliest, latest or an ISO 8601 time") from None
        return value

    @model_validator(mode="after")
    def _keeps_for_a_day(self) -> Self:
        if self.topic_retention_s * 1000 < DAY_MS and self.environment != "testing":
            raise ValueError(
                f"TOPIC_RETENTION_S must be at least {DAY_MS // 1000} (a day); below that a process that is stopped "
                "loses records. Tests may set ENVIRONMENT=testing"
            )
        return self

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
            retention_ms=self.topic_retention_s * 1000,
        )

    def kafka(self) -> dict[str, Any]:
        """Return the librdkafka properties that every client shares."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.kafka_bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
            # A returning broker is reached within a second; the library's default pauses grow to ten.
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
        }
        optional = {
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_sasl_username,
            "sasl.password": self.kafka_sasl_password.get_secret_value() if self.kafka_sasl_password else None,
            "ssl.ca.location": self.kafka_ssl_ca_location,
        }
        config.update({name: value for name, value in optional.items() if value is not None})
        config.update(self.kafka_extra)
        # A missing topic must be an error: an automatically created one has the wrong partitions and limits.
        config["allow.auto.create.topics"] = False
        return config
