"""Everything that is published parses under the models of every era that PEER_ERA claims."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect, PipelineCompleted
from schemas.internal.events import Principal
from schemas.outbound.render import render
from schemas.public.registration import PeerEra, RegistrationPolicy, parse_registration
from schemas.topics import PHASE_COMMANDS, TopicTable
from state.pipelines.loader import load_pipelines
from tests.contract import strategies as some
from tests.contract.batches import SEED_BODY
from tests.contract.eras import ERAS, faults, models

TOPICS = TopicTable()
EVENT_ID = "5cf33cd4-881a-566c-86f3-c85eec47f87f"
CLAIMS: dict[PeerEra, tuple[str, ...]] = {"any": ERAS, "seed": ("seed",), "head": ("july", "head")}
"""The eras whose models must take what is published, by PEER_ERA."""
MODELS: dict[str, tuple[type[Effect], str]] = {
    "BatchEssaysRegistered": (BatchRegistered, ""),
    "BatchServiceSpellcheckInitiateCommandDataV1": (CommandPhase, "spellcheck"),
    "BatchServiceCJAssessmentInitiateCommandDataV1": (CommandPhase, "cj_assessment"),
    "BatchServiceNLPInitiateCommandDataV2": (CommandPhase, "nlp"),
    "BatchServiceAIFeedbackInitiateCommandDataV1": (CommandPhase, "ai_feedback"),
    "BatchServiceStudentMatchingInitiateCommandDataV1": (CommandStudentMatching, ""),
    "BatchPipelineCompletedV1": (PipelineCompleted, ""),
}
"""Peers' models of what is published, with the effect that each is made from."""
NOT_MODELLED = {
    "seed": {
        "BatchPipelineCompletedV1",
        "BatchServiceNLPInitiateCommandDataV2",
        "BatchServiceStudentMatchingInitiateCommandDataV1",
    },
    "july": {
        "BatchPipelineCompletedV1",
        "BatchServiceNLPInitiateCommandDataV2",
        "BatchServiceStudentMatchingInitiateCommandDataV1",
    },
    "head": set(),
}
"""What no peer of an era reads."""
JUDGED = [
    (era, claimed, model)
    for era, claims in CLAIMS.items()
    for claimed in claims
    for model in MODELS
    if model not in NOT_MODELLED[claimed]
]


def some_effect(era: PeerEra, model: str = "") -> st.SearchStrategy[Effect]:
    """Effects of batches as `era` takes them: of all kinds, or those of one model."""
    policy = RegistrationPolicy(pipelines=load_pipelines(), peer_era=era)
    courses = some.later_courses if era == "head" else some.later_courses | some.identifiers
    bodies = some.registration_bodies(courses)
    if era == "head":
        bodies = bodies.filter(lambda body: "user_id" in body)
    contexts = bodies.map(lambda body: parse_registration(body, policy, Principal(subject="x")).context)
    if not model:
        return some.effects(contexts)
    kind, phase = MODELS[model]
    return some.effects(contexts, [kind], [phase])


@pytest.mark.parametrize("era", ERAS)
def test_what_is_published_has_a_model_in_each_era_that_reads_it(era: str) -> None:
    assert set(MODELS) - set(models(era)) == NOT_MODELLED[era]
    assert {phase for kind, phase in MODELS.values() if kind is CommandPhase} == set(PHASE_COMMANDS)


@pytest.mark.parametrize(("era", "claimed", "model"), JUDGED)
def test_every_effect_parses_in_each_era_that_is_claimed(era: PeerEra, claimed: str, model: str) -> None:
    @settings(max_examples=25)
    @given(some_effect(era, model))
    def check(effect: Effect) -> None:
        assert faults(claimed, model, json.loads(render(effect, TOPICS).value or b"")) == []

    check()


@settings(max_examples=100)
@given(some_effect("any"))
def test_what_peers_route_and_join_on_agrees_everywhere(effect: Effect) -> None:
    outgoing = render(effect, TOPICS)
    envelope: dict[str, Any] = json.loads(outgoing.value or b"")
    headers = dict(outgoing.headers)
    assert outgoing.key == effect.batch_id.encode()
    assert headers["event_id"].decode() == envelope["event_id"] == effect.event_id
    assert headers["event_type"].decode() == envelope["event_type"]
    assert headers["correlation_id"].decode() == envelope["correlation_id"] == effect.correlation_id
    expected = "batch.pipeline.completed" if isinstance(effect, PipelineCompleted) else outgoing.topic
    assert envelope["event_type"] == expected
    assert headers["traceparent"].decode().split("-")[:2] == ["00", effect.trace_id]
    assert envelope["event_timestamp"].endswith("Z")


@pytest.mark.parametrize("model", [model for model in MODELS if "Command" in model])
def test_a_command_names_its_batch_in_both_shapes(model: str) -> None:
    @settings(max_examples=30)
    @given(some_effect("any", model))
    def check(effect: Effect) -> None:
        assert isinstance(effect, CommandPhase | CommandStudentMatching)
        data = json.loads(render(effect, TOPICS).value or b"")["data"]
        assert data["entity_id"] == data["entity_ref"]["entity_id"] == effect.batch_id
        assert [ref["essay_id"] for ref in data["essays_to_process"]] == [ref.essay_id for ref in effect.essays]

    check()


@settings(max_examples=30)
@given(some_effect("any", "BatchEssaysRegistered"))
def test_a_registration_names_its_batch_in_all_shapes_and_counts_its_essays(effect: Effect) -> None:
    data = json.loads(render(effect, TOPICS).value or b"")["data"]
    assert data["batch_id"] == data["entity_id"] == data["metadata"]["entity"]["entity_id"] == effect.batch_id
    assert data["expected_essay_count"] == len(data["essay_ids"])


@settings(max_examples=50)
@given(some_effect("any"))
def test_under_a_prefix_peers_route_on_the_real_topic(effect: Effect) -> None:
    topics = TopicTable(prefix="school")
    outgoing = render(effect, topics)
    assert topics.name(outgoing.topic).startswith("school.")
    routed = "batch.pipeline.completed" if isinstance(effect, PipelineCompleted) else topics.name(outgoing.topic)
    assert dict(outgoing.headers)["event_type"].decode() == routed


def test_a_seed_batch_without_a_user_is_anonymous_to_later_peers() -> None:
    policy = RegistrationPolicy(pipelines=load_pipelines(), peer_era="seed")
    context = parse_registration(SEED_BODY, policy).context
    effect = BatchRegistered(
        event_id=EVENT_ID,
        batch_id=EVENT_ID,
        time_ms=0,
        correlation_id=EVENT_ID,
        trace_id="ab" * 16,
        context=context,
        essay_ids=("e",),
    )
    envelope = json.loads(render(effect, TOPICS).value or b"")
    assert envelope["data"]["user_id"] == "anonymous"
    assert [faults(era, "BatchEssaysRegistered", envelope) for era in ERAS] == [[], [], []]
