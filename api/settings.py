"""Settings of the api process, in addition to those that all processes share."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

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
    anonymous_scopes: tuple[str, ...] | None = None
    """Scopes of a caller without credential and identity headers. Unset: all of them, or none where credentials are
    configured. Empty without credentials: every caller must name a user."""
    api_keys: SecretStr | None = None
    """API keys, one a line: `NAME sha256=DIGEST scopes=read,write,operate [owner=USER] [organisation=ORG]`."""
    jwt_jwks: str | None = None
    """File, or https:// address, of the JSON Web Key Set that signs tokens. Unset: no tokens are taken."""
    jwt_issuer: str | None = None
    """Issuer (`iss`) of tokens."""
    jwt_audience: str | None = None
    """Audience (`aud`) that a token must name."""
    jwt_scope_prefix: str = "bos:"
    """What precedes `read`, `write` and `operate` among the scopes of a token."""
    jwt_organisation_claim: str = "org_id"
    """Claim of a token that names the organisation to which it is bound."""
    allow_anyone_on_the_network: bool = False
    """Listen beyond loopback without credentials: whoever reaches the address sees and controls every batch."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated names under which the api is called, in addition to addresses and names without a public domain;
    `*` for any. With credentials, unset means any."""
    rate_limit_per_s: float = Field(default=0, ge=0)
    """Requests a second that one worker takes from one caller, in bursts of as many; 0 for no limit."""

    projection_timeout_s: float = Field(default=2.0, gt=0)
    """Seconds that one read of the projection database may take; then the answer is made without it, or is 503."""
    tail_bytes: int = Field(default=256 * MIB, ge=MIB)
    """Bytes of memory for snapshots that the projection has not applied yet."""

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())

    @model_validator(mode="after")
    def _checks_tokens(self) -> Self:
        if self.jwt_jwks and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError(
                "JWT_JWKS needs JWT_ISSUER and JWT_AUDIENCE: a token for another service must not hold here"
            )
        return self

    @property
    def access_controlled(self) -> bool:
        """Whether credentials are configured."""
        return self.api_keys is not None or self.jwt_jwks is not None

    @property
    def credentials_required(self) -> bool:
        """Whether a caller without a credential is refused."""
        return self.access_controlled and not self.scopes_of_anonymous

    @property
    def scopes_of_anonymous(self) -> tuple[str, ...]:
        """Scopes of a caller without credential and identity headers."""
        if self.anonymous_scopes is not None:
            return self.anonymous_scopes
        return () if self.access_controlled else ALL_SCOPES

    @property
    def open_to_network(self) -> bool:
        """Whether callers on other machines can reach the api."""
        return not is_loopback(self.host)


def api_settings(settings: Settings) -> ApiSettings:
    """Return `settings` with those of the api, which come from the environment."""
    return settings if isinstance(settings, ApiSettings) else ApiSettings(**dict(settings))
