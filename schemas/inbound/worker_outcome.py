"""The outcome that a worker of a generic command sends, as docs/workers.md describes it to the authors of workers.

Published as a JSON Schema (`schemas/public/json/phase-outcome.v1.json`), so fields are added, never changed. Unknown
fields are ignored.
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.inbound.models import BatchId, Name
from schemas.internal.events import EssayRef, OutcomeStatus, PhaseConcluded
from schemas.json_bounds import is_finite
from schemas.text import NO_CONTROL_CHARACTERS

MAX_REASON = 500
"""Longest reason of a failed essay, in characters."""
_MAX_ATTEMPT = 2**31


def _default(value: object) -> BeforeValidator:
    """Return a validator that takes null as `value`, for a field that may be left out."""
    return BeforeValidator(lambda given: value if given is None else given)


def _finite(metrics: dict[str, Any]) -> dict[str, Any]:
    """Refuse numbers such as 1e999, which a parser reads as infinity and which no JSON can hold again."""
    if not is_finite(metrics):
        raise ValueError("holds a number that a double cannot hold")
    return metrics


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True)


class WorkerFailure(_Model):
    """Why an essay failed."""

    reason: Annotated[str, Field(max_length=MAX_REASON), _default("")] = ""
    """For people; shown with the batch."""
    retryable: Annotated[bool, _default(value=True)] = True
    """Whether another attempt may succeed. False: the essay is given up at once."""


class WorkerEssay(_Model):
    """What came of one essay: a text, or a failure."""

    essay_id: Annotated[str, Field(min_length=1, pattern=NO_CONTROL_CHARACTERS)]
    text_storage_id: Annotated[str, Field(pattern=NO_CONTROL_CHARACTERS)] | None = None
    """Where the result lies; the commanded text where the phase makes no new one. Ignored beside a failure."""
    metrics: Annotated[dict[str, Any], AfterValidator(_finite)] | None = None
    """What the phase measured; later phases get it with the essay."""
    failure: WorkerFailure | None = None
    """Present: the essay has failed."""

    @model_validator(mode="after")
    def _has_a_result(self) -> Self:
        if self.failure is None and self.text_storage_id is None:
            raise ValueError("an essay has a text_storage_id or a failure")
        return self


class WorkerOutcomeData(_Model):
    """The outcome of one attempt of a phase."""

    batch_id: BatchId
    """That of the command."""
    phase: Name
    """That of the command."""
    attempt: Annotated[int, Field(ge=1, le=_MAX_ATTEMPT)]
    """That of the command."""
    command_id: str | None = None
    """Information; the batch, the phase and the attempt tell what is answered."""
    status: OutcomeStatus
    """What came of the attempt. Where essays are named, they decide, whatever this says."""
    essays: Annotated[list[WorkerEssay], Field(fail_fast=True), _default(())] = []
    """Results. A commanded essay that is not named has failed."""
    retryable: Annotated[bool, _default(value=True)] = True
    """False: no essay of this outcome that failed may be tried again without being asked."""


def worker_concluded(data: WorkerOutcomeData, correlation_id: str | None) -> PhaseConcluded:
    """Return the outcome as the decision core takes it."""
    failed = [essay for essay in data.essays if essay.failure is not None]
    return PhaseConcluded(
        phase=data.phase,
        status=data.status,
        essays=tuple(
            [
                EssayRef(essay.essay_id, essay.text_storage_id, essay.metrics)
                for essay in data.essays
                if essay.failure is None and essay.text_storage_id is not None
            ]
        ),
        failed_essay_ids=tuple([essay.essay_id for essay in failed]),
        correlation_id=correlation_id,
        attempt=data.attempt,
        retryable=data.retryable,
        not_retryable=tuple([essay.essay_id for essay in failed if essay.failure and not essay.failure.retryable]),
        failures={essay.essay_id: essay.failure.reason for essay in failed if essay.failure and essay.failure.reason},
    )
