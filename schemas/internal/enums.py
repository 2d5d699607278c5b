"""Statuses of batches and phases, dispositions, deadline kinds: the words of the wire and of the state."""

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """An enumeration that can get new words: a reader of today takes a word of tomorrow as its text.

    An unknown word is equal to its text and has its hash, is none of the members, and is encoded as it was read.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = word._value_ = value
        return word


class BatchStatus(OpenEnum):
    """Status of a batch, spelled as the original's `BatchStatus`."""

    AWAITING_CONTENT_VALIDATION = "awaiting_content_validation"
    AWAITING_STUDENT_VALIDATION = "awaiting_student_validation"
    PROCESSING_PIPELINES = "processing_pipelines"
    COMPLETED_SUCCESSFULLY = "completed_successfully"
    COMPLETED_WITH_FAILURES = "completed_with_failures"
    FAILED_CRITICALLY = "failed_critically"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the batch has ended; nothing leaves a terminal status."""
        return self in _TERMINAL_BATCH

    @property
    def waiting(self) -> bool:
        """Whether the batch waits for its essays."""
        return self in (BatchStatus.AWAITING_CONTENT_VALIDATION, BatchStatus.AWAITING_STUDENT_VALIDATION)


_TERMINAL_BATCH = frozenset(
    {
        BatchStatus.COMPLETED_SUCCESSFULLY,
        BatchStatus.COMPLETED_WITH_FAILURES,
        BatchStatus.FAILED_CRITICALLY,
        BatchStatus.CANCELLED,
    }
)


class PhaseStatus(OpenEnum):
    """Status of a phase, spelled as the original's `PipelineExecutionStatus`."""

    PENDING_DEPENDENCIES = "pending_dependencies"
    DISPATCH_INITIATED = "dispatch_initiated"
    COMPLETED_SUCCESSFULLY = "completed_successfully"
    COMPLETED_WITH_PARTIAL_SUCCESS = "completed_with_partial_success"
    FAILED = "failed"
    SKIPPED_DUE_TO_DEPENDENCY_FAILURE = "skipped_due_to_dependency_failure"
    SKIPPED_BY_USER_CONFIG = "skipped_by_user_config"
    CANCELLED = "cancelled"
    WAITING_TO_RETRY = "waiting_to_retry"
    """An attempt has ended, and the next one starts by itself after its backoff. Ours alone."""
    HELD = "held"
    """The phase would have failed; a person may retry it until the hold ends. Ours alone."""

    @property
    def terminal(self) -> bool:
        """Whether the phase has ended; only a retry of it, or of a phase before it, makes it run again."""
        return self in _TERMINAL_PHASE

    @property
    def succeeded(self) -> bool:
        """Whether there are survivors for dependants."""
        return self in _SUCCEEDED_PHASE


_TERMINAL_PHASE = frozenset(
    {
        PhaseStatus.COMPLETED_SUCCESSFULLY,
        PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
        PhaseStatus.FAILED,
        PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE,
        PhaseStatus.SKIPPED_BY_USER_CONFIG,
        PhaseStatus.CANCELLED,
    }
)
_SUCCEEDED_PHASE = frozenset({PhaseStatus.COMPLETED_SUCCESSFULLY, PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS})


class Disposition(OpenEnum):
    """What came of an inbox record. Each gets exactly one."""

    UNKNOWN = "unknown"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    STALE = "stale"
    APPLIED = "applied"
    QUARANTINED = "quarantined"


class DeadlineKind(OpenEnum):
    """Why a clock of a batch is armed."""

    STALLED = "stalled"
    PHASE = "phase"
    RETRY_BACKOFF = "retry_backoff"
    NEVER_PROVISIONED = "never_provisioned"
    HOLD = "hold"
    PURGE = "purge"


