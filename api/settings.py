"""Settings of the api process, beside those that every process shares."""

from pydantic import Field

from api.auth import ALL_SCOPES
from runtime.addresses import is_loopback
from runtime.settings import Settings

MIB = 1_048_576


class ApiSettings(Settings):
    """Settings of the api. Units stand in the names."""

    host: str = "127.0.0.1"
    """Address to listen on. The default takes calls from this machine alone; `0.0.0.0` opens it to the network."""
    port: int = Field(default=5000, ge=0, le=65535)
    web_concurrency: int = Field(default=1, ge=1)
    """Worker processes; each follows the log by itself, and all answer alike."""
    graceful_timeout_s: int = Field(default=5, ge=0, le=7)
    """How long requests under way may take to end at a stop; whoever waits longer is told to come back."""
    keep_alive_timeout_s: int = Field(default=75, ge=0)
    """Longer than clients keep idle connections, or a request can meet a connection that is just being closed."""

    max_concurrent_requests: int = Field(default=2_000, ge=1)
    """Requests under way in one worker, those that wait for a status among them; more are told to come back."""
    max_concurrent_registrations: int = Field(default=256, ge=1)
    """Registrations under way in one worker: each can hold a body of `max_input_bytes` in memory."""
    body_timeout_s: float = Field(default=30, gt=0)
    """How long a client may take to send a request's head, and then its body."""
    response_timeout_s: float = Field(default=15.0, gt=0)
    """How long a registration waits for its answer, writing included, before it is told to come back."""
    write_timeout_s: float = Field(default=8.0, gt=0)
    """How long Kafka may take to acknowledge a request."""
    max_wait_s: float = Field(default=60.0, ge=0)
    """Upper bound of `wait=` on a status."""
    anonymous_scopes: tuple[str, ...] = ALL_SCOPES
    """What a caller may do who names nobody. Empty: every caller must name a user."""

    projection_timeout_s: float = Field(default=2.0, gt=0)
    """How long the projection database may take for one read, before the answer does without it or is 503."""
    tail_bytes: int = Field(default=256 * MIB, ge=MIB)
    """Memory for snapshots that the projection has not passed yet."""

    @property
    def open_to_network(self) -> bool:
        """Whether callers from other machines can reach it."""
        return not is_loopback(self.host)


def api_settings(settings: Settings) -> ApiSettings:
    """Return `settings` with those of the api, which come from the environment."""
    return settings if isinstance(settings, ApiSettings) else ApiSettings(**dict(settings))
