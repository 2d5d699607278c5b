"""The body of a registration, in the seed's and in the head era's form, normalised into one batch context.

What one era cannot take is settled here, once, by `PEER_ERA` (docs/peer-eras.md). Nothing later looks at the era.
"""

from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple

import rfc8785
from msgspec import Struct
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from schemas.errors import EraGap, InvalidRequest
from schemas.internal.events import BatchContext, Principal
from schemas.internal.pipeline import PipelineDefinition, Pipelines
from schemas.json_bounds import MAX_DEPTH, nested_too_deep
from schemas.limits import Limits
from schemas.public.canonical_json import canonical_json
from schemas.public.validation_errors import faults, sentence
from schemas.text import NO_CONTROL_CHARACTERS
from schemas.topics import TopicTable

PeerEra = Literal["any", "seed", "head"]

COURSE_CODES = frozenset({"ENG5", "ENG6", "ENG7", "SV1", "SV2", "SV3"})
"""The closed list of the eras after the seed."""
FALLBACK_COURSE = {"sv": "SV1", "en": "ENG5"}
"""Published in place of a code outside the list, by its language."""
FALLBACK_USER = "anonymous"
"""Published where nobody said whose batch it is."""

_MOST_REFERENCES = 100
_MOST_PHASES = 100
_LONGEST_NAME = 64
_SEED_FIELDS = ("class_designation", "teacher_name", "essay_instructions")
_NEXT_STEP = "Correct the request's body and send it again; docs/wire-contract.md, registration, lists its fields."


_CHOSEN_ELSEWHERE = PipelineDefinition(name="", version=0, phases=())


class RegistrationPolicy(Struct, frozen=True, kw_only=True):
    """What the router and the api need to know to accept a registration."""

    pipelines: Pipelines | None
    """The definitions to choose from. None where another process chooses: then names of pipelines and phases pass."""
    peer_era: PeerEra = "any"
    limits: Limits = Limits()
    default_phases: tuple[str, ...] = ()
    """Requested for every batch of the default pipeline, beside those that it always runs."""
    topics: TopicTable = TopicTable()
    """Names of the topics, to tell what a replayed record is."""


class Registration(NamedTuple):
    """A registration as the decision core takes it."""

    context: BatchContext
    expected_essay_count: int
    pipeline: PipelineDefinition
    requested_phases: tuple[str, ...]


def _few(value: Any) -> Any:
    """Refuse a map of very many entries at once: each could be a fault to tell."""
    if isinstance(value, dict) and len(value) > _MOST_REFERENCES:
        raise ValueError(f"has {len(value)} entries; the limit is {_MOST_REFERENCES}")
    return value


class StorageReference(BaseModel):
    """Where stored text lies, by content type (head era)."""

    references: dict[
        Literal[
            "original_essay",
            "corrected_text",
            "processing_log",
            "nlp_metrics_json",
            "student_facing_ai_feedback_text",
            "ai_editor_revision_text",
            "ai_detailed_analysis_json",
            "grammar_analysis_json",
            "cj_results_json",
            "raw_upload_blob",
            "extracted_plaintext",
            "student_prompt_text",
        ],
        Annotated[dict[str, str], BeforeValidator(_few)],
    ] = Field(default_factory=dict)

    _check_references = field_validator("references", mode="before")(_few)


def _blank_as_none(value: Any) -> Any:
    return None if value == "" else value


Identifier = Annotated[str, Field(pattern=NO_CONTROL_CHARACTERS)]
_DefinedName = Annotated[Identifier, Field(min_length=1, max_length=_LONGEST_NAME)]
"""Name of a pipeline or a phase."""


