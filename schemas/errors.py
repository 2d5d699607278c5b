"""The tree of errors that a user of the product can meet, and the table of their codes.

    OrchestratorError            everything below; carries a stable code and the next step
    ├── ConfigurationError       a setting is missing, contradictory or out of range
    ├── TopicError               a topic is missing or differs from what the product needs
    ├── StateError               local or replicated state cannot be trusted
    ├── ProjectionError          the projection database cannot be used
    │   └── ProjectionEmpty      no projector has begun to fill it
    ├── InvalidCursor            a page was asked for with a cursor that its list did not give
    ├── InvalidFilter            a filter of batches has a name or a value that does not exist (HTTP 400)
    ├── BrokerError              the Kafka cluster cannot be reached or started
    │   └── LivenessError        a client hears nothing from Kafka, or a call hangs: only a new process helps
    ├── RecordsExpired           records that a replay needs are no longer in their topic
    ├── RecordTooLarge           a record does not fit the limit of the topic that it was written to
    ├── UnreadableRecord         a record cannot be decoded or fits no known model
    │   └── InvalidRequest       a request's body breaks its model (HTTP 400)
    │       └── EraGap           the peers' era cannot take what the body says (HTTP 422)
    ├── RecordFormatError        an internal record is outside the format versions that this process reads
    │   ├── NewerRecord          it was written by a newer version of the product
    │   └── OlderRecord          it was written by an older version of the product
    ├── ForbiddenTransition      a rule tried a step that the transition tables do not have
    ├── InvalidIdentity          a header names a caller in a way that cannot be stored
    ├── TokenRefused             a token of a caller does not hold (HTTP 401)
    ├── TokensUnavailable        the keys of the tokens' issuer cannot be fetched (HTTP 503)
    ├── OperationLost            another worker of the api goes on with a bulk operation
    ├── DirectoryInUse           another process uses the directory (runtime.directory_lock)
    ├── Problem                  the answer to an HTTP request that fails (api.errors)
    ├── ProcessFailed            a supervised process cannot be kept running (cli.supervision.supervisor)
    └── RequestFailed            a command did not get what it asked of the api (cli.api_client)

Each code has a page in docs/errors.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Every code that a user can meet: stable across releases, each with a page in docs/errors."""

    # What stops a process, or keeps it from starting.
    INTERNAL = "ORC-INTERNAL"  # a failure that the product has no better name for: a defect of its own
    CONFIG = "ORC-CONFIG"  # a setting is missing, contradictory or out of range
    PIPELINE = "ORC-PIPELINE"  # a pipeline definition cannot be run
    PORT = "ORC-PORT"  # a port cannot be opened
    PROCESS = "ORC-PROCESS"  # the supervisor cannot keep a process running
    NEWER_RECORD = "ORC-NEWER-RECORD"  # an internal record needs a newer version of the product
    OLDER_RECORD = "ORC-OLDER-RECORD"  # an internal record was written in a format that is no longer read
    UNREADABLE = "ORC-UNREADABLE"  # an internal record cannot be decoded
    # Kafka and its topics.
    BROKER = "ORC-BROKER"  # the Kafka cluster cannot be reached, or the development broker cannot be started
    BROKER_CHECKSUM = "ORC-BROKER-CHECKSUM"  # a jar of the development broker is not the one that was tested
    BROKER_DOWNLOAD = "ORC-BROKER-DOWNLOAD"  # a jar of the development broker cannot be fetched
    TOPIC = "ORC-TOPIC"  # a topic differs from what the product needs
    TOPIC_MISSING = "ORC-TOPIC-MISSING"  # a topic that a process needs is not there
    ROUTER_START = "ORC-ROUTER-START"  # the router's group has no committed offset, and its inputs hold records
    PARTITIONS_LOST = "ORC-PARTITIONS-LOST"  # the group took a process's partitions away
    NO_LIFE = "ORC-NO-LIFE"  # a process has heard nothing from Kafka for too long, or a call of it hangs
    COMMIT_UNKNOWN = "ORC-COMMIT-UNKNOWN"  # Kafka did not say whether a transaction was committed
    BUSY = "ORC-BUSY"  # more requests are under way than the api takes
    TOO_MANY_STREAMS = "ORC-TOO-MANY-STREAMS"  # 503: as many streams of live updates are open as the api takes
    HEADER_REPEATED = "ORC-HEADER-REPEATED"  # a header that may stand once is given twice
    CONTENT_ENCODING = "ORC-CONTENT-ENCODING"  # a body is compressed
    BODY_TIMEOUT = "ORC-BODY-TIMEOUT"  # a body did not arrive in time
    TOO_MANY_VALUES = "ORC-TOO-MANY-VALUES"  # a request's JSON holds more values than are taken
    PROCESS_MISSING = "ORC-PROCESS-MISSING"  # a process that should run has not been heard of
    PROCESS_NOT_FOUND = "ORC-PROCESS-NOT-FOUND"  # 404: no process of this kind and instance is listed
    PROCESS_LIVE = "ORC-PROCESS-LIVE"  # 409: a process that reports cannot be forgotten
    INSTANCE_TWICE = "ORC-INSTANCE-TWICE"  # two processes of one kind run with the same `INSTANCE`
    PROCESS_NOT_READY = "ORC-PROCESS-NOT-READY"  # a process runs and does not do its work yet, or no longer
    PROCESS_BEHIND = "ORC-PROCESS-BEHIND"  # a process is further behind its input than `MAX_LAG_S` allows
    SETTINGS_DIFFER = "ORC-SETTINGS-DIFFER"  # running processes have different settings or versions
    DEADLINE_GATE = "ORC-DEADLINE-GATE"  # deadlines wait: the router has not passed what is in its inputs
    OPEN_TRANSACTION = "ORC-OPEN-TRANSACTION"  # a transaction on an input has been open for too long
    PROJECTION_GAP = "ORC-PROJECTION-GAP"  # records of a topic were removed before the projection had read them
    ROUTER_OFFSETS_LOST = (
        "ORC-ROUTER-OFFSETS-LOST"  # the router has started before, and has no committed offset on an input
    )
    INPUT_LOST = "ORC-INPUT-LOST"  # records on an input topic were removed before the router had read them
    INPUT_REPLACED = "ORC-INPUT-REPLACED"  # an input topic was deleted and created again, or has lost records
    REPLAY_NEWER = "ORC-REPLAY-NEWER"  # a record on the replay topic claims a format newer than the router reads
    INSTANCE = "ORC-INSTANCE"  # another process of this kind has taken over with the same INSTANCE
    FENCED = "ORC-FENCED"  # Kafka takes no more transactions from this process
    STATE_INPUT_REPLACED = "ORC-STATE-INPUT-REPLACED"  # the inbox ends before what the group has processed
    OFFSET_OUT_OF_RANGE = "ORC-OFFSET-OUT-OF-RANGE"  # the next record to read is not there any more
    # Replaying a batch.
    RECORDS_EXPIRED = "ORC-RECORDS-EXPIRED"  # records that the replay of a batch needs are no longer there
    REPLAY_DIFFERS = "ORC-REPLAY-DIFFERS"  # the replay of a batch gives another result than was published
    # The orchestrator's state.
    STATE = "ORC-STATE"  # local or replicated state cannot be trusted
    STATE_AHEAD = "ORC-STATE-AHEAD"  # an inbox record is older than the batch it is about
    STATE_CHANGELOG = "ORC-STATE-CHANGELOG"  # the local store has seen more of the changelog than there is
    STATE_DIRECTORY = "ORC-STATE-DIRECTORY"  # the state directory cannot be written
    STATE_FOREIGN = "ORC-STATE-FOREIGN"  # the state directory belongs to another cluster, inbox or group
    STATE_INPUT_LOST = "ORC-STATE-INPUT-LOST"  # retention has removed inbox records that were never processed
    STATE_LOCKED = "ORC-STATE-LOCKED"  # another process uses the state directory
    STATE_OFFSETS_LOST = "ORC-STATE-OFFSETS-LOST"  # the changelog holds state, but the group has no committed offset
    STATE_OFFSETS_UNREAD = "ORC-STATE-OFFSETS-UNREAD"  # the group's committed offsets cannot be read
    STATE_UNSTABLE = "ORC-STATE-UNSTABLE"  # an open transaction on the changelog does not end
    # The projection.
    PROJECTION = "ORC-PROJECTION"  # the projection database cannot be used
    PROJECTION_AHEAD = "ORC-PROJECTION-AHEAD"  # the projection has read further than a topic goes
    PROJECTION_IDENTITY = "ORC-PROJECTION-IDENTITY"  # the database belongs to another cluster or inbox
    PROJECTION_NEWER = "ORC-PROJECTION-NEWER"  # the database has a schema that this version does not know
    PROJECTION_REPLACED = "ORC-PROJECTION-REPLACED"  # the database's file was removed or replaced while it was written
    CHAIN_BREAK = "ORC-CHAIN-BREAK"  # a history record does not follow from the version before it
    CURSOR = "ORC-CURSOR"  # a page was asked for with a cursor that this list did not give
    FILTER = "ORC-FILTER"  # a filter of batches has a name or a value that does not exist
    # Records that become dead letters.
    NOT_JSON = "ORC-NOT-JSON"  # a record's value is not one JSON object
    FIELDS = "ORC-FIELDS"  # a record lacks a field that its event has, or a field is of the wrong type
    CORRELATION_ID = "ORC-CORRELATION-ID"  # a correlation id is no UUID
    OUTCOME_STATUS = "ORC-OUTCOME-STATUS"  # an outcome's status is none that ends a phase
    REQUEST_BODY = "ORC-REQUEST-BODY"  # the body of a request breaks its model
    ERA_GAP = "ORC-ERA-GAP"  # the peers' era cannot take what a request says
    TOO_LARGE = "ORC-TOO-LARGE"  # a record is larger than its limit
    TOO_MANY_ESSAYS = "ORC-TOO-MANY-ESSAYS"  # an event names more essays than a batch may hold
    REPLAY = "ORC-REPLAY"  # a replayed record does not say where it was first read
    ROUTER_FAULT = "ORC-ROUTER-FAULT"  # the router failed on a record in a way that nobody foresaw
    KEY_MISMATCH = "ORC-KEY-MISMATCH"  # an inbox record's key is not its batch
    UNKNOWN_BATCH = "ORC-UNKNOWN-BATCH"  # an event names a batch that is not there
    DECISION_FAILED = "ORC-DECISION-FAILED"  # a rule raised an error
    COMMAND_TOPIC = "ORC-COMMAND-TOPIC"  # a batch commands a phase on a topic that the orchestrator does not know
    PROCESS_CRASHED = "ORC-PROCESS-CRASHED"  # a process has ended each time that it processed a record
    OVERSIZED = "ORC-OVERSIZED"  # what a decision leads to does not fit its topic
    # Answers over HTTP.
    NO_ROUTE = "ORC-NO-ROUTE"  # 404: there is nothing at this path
    METHOD = "ORC-METHOD"  # 405: the path is there, but not for this method
    BAD_REQUEST = "ORC-BAD-REQUEST"  # the request was faulty before any route was asked
    VALIDATION = "ORC-VALIDATION"  # 400: a parameter is out of range
    HEADER = "ORC-HEADER"  # 400: a header cannot be used
    CONTENT_TYPE = "ORC-CONTENT-TYPE"  # 400: the content type is not JSON
    BAD_JSON = "ORC-BAD-JSON"  # 400: the body is not a JSON object
    BODY_TOO_LARGE = "ORC-BODY-TOO-LARGE"  # 413: the body, or the record made of it, is above the limit
    UNAUTHENTICATED = "ORC-UNAUTHENTICATED"  # 401: no credential, or one that does not hold
    SCOPE = "ORC-SCOPE"  # 403: the caller may not do this
    FOREIGN_PAGE = "ORC-FOREIGN-PAGE"  # 403: a page of another site sent the request
    HOST = "ORC-HOST"  # 421: the Host header names an unknown host
    RATE_LIMIT = "ORC-RATE-LIMIT"  # 429: the caller sends too many requests
    OPEN_ACCESS = "ORC-OPEN-ACCESS"  # the api would listen beyond loopback without access control
    BATCH_NOT_FOUND = "ORC-BATCH-NOT-FOUND"  # 404: there is no such batch, or it is somebody else's
    ID_NOT_FOUND = "ORC-ID-NOT-FOUND"  # 404: nothing has this id, or several ids begin with it
    PIPELINE_NOT_FOUND = "ORC-PIPELINE-NOT-FOUND"  # 404: there is no pipeline definition of this name
    VERSION_NOT_FOUND = "ORC-VERSION-NOT-FOUND"  # 404: the batch has no decision at this version
    LETTER_NOT_FOUND = "ORC-LETTER-NOT-FOUND"  # 404: there is no such dead letter
    LETTER_REFUSED = "ORC-LETTER-REFUSED"  # 409: this cannot be done with the dead letter
    LETTER_FILTER = "ORC-LETTER-FILTER"  # 422: dead letters were to be worked without saying which
    LETTER_LIMIT = "ORC-LETTER-LIMIT"  # 422: the filter fits more dead letters than are worked at once
    OPERATION_NOT_FOUND = "ORC-OPERATION-NOT-FOUND"  # 404: there is no such bulk operation
    OPERATION_FILTER = "ORC-OPERATION-FILTER"  # 422: a bulk operation was to be done with everything there is
    KEY_REUSED = "ORC-KEY-REUSED"  # 422: the key was used before with another body
    REFUSED = "ORC-REFUSED"  # 409 or 422: the request breaks a rule
    VERSION_CHANGED = "ORC-VERSION-CHANGED"  # 412: the batch does not have the version that the request names
    UNDECODABLE = "ORC-UNDECODABLE"  # 422: the request was written, but cannot be used
    QUARANTINED = "ORC-QUARANTINED"  # 500: the request was written, but deciding on it failed
    NOT_READY = "ORC-NOT-READY"  # 503: the api cannot answer yet
    DECISIONS_BEHIND = "ORC-DECISIONS-BEHIND"  # 503: decisions are further behind than `MAX_DECISION_LAG_S` allows
    NO_ANSWER = "ORC-NO-ANSWER"  # 503: the request is durable, and not decided yet
    HTTP = "ORC-HTTP"  # a `bos batches` command did not get what it asked of the api


