"""Settings of the api process, in addition to those that all processes share."""

from pydantic import Field

from api.auth import ALL_SCOPES
from runtime.addresses import is_loopback
from runtime.settings import Settings

MIB = 1_048_576


class ApiSettings(Settings):
    """Settings of the api. Names end with the unit."""

    host: str = "127.0.0.1"
    """Address to listen on. The default accepts calls from this machine; `0.0.0.0` opens it to the network."""
    port: int = Field(default=5000, ge=0, le=65535)
    web_concurrency: int = Field(default=1, ge=1)
    """Number of worker processes; each follows the Kafka log by itself, and all give the same answers."""
    graceful_timeout_s: int = Field(default=5, ge=0, le=7)
    """Seconds that requests in progress may take to end at a stop; later ones are answered with 503."""
    keep_alive_timeout_s: int = Field(default=75, ge=0)
    """Seconds that an idle connection stays open. It must exceed the clients' own timeout, or a request can arrive on a
    connection that is being closed."""

    max_concurrent_requests: int = Field(default=2_000, ge=1)
    """Concurrent requests of one worker, including those that wait for a status; further ones are answered with 503."""
    max_concurrent_registrations: int = Field(default=256, ge=1)
    """Concurrent registrations of one worker: each can hold a body of `max_input_bytes` in memory."""
    max_decision_lag_s: float = Field(default=60.0, gt=0)
    """Seconds that the oldest undecided request may have waited; while it is older, registrations get 503."""
    max_streams: int = Field(default=2_000, ge=0)
    """Open streams of live updates of one worker; further ones are answered with 503. 0: none are served."""
    stream_max_s: float = Field(default=3_600.0, gt=0)
    """Seconds after which a stream is ended, and its client connects again: it shows who it is anew."""
    body_timeout_s: float = Field(default=30, gt=0)
    """Seconds that a client may take to send a request's head, and again for its body."""
    response_timeout_s: float = Field(default=15.0, gt=0)
    """Seconds that a registration waits for its answer, including the write, before it is answered with 503."""
    write_timeout_s: float = Field(default=8.0, gt=0)
    """Seconds that Kafka may take to acknowledge a request."""
    max_wait_s: float = Field(default=60.0, ge=0)
    """Upper bound, in seconds, of `wait=` on a status."""
    anonymous_scopes: tuple[str, ...] = ALL_SCOPES
    """Scopes of a caller without identity headers. Empty: every caller must name a user."""

    projection_timeout_s: float = Field(default=2.0, gt=0)
    """Seconds that one read of the projection database may take; then the answer is made without it, or is 503."""
    tail_bytes: int = Field(default=256 * MIB, ge=MIB)
    """Bytes of memory for snapshots that the projection has not applied yet."""

    @property
    def open_to_network(self) -> bool:
        """Whether callers on other machines can reach the api."""
        return not is_loopback(self.host)


def api_settings(settings: Settings) -> ApiSettings:
    """Return `settings` with those of the api, which come from the environment."""
    return settings if isinstance(settings, ApiSettings) else ApiSettings(**dict(settings))
