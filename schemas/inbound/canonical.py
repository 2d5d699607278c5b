"""Converts the wire models of all eras into canonical event bodies."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from schemas import ids
from schemas.errors import Code, InvalidRequest, UnreadableRecord
from schemas.inbound import worker_outcome
from schemas.inbound.models import (
    Envelope,
    OutcomeData,
    ProvisionedData,
    ReadyData,
    Ref,
    RequestData,
    ValidationErrorsData,
)
from schemas.inbound.worker_outcome import WorkerOutcomeData
from schemas.internal.events import (
    Body,
    CancelBatch,
    ContentProvisioned,
    EssayRef,
    EssaysReady,
    FileFailure,
    OutcomeStatus,
    PauseBatch,
    PhaseConcluded,
    Principal,
    RegisterBatch,
    ResumeBatch,
    RetryPhase,
    ValidationFailed,
)
from schemas.json_bounds import is_finite
from schemas.limits import Limits
from schemas.public.control import RetryBody, parse_control
from schemas.public.registration import RegistrationPolicy, fingerprint, parse_registration
from schemas.public.requests import RequestKind

PHASES = {"nlp_metrics": "nlp"}
"""Names of phases that were renamed."""
STATUSES: dict[str, OutcomeStatus] = {status.value: status for status in OutcomeStatus}
"""Statuses of outcomes by their lower-case spelling."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(time: datetime | None) -> int:
    """Return Unix milliseconds; 0 without a time. A time without a zone is UTC."""
    if time is None:
        return 0
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    passed = time - _EPOCH
    return passed.days * 86_400_000 + passed.seconds * 1_000 + passed.microseconds // 1_000


def essays_ready(data: ReadyData, limits: Limits) -> Body:
    """Essays ready, with the failures that the seed and July embed."""
    return EssaysReady(
        essays=_refs(data.ready_essays, limits),
        failures=tuple(
            FileFailure(failed.validation_error_code, failed.validation_error_message, failed.original_file_name)
            for failed in data.validation_failures or ()
        ),
    )


def content_provisioned(data: ProvisionedData, limits: Limits) -> Body:
    """All content has arrived."""
    return ContentProvisioned(essays=_refs(data.essays_for_processing, limits))


def validation_failed(data: ValidationErrorsData, limits: Limits) -> Body:
    """Files failed validation."""
    _check_count(len({(failed.essay_id, failed.file_name) for failed in data.failed_essays}), limits)
    return ValidationFailed(
        critical=data.error_summary.critical_failure,
        failures=tuple(
            FileFailure(failed.error_detail.error_code, failed.error_detail.message, failed.file_name, failed.essay_id)
            for failed in data.failed_essays
        ),
        total=data.error_summary.total_errors,
    )


def phase_concluded(data: OutcomeData, envelope_correlation: UUID | None, limits: Limits) -> Body:
    """A phase's outcome; its own correlation id goes before the envelope's."""
    status = STATUSES.get(data.phase_status.lower())
    if status is None:
        raise UnreadableRecord(
            f"{data.phase_status[:60]!r} is no status of an outcome.",
            code=Code.OUTCOME_STATUS,
            next_step=f"Correct the producer; outcomes are {', '.join(STATUSES)} in lower or upper case.",
        )
    _check_count(len(set(data.failed_essay_ids)), limits)
    correlation = data.correlation_id or envelope_correlation
    return PhaseConcluded(
        phase=PHASES.get(data.phase_name, data.phase_name),
        status=status,
        essays=_refs(data.processed_essays, limits),
        failed_essay_ids=tuple(data.failed_essay_ids),
        correlation_id=None if correlation is None else str(correlation),
        attempt=data.attempt,
    )


def worker_concluded(data: WorkerOutcomeData, envelope_correlation: UUID | None, limits: Limits) -> Body:
    """An outcome of a worker of a generic command."""
    _check_count(len({essay.essay_id for essay in data.essays}), limits)
    return worker_outcome.worker_concluded(data, None if envelope_correlation is None else str(envelope_correlation))


def requested(envelope: Envelope[RequestData], policy: RegistrationPolicy) -> Body:
    """A client's request. Raises `InvalidRequest` or `EraGap`, with the request's id."""
    data = envelope.data
    try:
        return _requested(data, envelope.correlation_id, policy)
    except InvalidRequest as error:
        error.request_id = data.request_id
        raise


def _requested(data: RequestData, correlation: UUID | None, policy: RegistrationPolicy) -> Body:
    who = data.principal
    principal = Principal(subject=who.subject, organisation=who.organisation, scopes=who.scopes, verified=who.verified)
    common: dict[str, Any] = {
        "request_id": data.request_id,
        "principal": principal,
        "correlation_id": str(correlation or ids.request_correlation_id(data.request_id)),
        # Of a registration the body alone, as it is the batch's too; one id for two kinds of request is a conflict.
        "fingerprint": fingerprint(
            data.body if data.kind is RequestKind.REGISTER else {"kind": data.kind.value, "body": data.body}
        ),
    }
    if data.kind is not RequestKind.REGISTER:
        return _controlled(data, common, policy.limits)
    registration = parse_registration(data.body, policy, principal)
    return RegisterBatch(
        **common,
        expected_essay_count=registration.expected_essay_count,
        context=registration.context,
        pipeline=registration.pipeline,
        requested_phases=registration.requested_phases,
    )


def _controlled(data: RequestData, common: dict[str, Any], limits: Limits) -> Body:
    parsed = parse_control(data.kind, data.body, limits)
    common |= {"reason": parsed.reason, "if_version": parsed.if_version}
    if isinstance(parsed, RetryBody):
        return RetryPhase(**common, phase=parsed.phase, essays=parsed.selection)
    return _CONTROLS[data.kind](**common)


_CONTROLS: dict[RequestKind, type[CancelBatch | PauseBatch | ResumeBatch]] = {
    RequestKind.CANCEL: CancelBatch,
    RequestKind.PAUSE: PauseBatch,
    RequestKind.RESUME: ResumeBatch,
}


def _refs(refs: list[Ref], limits: Limits) -> tuple[EssayRef, ...]:
    _check_count(len({ref["essay_id"] for ref in refs}), limits)
    return tuple([EssayRef(ref["essay_id"], ref["text_storage_id"], _metrics(ref)) for ref in refs])


def _metrics(ref: Ref) -> dict[str, Any] | None:
    """Return an essay's metrics; a number beyond the range of floating point would be written on as null."""
    metrics = ref.get("spellcheck_metrics")
    if metrics and not is_finite(metrics):
        raise UnreadableRecord(
            f"spellcheck_metrics of essay {ref['essay_id'][:60]!r} hold a number that is not finite.",
            code=Code.FIELDS,
            next_step="Correct the producer: send null instead of a number that a double cannot hold.",
        )
    return metrics


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.essays:
        raise UnreadableRecord(
            f"the record names {count} essays; a batch holds at most {limits.essays}.",
            code=Code.TOO_MANY_ESSAYS,
            next_step="Split the batch, or raise MAX_ESSAYS and the size limits with it.",
        )
