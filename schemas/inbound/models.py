"""What peers and clients send, in every era at once.

Each model asks for what all eras have in common and takes what single eras add; unknown fields are ignored, and
validation is as lax as the original's. Null means the same as an absent field wherever the field has a default. Ids
and names hold no control characters (`schemas.text`). The eras' own shapes: docs/wire-contract.md, seed topics.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, NotRequired, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from schemas.public.requests import RequestKind
from schemas.text import NO_CONTROL_CHARACTERS

MAX_BATCH_ID = 255


Identifier = Annotated[str, Field(pattern=NO_CONTROL_CHARACTERS)]
"""An id of a peer or a client, possibly empty."""


def _default(value: object) -> BeforeValidator:
    """Return a validator that takes null as `value`, for a field that peers may leave out."""
    return BeforeValidator(lambda given: value if given is None else given)


class Ref(TypedDict):
    """An essay and its text. A typed dictionary: a batch has many, and these are cheap."""

    essay_id: Identifier
    text_storage_id: Identifier
    spellcheck_metrics: NotRequired[dict[str, Any] | None]


Refs = Annotated[list[Ref], Field(fail_fast=True)]
"""Essays of a batch; the first one that is wrong is told, and ends the reading."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


BatchId = Annotated[str, Field(min_length=1, max_length=MAX_BATCH_ID, pattern=NO_CONTROL_CHARACTERS)]
Name = Annotated[str, Field(min_length=1, pattern=NO_CONTROL_CHARACTERS)]


class FailedFile(_Model):
    """A file that failed validation, as the seed and July embed it in the ready event."""

    original_file_name: str
    validation_error_code: str
    validation_error_message: str


class ReadyData(_Model):
    """Essays are ready to be processed."""

    batch_id: BatchId
    ready_essays: Refs
    validation_failures: Annotated[list[FailedFile], Field(fail_fast=True)] | None = None


class ProvisionedData(_Model):
    """All content has arrived (head)."""

    batch_id: BatchId
    essays_for_processing: Refs


class _ErrorDetail(_Model):
    error_code: str
    message: str


class _FailedEssay(_Model):
    essay_id: Annotated[Identifier, _default("")] = ""
    file_name: Annotated[str, _default("")] = ""
    error_detail: _ErrorDetail


class _ErrorSummary(_Model):
    total_errors: Annotated[int, Field(ge=0, le=2**31)]
    critical_failure: Annotated[bool, _default(value=False)] = False


class ValidationErrorsData(_Model):
    """Files of the batch failed validation (head)."""

    batch_id: BatchId
    failed_essays: Annotated[list[_FailedEssay], Field(fail_fast=True)]
    error_summary: _ErrorSummary


class OutcomeData(_Model):
    """A peer's outcome of a phase. Both spellings of the status."""

    batch_id: BatchId
    phase_name: Name
    phase_status: str
    processed_essays: Refs
    failed_essay_ids: Annotated[list[Identifier], Field(fail_fast=True), _default(())] = []
    """Absent or null, the outcome names no failures."""
    correlation_id: UUID | None = None
    attempt: Annotated[int | None, Field(ge=1, le=2**31)] = None
    """No peer of HuleEdu sends it; one that echoes its command's attempt does."""


class RequestPrincipal(_Model):
    """Who asks, as the producer of the request says."""

    subject: Annotated[Identifier, _default("anonymous")] = "anonymous"
    organisation: Annotated[Identifier, _default("")] = ""
    scopes: Annotated[tuple[Identifier, ...], _default(())] = ()
    verified: Annotated[bool, _default(value=False)] = False


class RequestData(_Model):
    """A request of a client."""

    request_id: BatchId
    kind: RequestKind
    batch_id: BatchId
    principal: Annotated[RequestPrincipal, _default({})] = RequestPrincipal()
    body: Annotated[dict[str, Any], _default({})] = {}


Data = TypeVar("Data")


class Envelope(_Model, Generic[Data]):
    """The peers' envelope around `data`."""

    event_id: UUID | None = None
    event_type: Annotated[str, _default("")] = ""
    """Information, kept in the origin: the topic alone says what a record is."""
    event_timestamp: datetime | None = None
    source_service: str
    correlation_id: UUID | None = None
    data: Data


ready = TypeAdapter(Envelope[ReadyData])
provisioned = TypeAdapter(Envelope[ProvisionedData])
validation_errors = TypeAdapter(Envelope[ValidationErrorsData])
outcome = TypeAdapter(Envelope[OutcomeData])
request = TypeAdapter(Envelope[RequestData])
