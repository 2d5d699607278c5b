"""What peers and clients send, in every era at once.

Each model asks for what all eras have in common and takes what single eras add; unknown fields are ignored, and
validation is as lax as the original's. The eras' own shapes: docs/wire-contract.md, seed topics.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from schemas.public.requests import RequestKind

MAX_BATCH_ID = 255
MAX_REASON = 500


class Ref(TypedDict):
    """An essay and its text. A typed dictionary: a batch has many, and these are cheap."""

    essay_id: str
    text_storage_id: str
    spellcheck_metrics: NotRequired[dict[str, Any] | None]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


BatchId = Annotated[str, Field(min_length=1, max_length=MAX_BATCH_ID)]


class FailedFile(_Model):
    """A file that failed validation, as the seed and July embed it in the ready event."""

    original_file_name: str
    validation_error_code: str
    validation_error_message: str


class ReadyData(_Model):
    """Essays are ready to be processed."""

    batch_id: BatchId
    ready_essays: list[Ref]
    validation_failures: list[FailedFile] | None = None


class ProvisionedData(_Model):
    """All content has arrived (head)."""

    batch_id: BatchId
    essays_for_processing: list[Ref]


class _ErrorDetail(_Model):
    error_code: str
    message: str


class _FailedEssay(_Model):
    essay_id: str
    file_name: str
    error_detail: _ErrorDetail


class _ErrorSummary(_Model):
    total_errors: Annotated[int, Field(ge=0, le=2**31)]
    critical_failure: bool = False


class ValidationErrorsData(_Model):
    """Files of the batch failed validation (head)."""

    batch_id: BatchId
    failed_essays: list[_FailedEssay]
    error_summary: _ErrorSummary


class OutcomeData(_Model):
    """A peer's outcome of a phase. Both spellings of the status."""

    batch_id: BatchId
    phase_name: Annotated[str, Field(min_length=1)]
    phase_status: str
    processed_essays: list[Ref]
    failed_essay_ids: list[str]
    correlation_id: UUID | None = None
    attempt: Annotated[int | None, Field(ge=1, le=2**31)] = None
    """No peer of HuleEdu sends it; one that echoes its command's attempt does."""


class RequestPrincipal(_Model):
    """Who asks, as the producer of the request says."""

    subject: str = "anonymous"
    organisation: str = ""
    scopes: tuple[str, ...] = ()
    verified: bool = False


class RequestData(_Model):
    """A request of a client."""

    request_id: Annotated[str, Field(min_length=1, max_length=MAX_BATCH_ID)]
    kind: RequestKind
    batch_id: BatchId
    principal: Annotated[RequestPrincipal, BeforeValidator(lambda value: {} if value is None else value)] = (
        RequestPrincipal()
    )
    body: dict[str, Any]


class ControlBody(_Model):
    """Body of a request to cancel, pause or resume a batch."""

    reason: Annotated[str, Field(max_length=MAX_REASON)] = ""


class RetryBody(ControlBody):
    """Body of a request to run a phase again."""

    phase: Annotated[str, Field(min_length=1)]
    essays: Literal["all", "failed"] = "failed"


Data = TypeVar("Data")


class Envelope(_Model, Generic[Data]):
    """The peers' envelope around `data`."""

    event_id: UUID | None = None
    event_type: str
    event_timestamp: datetime | None = None
    source_service: str
    schema_version: int = 1
    correlation_id: UUID | None = None
    data: Data


ready = TypeAdapter(Envelope[ReadyData])
provisioned = TypeAdapter(Envelope[ProvisionedData])
validation_errors = TypeAdapter(Envelope[ValidationErrorsData])
outcome = TypeAdapter(Envelope[OutcomeData])
request = TypeAdapter(Envelope[RequestData])
