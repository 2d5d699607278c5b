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
from schemas.topics import TopicTable
from state.pipelines.loader import load_pipelines
from tests.contract import strategies as some
from tests.contract.batches import SEED_BODY
from tests.contract.eras import ERAS, faults, models

TOPICS = TopicTable()
EVENT_ID = "5cf33cd4-881a-566c-86f3-c85eec47f87f"
CLAIMS: dict[PeerEra, tuple[str, ...]] = {"any": ERAS, "seed": ("seed",), "head": ("july", "head")}
"""The eras whose models must take what is published, by PEER_ERA."""
COMMAND_MODELS = {
    "spellcheck": "BatchServiceSpellcheckInitiateCommandDataV1",
    "cj_assessment": "BatchServiceCJAssessmentInitiateCommandDataV1",
    "nlp": "BatchServiceNLPInitiateCommandDataV2",
    "ai_feedback": "BatchServiceAIFeedbackInitiateCommandDataV1",
}


def model_of(effect: Effect) -> str:
    match effect:
        case BatchRegistered():
            return "BatchEssaysRegistered"
        case CommandPhase():
            return COMMAND_MODELS[effect.phase]
        case CommandStudentMatching():
            return "BatchServiceStudentMatchingInitiateCommandDataV1"
        case PipelineCompleted():
            return "BatchPipelineCompletedV1"


def some_effect(era: PeerEra) -> st.SearchStrategy[Effect]:
    policy = RegistrationPolicy(pipeline=load_pipelines(), peer_era=era)
    courses = some.later_courses if era == "head" else some.later_courses | some.identifiers
    bodies = some.registration_bodies(courses)
    if era == "head":
        bodies = bodies.filter(lambda body: "user_id" in body)
    return some.effects(bodies.map(lambda body: parse_registration(body, policy, Principal(subject="x")).context))


@pytest.mark.parametrize("era", ["any", "seed", "head"])
def test_every_effect_parses_in_each_era_that_is_claimed(era: PeerEra) -> None:
    @settings(max_examples=300)
    @given(some_effect(era))
    def check(effect: Effect) -> None:
        outgoing = render(effect, TOPICS)
        envelope = json.loads(outgoing.value or b"")
        model = model_of(effect)
        for claimed in CLAIMS[era]:
            if model in models(claimed):
                assert faults(claimed, model, envelope) == []

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
    expected = "batch.pipeline.completed" if isinstance(effect, PipelineCompleted) else outgoing.topic.value
    assert envelope["event_type"] == expected
    assert headers["traceparent"].decode().split("-")[:2] == ["00", effect.trace_id]
    assert envelope["event_timestamp"].endswith("Z")


@settings(max_examples=100)
@given(some_effect("any"))
def test_a_command_names_its_batch_in_both_shapes(effect: Effect) -> None:
    data = json.loads(render(effect, TOPICS).value or b"")["data"]
    if isinstance(effect, CommandPhase | CommandStudentMatching):
        assert data["entity_id"] == data["entity_ref"]["entity_id"] == effect.batch_id
        assert [ref["essay_id"] for ref in data["essays_to_process"]] == [ref.essay_id for ref in effect.essays]
    if isinstance(effect, BatchRegistered):
        assert data["batch_id"] == data["entity_id"] == data["metadata"]["entity"]["entity_id"] == effect.batch_id
        assert data["expected_essay_count"] == len(data["essay_ids"])


@settings(max_examples=100)
@given(some_effect("any"))
def test_the_same_effect_gives_the_same_bytes(effect: Effect) -> None:
    assert render(effect, TOPICS) == render(effect, TopicTable())


@settings(max_examples=50)
@given(some_effect("any"))
def test_under_a_prefix_peers_route_on_the_real_topic(effect: Effect) -> None:
    topics = TopicTable(prefix="school")
    outgoing = render(effect, topics)
    if not isinstance(effect, PipelineCompleted):
        assert dict(outgoing.headers)["event_type"].decode() == topics.name(outgoing.topic)
        assert topics.name(outgoing.topic).startswith("school.")


def test_a_seed_batch_without_a_user_is_anonymous_to_later_peers() -> None:
    policy = RegistrationPolicy(pipeline=load_pipelines(), peer_era="seed")
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
