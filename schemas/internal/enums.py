"""Statuses of batches and phases, dispositions, deadline kinds: the words of the wire and of the state."""

from enum import StrEnum


class BatchStatus(StrEnum):
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


class PhaseStatus(StrEnum):
    """Status of a phase, spelled as the original's `PipelineExecutionStatus`."""

    PENDING_DEPENDENCIES = "pending_dependencies"
    DISPATCH_INITIATED = "dispatch_initiated"
    COMPLETED_SUCCESSFULLY = "completed_successfully"
    COMPLETED_WITH_PARTIAL_SUCCESS = "completed_with_partial_success"
    FAILED = "failed"
    SKIPPED_DUE_TO_DEPENDENCY_FAILURE = "skipped_due_to_dependency_failure"
    SKIPPED_BY_USER_CONFIG = "skipped_by_user_config"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether this run of the phase has ended."""
        return self not in (PhaseStatus.PENDING_DEPENDENCIES, PhaseStatus.DISPATCH_INITIATED)

    @property
    def succeeded(self) -> bool:
        """Whether there are survivors for dependants."""
        return self in (PhaseStatus.COMPLETED_SUCCESSFULLY, PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS)


class Disposition(StrEnum):
    """What came of an inbox record. Each gets exactly one."""

    UNKNOWN = "unknown"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    STALE = "stale"
    APPLIED = "applied"
    QUARANTINED = "quarantined"


class DeadlineKind(StrEnum):
    """Why a clock of a batch is armed."""

    STALLED = "stalled"
    PHASE = "phase"
    RETRY_BACKOFF = "retry_backoff"
    NEVER_PROVISIONED = "never_provisioned"
    PURGE = "purge"


class ReasonCode(StrEnum):
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
    UNSUPPORTED = "unsupported"
    BATCH_ENDED = "batch_ended"
    ALREADY_STARTED = "already_started"
    ALREADY_PROVISIONED = "already_provisioned"
    FOREIGN_ESSAYS_ONLY = "foreign_essays_only"
    PHASE_NOT_IN_PIPELINE = "phase_not_in_pipeline"
    PHASE_NOT_RUNNING = "phase_not_running"
    OTHER_ATTEMPT = "other_attempt"
    DEADLINE_NOT_ARMED = "deadline_not_armed"
    DECISION_FAILED = "decision_failed"
    UNREADABLE_RECORD = "unreadable_record"
    KEY_MISMATCH = "key_mismatch"
