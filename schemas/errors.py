"""The tree of errors that a user of the product can meet.

    OrchestratorError            everything below; carries a stable code and the next step
    ├── ConfigurationError       a setting is missing, contradictory or out of range
    ├── TopicError               a topic is missing or differs from what the product needs
    ├── StateError               local or replicated state cannot be trusted
    ├── ProjectionError          the projection database cannot be used
    ├── BrokerError              the Kafka cluster cannot be reached or started
    │   └── LivenessError        a client hears nothing from Kafka, or a call hangs: only a new process helps
    ├── UnreadableRecord         a record cannot be decoded or fits no known model
    │   └── InvalidRequest       a request's body breaks its model (HTTP 400)
    │       └── EraGap           the peers' era cannot take what the body says (HTTP 422)
    └── NewerRecord              an internal record was written by a newer version of the product

Each code has a page in docs/errors.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class OrchestratorError(Exception):
    """Base of all errors shown to users.

    `code` is stable across releases (`ORC-…`); `next_step` says what the reader can do about it.
    """

    code = "ORC-INTERNAL"

    def __init__(self, message: str, *, next_step: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.code}: {self.message} Next step: {self.next_step}"


class ConfigurationError(OrchestratorError):
    """A setting is missing, contradictory or out of range. Raised before anything is started."""

    code = "ORC-CONFIG"


class TopicError(OrchestratorError):
    """A topic is missing, or its partitions, cleanup, retention or size limit differ from the table."""

    code = "ORC-TOPIC"


class StateError(OrchestratorError):
    """State on disk or in the changelog cannot be trusted; going on would decide on wrong state."""

    code = "ORC-STATE"


class ProjectionError(OrchestratorError):
    """The projection database cannot be reached, stays locked, or is not this cluster's. Kafka has all it held."""

    code = "ORC-PROJECTION"


class BrokerError(OrchestratorError):
    """The Kafka cluster cannot be reached, or the development broker cannot be started."""

    code = "ORC-BROKER"


class LivenessError(BrokerError):
    """The process does not do its work any more, and no call of its own brings it back."""

    code = "ORC-NO-LIFE"


class UnreadableRecord(OrchestratorError):
    """A record cannot be decoded or fits no known model; it goes to the dead letters unchanged."""

    code = "ORC-UNREADABLE"

    def __init__(self, message: str, *, next_step: str, code: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message, next_step=next_step, code=code)
        self.request_id = request_id
        """The request that the record carries, where that much could be read; for the dead letter's header."""


class InvalidRequest(UnreadableRecord):
    """A request's body breaks its model. `details` has one entry for each fault: `type`, `loc`, `msg`."""

    code = "ORC-REQUEST-BODY"

    def __init__(
        self,
        message: str,
        *,
        next_step: str,
        code: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message, next_step=next_step, code=code)
        self.details = tuple(details)


class EraGap(InvalidRequest):
    """The body is right, but the peers' era (`PEER_ERA`) cannot take what it says."""

    code = "ORC-ERA-GAP"


class NewerRecord(OrchestratorError):
    """An internal record needs a newer reader. Stops the process, so that nothing is skipped."""

    code = "ORC-NEWER-RECORD"