class ReasonCode(OpenEnum):
    """Why an inbox record got its disposition. Parameters are typed per code, see `schemas.internal.history.Reason`."""

    REGISTERED = "registered"
    PIPELINE_STARTED = "pipeline_started"
    STUDENT_MATCHING_STARTED = "student_matching_started"
    VALIDATION_FAILURES_RECORDED = "validation_failures_recorded"
    CRITICAL_VALIDATION_FAILURE = "critical_validation_failure"
    NO_ESSAYS = "no_essays"
    PHASE_COMPLETED = "phase_completed"
    PHASE_FAILED = "phase_failed"
    OVERSIZED = "oversized"
    UNKNOWN_BATCH = "unknown_batch"
    SAME_REGISTRATION = "same_registration"
    REQUEST_ALREADY_DECIDED = "request_already_decided"
    READY_AGAIN = "ready_again"
    CONFLICTING_READY = "conflicting_ready"
    OUTCOME_ALREADY_RECORDED = "outcome_already_recorded"
    VALIDATION_FAILURES_ALREADY_RECORDED = "validation_failures_already_recorded"
    KEY_REUSED = "key_reused"
    FOREIGN_BATCH_ID = "foreign_batch_id"
    BATCH_ENDED = "batch_ended"
    ALREADY_STARTED = "already_started"
    ALREADY_PROVISIONED = "already_provisioned"
    FOREIGN_ESSAYS_ONLY = "foreign_essays_only"
    PHASE_NOT_IN_PIPELINE = "phase_not_in_pipeline"
    PHASE_NOT_RUNNING = "phase_not_running"
    OTHER_ATTEMPT = "other_attempt"
    DEADLINE_NOT_ARMED = "deadline_not_armed"
    BATCH_CANCELLED = "batch_cancelled"
    BATCH_PAUSED = "batch_paused"
    BATCH_RESUMED = "batch_resumed"
    BATCH_PURGED = "batch_purged"
    RETRY_STARTED = "retry_started"
    RETRY_SCHEDULED = "retry_scheduled"
    PHASE_STALLED = "phase_stalled"
    PHASE_DEADLINE_MISSED = "phase_deadline_missed"
    PHASE_HELD = "phase_held"
    HOLD_EXPIRED = "hold_expired"
    NEVER_PROVISIONED = "never_provisioned"
    ALREADY_PAUSED = "already_paused"
    NOT_PAUSED = "not_paused"
    NOT_STARTED = "not_started"
    VERSION_CHANGED = "version_changed"
    PHASE_NOT_REQUESTED = "phase_not_requested"
    PHASE_SUCCEEDED = "phase_succeeded"
    PHASE_RUNNING = "phase_running"
    NOTHING_FAILED = "nothing_failed"
    UNKNOWN_ESSAYS = "unknown_essays"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    NO_BATCH_LEFT = "no_batch_left"
    PROCESS_CRASHED = "process_crashed"
    DECISION_FAILED = "decision_failed"
    UNREADABLE_RECORD = "unreadable_record"
    KEY_MISMATCH = "key_mismatch"


class PhaseReason(OpenEnum):
    """Why a phase ended as it did."""

    PEER_FAILED = "peer_failed"
    PEER_CANCELLED = "peer_cancelled"
    NO_SURVIVORS = "no_survivors"
    """The peer reported success, but no essay of it."""
    PARTIAL_FAILURE = "partial_failure"
    """An essay failed in a phase with `on_partial_failure = "fail"`."""
    DEADLINE_MISSED = "deadline_missed"
    DEPENDENCY_FAILED = "dependency_failed"
    NOT_REQUESTED = "not_requested"
    CANCELLED = "cancelled"
    BATCH_ENDED = "batch_ended"
    OVERSIZED = "oversized"


class LostReason(OpenEnum):
    """Why a phase lost an essay."""

    FAILED = "failed"
    """The peer named it as failed."""
    UNACCOUNTED = "unaccounted"
    """It was commanded, and the outcome named others only."""
    NONE_NAMED = "none_named"
    """The outcome named no essay at all."""
    NO_OUTCOME = "no_outcome"
    """No outcome came in time."""
    CANCELLED = "cancelled"
    OVERSIZED = "oversized"