CODE_PREFIX = "ORC-"
"""What every code begins with."""


class OrchestratorError(Exception):
    """Base of all errors shown to users.

    `code` is stable across releases (`ORC-…`); `next_step` says what the reader can do about it.
    """

    code: str = Code.INTERNAL

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

    code = Code.CONFIG


class TopicError(OrchestratorError):
    """A topic is missing, or its partitions, cleanup, retention or size limit differ from the table."""

    code = Code.TOPIC


class StateError(OrchestratorError):
    """State on disk or in the changelog cannot be trusted; going on would decide on wrong state."""

    code = Code.STATE


class ProjectionError(OrchestratorError):
    """The projection database cannot be reached, stays locked, or is not this cluster's. Kafka has all it held."""

    code = Code.PROJECTION


class InvalidCursor(OrchestratorError):
    """A page was asked for with a cursor that its list did not give."""

    code = Code.CURSOR


class InvalidFilter(OrchestratorError):
    """A filter of batches has a name or a value that does not exist; `name` is the filter's name (HTTP 400)."""

    code = Code.FILTER

    def __init__(self, message: str, *, next_step: str, name: str) -> None:
        super().__init__(message, next_step=next_step)
        self.name = name


class ProjectionEmpty(ProjectionError):
    """No projector has made the projection database, or begun to fill it: it answers, and reflects nothing."""