class _Common(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    expected_essay_count: int = Field(gt=0)
    essay_ids: Annotated[list[Identifier], Field(fail_fast=True)] | None = Field(default=None, min_length=1)
    """Counted, then discarded: the product hands out the ids."""
    course_code: Identifier
    enable_cj_assessment: Annotated[bool, BeforeValidator(lambda value: False if value is None else value)] = False
    cj_default_llm_model: str | None = None
    cj_default_temperature: float | None = Field(default=None, ge=0, le=2)
    org_id: Identifier | None = None
    class_id: Annotated[Identifier | None, BeforeValidator(_blank_as_none)] = None
    student_prompt_ref: StorageReference | None = None
    assignment_id: Annotated[Identifier | None, Field(max_length=100)] = None
    pipeline: Annotated[_DefinedName | None, BeforeValidator(_blank_as_none)] = None
    """Name of the pipeline; none: the default one."""
    phases: Annotated[list[_DefinedName], Field(fail_fast=True)] | None = Field(default=None, max_length=_MOST_PHASES)
    """Phases of the pipeline to run beside those that it always runs and those that a flag asks for."""


class SeedRegistration(_Common):
    """A registration of the seed era; the later fields are taken where they are given."""

    class_designation: str
    teacher_name: str
    essay_instructions: str
    user_id: Annotated[None, BeforeValidator(_blank_as_none)] = None
    """Unknown to the seed, which ignored it; empty, it is nobody's."""


class HeadRegistration(_Common):
    """A registration of the head era; the seed's fields are taken where they are given."""

    user_id: Identifier = Field(min_length=1)
    class_designation: str | None = None
    teacher_name: str | None = None
    essay_instructions: str | None = None


_flag = TypeAdapter(bool).validate_python


def language_of(course_code: str) -> Literal["en", "sv"]:
    """Return the language of a course: `sv` for codes that begin with SV, in any case; `en` for all others."""
    return "sv" if course_code.upper().startswith("SV") else "en"


def fingerprint(body: dict[str, Any]) -> str:
    """Return `1:` and the SHA-256 (hex) of the body in RFC 8785 form.

    Raises `InvalidRequest` for what that form cannot hold: integers beyond 2**53, NaN and infinities, half
    surrogates; and for a body of more than `MAX_DEPTH` levels.
    """
    if nested_too_deep(body):
        raise InvalidRequest(
            f"the body has no canonical form: it is nested more than {MAX_DEPTH} levels deep",
            next_step="Send a flatter body.",
        )
    try:
        return "1:" + sha256(canonical_json(body)).hexdigest()
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise InvalidRequest(
            f"the body has no canonical form: {error}",
            next_step="Keep integers within 2**53, and write larger numbers as strings.",
        ) from error


def idempotency_scope(principal: Principal, body: dict[str, Any]) -> tuple[str, str]:
    """Return (organisation, subject) in whose scope an Idempotency-Key stands.

    An anonymous caller's scope is the user that the body names.
    """
    user_id = body.get("user_id")
    if principal.subject == Principal().subject and isinstance(user_id, str) and user_id:
        return principal.organisation, user_id
    return principal.organisation, principal.subject


def parse_registration(
    body: dict[str, Any], policy: RegistrationPolicy, principal: Principal | None = None
) -> Registration:
    """Return what a registration's body says.

    Raises:
        InvalidRequest: the body breaks its model, or names a pipeline or a phase that there is not.
        EraGap: `policy.peer_era` cannot take what the body says.
    """
    parsed = _validate(body)
    count = parsed.expected_essay_count
    if count > policy.limits.essays:
        raise _invalid(
            "too_many_essays", "expected_essay_count", f"{count} essays; a batch holds at most {policy.limits.essays}"
        )
    if parsed.essay_ids is not None and len(parsed.essay_ids) != count:
        raise _invalid(
            "essay_count_mismatch", "essay_ids", f"{len(parsed.essay_ids)} ids for an expected_essay_count of {count}"
        )
    if policy.peer_era == "head":
        _refuse_era_gaps(parsed)
    context = _context(parsed, policy.peer_era, principal or Principal())
    pipeline = _pipeline(parsed, policy)
    return Registration(context, count, pipeline, _requested_phases(body, parsed, pipeline, policy))


def _validate(body: dict[str, Any]) -> SeedRegistration | HeadRegistration:
    user_id = body.get("user_id")
    seed = (user_id is None and any(name in body for name in _SEED_FIELDS)) or (
        user_id == "" and all(name in body for name in _SEED_FIELDS)
    )
    model: type[SeedRegistration | HeadRegistration] = SeedRegistration if seed else HeadRegistration
    try:
        return model.model_validate(body)
    except ValidationError as error:
        found = faults(error)
        raise InvalidRequest(sentence(found), next_step=_NEXT_STEP, details=found) from error


def _refuse_era_gaps(parsed: SeedRegistration | HeadRegistration) -> None:
    gaps: list[str] = []
    if parsed.course_code not in COURSE_CODES:
        gaps.append(f"course_code {parsed.course_code[:40]!r} is none of {', '.join(sorted(COURSE_CODES))}")
    if parsed.user_id is None:
        gaps.append("user_id is missing")
    if gaps:
        raise EraGap(
            "the peers are of the head era (PEER_ERA=head): " + "; ".join(gaps),
            next_step="Send what the head era knows, or run with PEER_ERA=any, which maps it to a fallback.",
        )


def _context(parsed: SeedRegistration | HeadRegistration, era: PeerEra, principal: Principal) -> BatchContext:
    given = parsed.course_code
    language = language_of(given)
    verbatim = era == "seed" or given in COURSE_CODES
    user_id = parsed.user_id
    if user_id is None and era == "any":
        user_id = principal.subject or FALLBACK_USER
    prompt = parsed.student_prompt_ref
    return BatchContext(
        course_code=given if verbatim else FALLBACK_COURSE[language],
        course_code_given=given,
        language=language,
        enable_cj_assessment=parsed.enable_cj_assessment,
        class_designation=parsed.class_designation,
        teacher_name=parsed.teacher_name,
        essay_instructions=parsed.essay_instructions,
        user_id=user_id,
        org_id=parsed.org_id,
        class_id=parsed.class_id,
        assignment_id=parsed.assignment_id,
        student_prompt_ref=None if prompt is None else prompt.model_dump(),
        cj_default_llm_model=parsed.cj_default_llm_model,
        cj_default_temperature=parsed.cj_default_temperature,
    )


def _pipeline(parsed: SeedRegistration | HeadRegistration, policy: RegistrationPolicy) -> PipelineDefinition:
    if policy.pipelines is None:
        return _CHOSEN_ELSEWHERE
    if parsed.pipeline is None:
        return policy.pipelines.default
    found = policy.pipelines.by_name.get(parsed.pipeline)
    if found is None:
        known = ", ".join(policy.pipelines.by_name)
        raise _invalid("unknown_pipeline", "pipeline", f"{parsed.pipeline!r} is no pipeline here; there are {known}")
    return found


def _requested_phases(
    body: dict[str, Any],
    parsed: SeedRegistration | HeadRegistration,
    pipeline: PipelineDefinition,
    policy: RegistrationPolicy,
) -> tuple[str, ...]:
    if policy.pipelines is None:
        return ()
    named = frozenset(parsed.phases or ())
    names = [phase.name for phase in pipeline.phases]
    unknown = named.difference(names)
    if unknown:
        raise _invalid(
            "unknown_phase",
            "phases",
            f"{', '.join(map(repr, sorted(unknown)))}: not in pipeline {pipeline.name}, which has {', '.join(names)}",
        )
    if pipeline is policy.pipelines.default:
        named = named.union(policy.default_phases)
    return tuple(
        phase.name
        for phase in pipeline.phases
        if phase.when == "" or phase.name in named or _asked(body, parsed, phase.when)
    )


def _asked(body: dict[str, Any], parsed: SeedRegistration | HeadRegistration, flag: str) -> bool:
    if flag == "enable_cj_assessment":
        return parsed.enable_cj_assessment
    try:
        given = body.get(flag)
        return False if given is None else _flag(given)
    except ValidationError as error:
        raise _invalid("bool_parsing", flag, "the flag of a phase is true or false") from error


def _invalid(kind: str, field: str, message: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field}: {message}", next_step=_NEXT_STEP, details=[{"type": kind, "loc": [field], "msg": message}]
    )
