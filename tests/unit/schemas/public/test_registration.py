"""What a registration's body may say, and what PEER_ERA makes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.errors import EraGap, InvalidRequest
from schemas.ids import keyed_batch_id
from schemas.internal.events import Principal
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition, Pipelines
from schemas.public.registration import (
    PeerEra,
    Registration,
    RegistrationPolicy,
    fingerprint,
    idempotency_scope,
    language_of,
    parse_registration,
)
from state.pipelines.loader import load_pipelines

POLICY = RegistrationPolicy(pipelines=load_pipelines())
SEED: dict[str, Any] = {
    "expected_essay_count": 3,
    "course_code": "SV1",
    "class_designation": "Class 9A",
    "teacher_name": "Ms Berg",
    "essay_instructions": "Argue.",
}
HEAD: dict[str, Any] = {"expected_essay_count": 3, "course_code": "SV1", "user_id": "teacher-001"}
PROMPT = {"references": {"student_prompt_text": {"storage_id": "s", "path": ""}}}


def parse(body: dict[str, Any], era: PeerEra = "any", principal: Principal | None = None, **more: Any) -> Registration:
    return parse_registration({**body, **more}, replace(POLICY, peer_era=era), principal)


def fields_refused(body: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidRequest) as refused:
        parse(body)
    assert not isinstance(refused.value, EraGap)
    return [str(fault["loc"][0]) for fault in refused.value.details]


def test_a_seed_body() -> None:
    context = parse(SEED).context
    assert (context.class_designation, context.teacher_name, context.essay_instructions) == (
        "Class 9A",
        "Ms Berg",
        "Argue.",
    )


def test_a_head_body() -> None:
    context = parse(HEAD, org_id="o", class_id="c", assignment_id="a" * 100, student_prompt_ref=PROMPT).context
    assert (context.user_id, context.org_id, context.class_id) == ("teacher-001", "o", "c")
    assert context.student_prompt_ref == PROMPT


def test_a_body_of_both_eras_keeps_both() -> None:
    context = parse({**SEED, **HEAD}).context
    assert (context.user_id, context.teacher_name) == ("teacher-001", "Ms Berg")


@pytest.mark.parametrize("class_id", [None, ""])
def test_no_class_is_a_guest_batch(class_id: str | None) -> None:
    assert parse(HEAD, class_id=class_id).context.class_id is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expected_essay_count": 0}, "expected_essay_count"),
        ({"expected_essay_count": -1}, "expected_essay_count"),
        ({"expected_essay_count": "three"}, "expected_essay_count"),
        ({"expected_essay_count": 2.5}, "expected_essay_count"),
        ({"expected_essay_count": 5_001}, "expected_essay_count"),
        ({"essay_ids": []}, "essay_ids"),
        ({"essay_ids": ["a", "b"]}, "essay_ids"),
        ({"course_code": None}, "course_code"),
        ({"cj_default_temperature": 2.1}, "cj_default_temperature"),
        ({"cj_default_temperature": float("nan")}, "cj_default_temperature"),
        ({"assignment_id": "a" * 101}, "assignment_id"),
        ({"student_prompt_ref": {"references": {"no such type": {}}}}, "student_prompt_ref"),
        ({"user_id": ""}, "user_id"),
        ({"enable_cj_assessment": "perhaps"}, "enable_cj_assessment"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    assert field in fields_refused({**HEAD, **change})


def test_an_empty_user_in_the_seeds_form_is_ignored_as_the_seed_did() -> None:
    assert parse({**SEED, "user_id": ""}) == parse(SEED)
    assert fields_refused({**SEED, "user_id": "", "teacher_name": None}) == ["teacher_name"]
    incomplete = {key: value for key, value in SEED.items() if key != "teacher_name"}
    assert fields_refused({**incomplete, "user_id": ""}) == ["user_id"]


def test_too_many_essays_are_refused_with_the_limit() -> None:
    with pytest.raises(InvalidRequest, match="at most 5000"):
        parse(HEAD, expected_essay_count=5_001)


def test_an_incomplete_seed_body_is_told_what_is_missing() -> None:
    assert fields_refused({"expected_essay_count": 3, "course_code": "SV1", "teacher_name": "x"}) == [
        "class_designation",
        "essay_instructions",
    ]


def test_a_body_of_no_era_is_told_of_the_later_one() -> None:
    assert fields_refused({"expected_essay_count": 3, "course_code": "SV1"}) == ["user_id"]


def test_ids_of_the_client_are_counted_and_discarded() -> None:
    assert parse(HEAD, essay_ids=["a", "b", "c"]) == parse(HEAD)


@pytest.mark.parametrize(
    ("code", "language"), [("SV1", "sv"), ("sv2", "sv"), ("Svenska", "sv"), ("ENG5", "en"), ("CS101", "en"), ("", "en")]
)
def test_the_language_follows_the_course(code: str, language: str) -> None:
    assert language_of(code) == language


@pytest.mark.parametrize(
    ("given_code", "era", "published"),
    [
        ("CS101", "any", "ENG5"),
        ("", "any", "ENG5"),
        ("sv9", "any", "SV1"),
        ("SV2", "any", "SV2"),
        ("CS101", "seed", "CS101"),
        ("SV2", "head", "SV2"),
    ],
)
def test_a_course_outside_the_list_has_a_fallback_and_is_kept(given_code: str, era: PeerEra, published: str) -> None:
    context = parse({**HEAD, "course_code": given_code}, era).context
    assert (context.course_code, context.course_code_given) == (published, given_code)


@pytest.mark.parametrize("body", [SEED, {**HEAD, "course_code": "CS101"}, {**SEED, "user_id": None}])
def test_the_head_era_refuses_what_it_cannot_take(body: dict[str, Any]) -> None:
    with pytest.raises(EraGap, match="PEER_ERA"):
        parse(body, "head")


@pytest.mark.parametrize(
    ("era", "principal", "user_id"),
    [
        ("any", None, "anonymous"),
        ("any", Principal(subject="teacher-7"), "teacher-7"),
        ("seed", Principal(subject="teacher-7"), None),
    ],
)
def test_a_missing_user(era: PeerEra, principal: Principal | None, user_id: str | None) -> None:
    assert parse(SEED, era, principal).context.user_id == user_id


# ------------------------------------------------------------------------------------------ phases


def test_the_assessment_is_requested_by_its_flag() -> None:
    assert parse(SEED).requested_phases == ("spellcheck",)
    assert parse(HEAD, enable_cj_assessment=True).requested_phases == ("spellcheck", "cj_assessment")


def test_default_phases_are_requested_for_every_batch() -> None:
    policy = replace(POLICY, default_phases=("cj_assessment",))
    assert parse_registration(SEED, policy).requested_phases == ("spellcheck", "cj_assessment")


def test_a_phase_can_have_a_flag_of_its_own() -> None:
    phases = (PhaseDefinition(name="spellcheck"), PhaseDefinition(name="nlp", when="enable_nlp"))
    policy = replace(POLICY, pipelines=Pipelines.only(PipelineDefinition(name="p", version=1, phases=phases)))
    assert parse_registration(SEED, policy).requested_phases == ("spellcheck",)
    assert parse_registration({**SEED, "enable_nlp": True}, policy).requested_phases == ("spellcheck", "nlp")
    with pytest.raises(InvalidRequest, match="enable_nlp"):
        parse_registration({**SEED, "enable_nlp": "perhaps"}, policy)


def two_pipelines() -> RegistrationPolicy:
    essays = PipelineDefinition(
        name="essays",
        version=3,
        phases=(PhaseDefinition(name="grammar", payload="generic"), PhaseDefinition(name="nlp", when="enable_nlp")),
    )
    assert POLICY.pipelines is not None
    known = {**POLICY.pipelines.by_name, "essays": essays}
    pipelines = Pipelines(by_name=known, default_name="default")
    return replace(POLICY, pipelines=pipelines, default_phases=("cj_assessment",))


@pytest.mark.parametrize("body", [SEED, HEAD])
def test_a_registration_may_name_its_pipeline(body: dict[str, Any]) -> None:
    found = parse_registration({**body, "pipeline": "essays"}, two_pipelines())
    assert (found.pipeline.name, found.pipeline.version) == ("essays", 3)
    assert found.requested_phases == ("grammar",), "the phases of DEFAULT_PHASES belong to the default pipeline"


@pytest.mark.parametrize("name", [None, "", "default"])
def test_without_a_name_it_gets_the_default_pipeline(name: str | None) -> None:
    found = parse_registration({**SEED, "pipeline": name}, two_pipelines())
    assert found.pipeline.name == "default"
    assert found.requested_phases == ("spellcheck", "cj_assessment")


def test_a_registration_may_name_phases() -> None:
    policy = two_pipelines()
    body = {**SEED, "pipeline": "essays", "phases": ["nlp", "grammar", "nlp"]}
    assert parse_registration(body, policy).requested_phases == ("grammar", "nlp")
    assert parse_registration({**SEED, "phases": []}, POLICY).requested_phases == ("spellcheck",)
    assert parse_registration({**SEED, "phases": None}, POLICY).requested_phases == ("spellcheck",)


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"pipeline": "essay"}, "'essay' is no pipeline here; there are default, comprehensive, essays"),
        ({"pipeline": "essays", "phases": ["spellcheck"]}, "not in pipeline essays, which has grammar, nlp"),
        ({"pipeline": 7}, "pipeline: Input should be a valid string"),
        ({"phases": "nlp"}, "phases: Input should be a valid list"),
        ({"phases": [""]}, "at least 1 character"),
    ],
)
def test_an_unknown_pipeline_or_phase_is_refused_with_the_known_ones(fields: dict[str, Any], known: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_registration({**SEED, **fields}, two_pipelines())
    assert known in refused.value.message
    assert refused.value.details[0]["loc"][0] in fields


def test_where_another_process_chooses_names_pass() -> None:
    policy = replace(POLICY, pipelines=None)
    assert parse_registration({**SEED, "pipeline": "any", "phases": ["any"]}, policy).requested_phases == ()


# ------------------------------------------------------------------------------ repeats and scopes


@given(st.dictionaries(st.text(max_size=5), st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5), max_size=5))
def test_the_fingerprint_is_blind_to_order(body: dict[str, Any]) -> None:
    assert fingerprint(body) == fingerprint(dict(reversed(body.items())))


def test_the_fingerprint_has_a_version_and_tells_bodies_apart() -> None:
    assert fingerprint({}) == "1:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert fingerprint({"n": 1}) == fingerprint({"n": 1.0})
    assert fingerprint({"n": 1}) != fingerprint({"n": "1"})


@pytest.mark.parametrize("value", [2**53 + 1, float("nan"), float("inf"), "\ud800"])
def test_what_has_no_canonical_form_is_a_clear_error(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="canonical form"):
        fingerprint({"x": value})


@pytest.mark.parametrize(
    ("principal", "body", "scope"),
    [
        (Principal(), HEAD, ("", "teacher-001")),
        (Principal(), SEED, ("", "anonymous")),
        (Principal(), {"user_id": 7}, ("", "anonymous")),
        (Principal(subject="s", organisation="o"), HEAD, ("o", "s")),
    ],
)
def test_the_scope_of_a_key(principal: Principal, body: dict[str, Any], scope: tuple[str, str]) -> None:
    assert idempotency_scope(principal, body) == scope
    assert keyed_batch_id(*scope, "key") != keyed_batch_id(*scope, "other")