class BrokerError(OrchestratorError):
    """The Kafka cluster cannot be reached, or the development broker cannot be started."""

    code = Code.BROKER


class RecordsExpired(OrchestratorError):
    """Records that the replay of a batch needs are no longer in their topic, or in the projection's history."""

    code = Code.RECORDS_EXPIRED


class RecordTooLarge(OrchestratorError):
    """A record does not fit the limit of the topic that it was written to."""

    code = Code.TOO_LARGE


class LivenessError(BrokerError):
    """The process does not do its work any more, and no call of its own brings it back."""

    code = Code.NO_LIFE


class UnreadableRecord(OrchestratorError):
    """A record cannot be decoded or fits no known model; it goes to the dead letters unchanged."""

    code = Code.UNREADABLE

    def __init__(self, message: str, *, next_step: str, code: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message, next_step=next_step, code=code)
        self.request_id = request_id
        """The request that the record carries, where that much could be read; for the dead letter's header."""


class InvalidRequest(UnreadableRecord):
    """A request's body breaks its model. `details` has one entry for each fault: `type`, `loc`, `msg`."""

    code = Code.REQUEST_BODY

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

    code = Code.ERA_GAP


class RecordFormatError(OrchestratorError):
    """An internal record is outside the format versions that this process reads. Stops it, so nothing is skipped."""


class NewerRecord(RecordFormatError):
    """An internal record needs a newer reader."""

    code = Code.NEWER_RECORD


class OlderRecord(RecordFormatError):
    """An internal record was written in a format that this version of the product no longer reads."""

    code = Code.OLDER_RECORD


class ForbiddenTransition(OrchestratorError):
    """A rule tried a step that the transition tables do not have: a defect of the rule, so the event is set aside."""

    code = Code.DECISION_FAILED


class InvalidIdentity(OrchestratorError):
    """A header names a user or an organisation in a way that cannot be stored (HTTP 400)."""

    code = Code.HEADER


class TokenRefused(OrchestratorError):
    """A token that does not hold; the message says why, without a part of the token."""

    code = Code.UNAUTHENTICATED

    def __init__(self, why: str) -> None:
        super().__init__(f"The token does not hold: {why}.", next_step="Get a new token for this service.")


class TokensUnavailable(OrchestratorError):
    """The issuer's keys cannot be fetched now."""

    code = Code.NOT_READY

    def __init__(self) -> None:
        super().__init__(
            "The keys of the token's issuer cannot be fetched now.",
            next_step="Send the request again in a moment; the operator checks JWT_JWKS.",
        )


class OperationLost(OrchestratorError):
    """This worker does not go on with the operation; another one does."""

    def __init__(self) -> None:
        super().__init__("Another worker of the api has the operation now.", next_step="Ask for the operation's state.")
