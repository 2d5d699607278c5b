from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from peers import topics
from peers.chance import Chance
from peers.core import PeerCore
from peers.envelope import Send
from peers.options import ERAS, Era, PeerOptions
from peers.schema import SchemaSet
from tests.unit.peers.orchestrator import BATCH, CORRELATION, ESSAYS, LATER, NOW, Play, command, refs, registration

MODELS = {
    topics.READY: "BatchEssaysReady",
    topics.PROVISIONED: "BatchContentProvisioningCompletedV1",
    topics.OUTCOME_SEED: "ELSBatchPhaseOutcomeV1",
    topics.OUTCOME: "ELSBatchPhaseOutcomeV1",
}
HARSH: dict[str, Any] = {
    "validation_failure_rate": 0.2,
    "failed_essay_rate": 0.2,
    "unaccounted_rate": 0.2,
    "repeat_rate": 0.5,
    "reorder_spread": 3.0,
}


def batch_ids(number: int) -> list[str]:
    return [f"0b352314-208c-5ed1-81ba-{n:012d}" for n in range(number)]


def essays_of(batch_id: str, number: int = 10) -> list[str]:
    return [f"{batch_id[-8:]}-essay-{n}" for n in range(number)]


@pytest.mark.parametrize("era", ERAS)
def test_every_event_of_the_peers_fits_the_models_of_their_era(era: Era) -> None:
    play = Play(PeerOptions(era=era, **HARSH))
    for batch_id in batch_ids(20):
        play.register(batch_id=batch_id, essay_ids=essays_of(batch_id))
    play.spellcheck(refs(play.register()))
    schemas = SchemaSet.of_era(era)
    assert len(play.sent) > 30
    for send in play.sent:
        event = json.loads(send.value)
        assert schemas.faults("EventEnvelope", event) == []
        assert event["event_type"] == send.topic
        assert ("metadata" in event) == (era != "seed")
        if send.topic != topics.VALIDATION_ERRORS:
            assert schemas.faults(MODELS[send.topic], event["data"]) == []


def test_the_validation_errors_have_the_shape_of_the_sample() -> None:
    play = Play(PeerOptions(era="head", validation_failure_rate=1.0))
    play.register()
    errors, provisioned = (json.loads(send.value) for send in play.sent)
    assert errors["event_type"] == topics.VALIDATION_ERRORS
    assert errors["data"].keys() == {
        "event",
        "batch_id",
        "failed_essays",
        "error_summary",
        "correlation_id",
        "metadata",
    }
    assert errors["data"]["error_summary"] == {
        "total_errors": 6,
        "error_categories": {"validation": 6},
        "critical_failure": True,
    }
    assert [failed["essay_id"] for failed in errors["data"]["failed_essays"]] == list(ESSAYS)
    assert provisioned["data"]["provisioned_count"] == 0


@pytest.mark.parametrize(("era", "keyed"), [("seed", False), ("july", False), ("head", True)])
def test_keys_follow_the_era_unless_told_otherwise(era: Era, *, keyed: bool) -> None:
    for keyless, expected in ((None, keyed), (True, False), (False, True)):
        play = Play(PeerOptions(era=era, keyless=keyless))
        play.register()
        assert [send.key for send in play.sent] == [BATCH.encode() if expected else None]


@pytest.mark.parametrize(
    ("era", "topic", "status"),
    [
        ("seed", "huleedu.els.batch_phase.outcome.v1", "COMPLETED_SUCCESSFULLY"),
        ("july", "huleedu.els.batch.phase.outcome.v1", "completed_successfully"),
        ("head", "huleedu.els.batch.phase.outcome.v1", "completed_successfully"),
    ],
)
def test_an_outcome_has_the_topic_and_spelling_of_the_era(era: Era, topic: str, status: str) -> None:
    play = Play(PeerOptions(era=era))
    outcome = play.spellcheck(refs(play.register()))[-1]
    assert play.sent[-1].topic == outcome["event_type"] == topic
    assert outcome["data"]["phase_status"] == status
    assert outcome["correlation_id"] == outcome["data"]["correlation_id"] == CORRELATION


@pytest.mark.parametrize("era", ERAS)
def test_only_heads_spellcheck_gives_new_texts_and_metrics(era: Era) -> None:
    play = Play(PeerOptions(era=era))
    ready = refs(play.register())
    originals = {ref["essay_id"]: ref["text_storage_id"] for ref in ready}
    checked = refs(play.spellcheck(ready)[-1])
    changed = {ref["essay_id"] for ref in checked if ref["text_storage_id"] != originals[ref["essay_id"]]}
    assert changed == (set(ESSAYS) if era == "head" else set())
    assert [("spellcheck_metrics" in ref) for ref in checked] == [era == "head"] * len(ESSAYS)
    judged = refs(play.cj(checked)[-1])
    assert {ref["essay_id"]: ref["text_storage_id"] for ref in judged} == originals


def test_text_ids_are_32_hexadecimal_digits_in_random_order() -> None:
    ready = refs(Play().register())
    assert all(len(bytes.fromhex(ref["text_storage_id"])) == 16 for ref in ready)
    assert {ref["essay_id"] for ref in ready} == set(ESSAYS)
    assert [ref["essay_id"] for ref in ready] != list(ESSAYS)


@pytest.mark.parametrize("era", ["seed", "july"])
def test_before_head_the_ready_event_carries_the_validation_failures(era: Era) -> None:
    play = Play(PeerOptions(era=era, validation_failure_rate=0.5))
    data = play.register()["data"]
    assert 0 < len(data["ready_essays"]) < 6
    assert len(data["ready_essays"]) + len(data["validation_failures"]) == data["total_files_processed"] == 6


def test_the_seed_reports_a_batch_without_any_valid_file_as_ready_and_empty() -> None:
    data = Play(PeerOptions(validation_failure_rate=1.0)).register()["data"]
    assert data["ready_essays"] == []
    assert len(data["validation_failures"]) == 6


def test_a_guest_batch_at_head_gets_no_ready_event() -> None:
    play = Play(PeerOptions(era="head"))
    play.register()
    assert [send.topic for send in play.sent] == [topics.PROVISIONED]


def test_a_class_batch_gets_its_ready_event_on_the_matching_command_once() -> None:
    play = Play(PeerOptions(era="head"))
    essays = refs(play.register(class_id="class-9A"))
    [ready] = play.match_students(essays)
    assert ready["event_type"] == topics.READY
    assert ready["data"]["class_type"] == "REGULAR"
    assert play.match_students(essays, now=LATER + 1) == []


def test_a_class_batch_can_get_its_ready_event_on_the_associations_alone() -> None:
    play = Play(PeerOptions(era="head", class_batches="associations"))
    assert play.register(class_id="class-9A")["event_type"] == topics.READY
    assert [send.topic for send in play.sent] == [topics.PROVISIONED, topics.READY]
    assert play.match_students(refs(json.loads(play.sent[0].value))) == []


def test_class_batches_can_stay_unanswered() -> None:
    play = Play(PeerOptions(era="head", class_batches="never"))
    essays = refs(play.register(class_id="class-9A"))
    assert play.match_students(essays) == []


@pytest.mark.parametrize("era", ["seed", "july"])
def test_before_head_a_class_is_of_no_interest(era: Era) -> None:
    assert Play(PeerOptions(era=era)).register(class_id="class-9A")["event_type"] == topics.READY


@pytest.mark.parametrize(
    ("era", "topic", "name", "phase"),
    [
        ("seed", topics.NLP_COMMAND_V1, "batch.nlp.initiate.command", "nlp"),
        ("head", topics.NLP_COMMAND_V2, "batch.nlp.initiate.command.v2", "nlp"),
        ("seed", topics.AI_FEEDBACK_COMMAND, "batch.ai_feedback.initiate.command", "ai_feedback"),
        ("head", topics.AI_FEEDBACK_COMMAND, "batch.ai_feedback.initiate.command", "ai_feedback"),
    ],
)
def test_further_phases_are_answered_after_spellcheck(era: Era, topic: str, name: str, phase: str) -> None:
    play = Play(PeerOptions(era=era))
    survivors = refs(play.spellcheck(refs(play.register()))[-1])
    [outcome] = play.send(topic, command(name, survivors), now=2 * LATER)
    assert outcome["data"]["phase_name"] == phase
    assert play.rules() == []


def test_a_phase_that_fails_wholly_names_every_essay_and_ends_the_batch() -> None:
    play = Play(PeerOptions(critical_rate=1.0))
    outcome = play.spellcheck(refs(play.register()))[-1]
    assert outcome["data"]["phase_status"] == "FAILED_CRITICALLY"
    assert outcome["data"]["processed_essays"] == []
    assert sorted(outcome["data"]["failed_essay_ids"]) == sorted(ESSAYS)
    play.complete(final_status="failed_critically", completed_phases=[], successful_essay_count=0, failed_essay_count=6)
    assert play.rules() == []


def test_failed_and_unaccounted_essays_are_expected_as_such() -> None:
    play = Play(PeerOptions(seed=3, failed_essay_rate=0.3, unaccounted_rate=0.3))
    data = play.spellcheck(refs(play.register()))[-1]["data"]
    phase = play.report().expected[BATCH].phases["spellcheck"]
    assert set(phase.failed_essay_ids) == set(data["failed_essay_ids"]) != set()
    assert phase.succeeded == len(data["processed_essays"]) > 0
    named = {*data["failed_essay_ids"], *(ref["essay_id"] for ref in data["processed_essays"])}
    assert set(phase.unaccounted_essay_ids) == set(ESSAYS) - named != set()
    expected = play.report().expected[BATCH]
    assert expected.final_status == "completed_with_failures"
    assert (expected.successful_essay_count, expected.failed_essay_count) == (phase.succeeded, phase.failed)


def test_a_dependant_that_fails_wholly_leaves_a_batch_with_failures() -> None:
    seed = next(
        seed for seed in range(100) if not _fails_wholly(seed, "spellcheck") and _fails_wholly(seed, "cj_assessment")
    )
    play = Play(PeerOptions(seed=seed, critical_rate=0.5))
    play.cj(refs(play.spellcheck(refs(play.register()))[-1]))
    expected = play.report().expected[BATCH]
    assert expected.final_status == "completed_with_failures"
    assert expected.completed_phases == ("spellcheck",)
    assert (expected.successful_essay_count, expected.failed_essay_count) == (0, 6)


def _fails_wholly(seed: int, phase: str) -> bool:
    return Chance(seed, BATCH).stream(f"phase:{phase}").random() < 0.5


def test_nothing_is_expected_while_an_answer_is_to_come() -> None:
    play = Play()
    essays = refs(play.register())
    assert play.report(NOW).expected[BATCH].final_status is None
    assert play.report(LATER).expected[BATCH].final_status is None
    play.spellcheck(essays)
    assert play.report(LATER).expected[BATCH].final_status is None
    assert play.report(2 * LATER).expected[BATCH].final_status == "completed_successfully"


def test_a_second_command_is_refused_in_silence_and_counted() -> None:
    play = Play()
    essays = refs(play.register())
    assert len(play.spellcheck(essays)) == 1
    assert play.spellcheck(essays, now=2 * LATER) == []
    report = play.report()
    assert report.complaints == ()
    [refused] = report.refused
    assert (refused.batch_id, refused.phase, refused.partition, refused.offset) == (BATCH, "spellcheck", 1, 3)
    assert report.counts["commands_refused"] == 1


def test_the_same_bytes_twice_are_taken_once() -> None:
    play = Play()
    for _ in range(2):
        play.send(topics.REGISTERED, registration(), envelope={"event_id": CORRELATION})
    assert len(play.sent) == 1
    report = play.report()
    assert (report.counts["repeated_identical"], report.complaints) == (1, ())


def test_a_message_that_cannot_be_routed_is_not_answered() -> None:
    play = Play()
    assert play.send(topics.REGISTERED, registration(), envelope={"event_type": "batch.essays.registered"}) == []
    assert play.report().expected == {}


def test_batches_of_before_the_start_are_reported_without_complaint() -> None:
    play = Play()
    assert play.spellcheck([{"essay_id": ESSAYS[0], "text_storage_id": "x"}]) == []
    report = play.report()
    assert report.unknown_batches == (BATCH,)
    assert report.complaints == ()


def test_what_was_there_before_the_start_is_answered_in_any_order_between_topics() -> None:
    first = Play()
    essays = refs(first.register())
    play = Play()
    data = command("batch.spellcheck.initiate.command", essays)
    assert play.send(topics.SPELLCHECK_COMMAND, data, replayed=True) == []
    answers = play.send(topics.REGISTERED, registration(), replayed=True)
    assert {answer["event_type"] for answer in answers} == {topics.READY, topics.OUTCOME_SEED}
    assert play.report().complaints == ()


@pytest.mark.parametrize("era", ERAS)
def test_what_comes_of_a_batch_does_not_depend_on_the_order_of_arrival(era: Era) -> None:
    def sends(order: list[str]) -> dict[str, list[Send]]:
        play = Play(PeerOptions(era=era, seed=7, **HARSH))
        by_batch = {}
        for batch_id in order:
            play.sent = []
            play.register(batch_id=batch_id, essay_ids=essays_of(batch_id))
            by_batch[batch_id] = play.sent
        return by_batch

    ids = batch_ids(10)
    assert sends(ids) == sends(ids[::-1])


def test_another_seed_plays_another_play() -> None:
    first, second = (Play(PeerOptions(seed=seed)).register()["data"]["ready_essays"] for seed in (1, 2))
    assert first != second


def test_the_verdict_on_an_essay_does_not_depend_on_the_others_in_the_command() -> None:
    options = PeerOptions(seed=5, failed_essay_rate=0.5)
    whole, part = Play(options), Play(options)
    failed = set(whole.spellcheck(refs(whole.register()))[-1]["data"]["failed_essay_ids"])
    essays = refs(part.register())[:3]
    named = {essay["essay_id"] for essay in essays}
    assert set(part.spellcheck(essays)[-1]["data"]["failed_essay_ids"]) == failed & named


def test_repeats_come_later_and_only_ready_and_cj_events_under_new_ids() -> None:
    play = Play(PeerOptions(repeat_rate=1.0))
    for batch_id in batch_ids(40):
        play.register(batch_id=batch_id, essay_ids=essays_of(batch_id))
    ready = refs(play.register())
    play.cj(refs(play.spellcheck(ready)[0]))
    pairs = list(zip(play.sent[::2], play.sent[1::2], strict=True))
    assert len(pairs) == 43
    assert all(genuine.at <= repeat.at <= genuine.at + 2.0 for genuine, repeat in pairs)
    renewed: Counter[tuple[str, bool]] = Counter()
    for genuine, repeat in pairs:
        first, second = json.loads(genuine.value), json.loads(repeat.value)
        assert first["data"] == second["data"]
        renewed[genuine.topic, first["event_id"] != second["event_id"]] += 1
    assert renewed[topics.READY, True] > 0
    assert renewed[topics.READY, False] > 0
    assert _spellcheck_repeats_are_identical(pairs)


def _spellcheck_repeats_are_identical(pairs: list[tuple[Send, Send]]) -> bool:
    return all(
        genuine.value == repeat.value for genuine, repeat in pairs if b'"phase_name":"spellcheck"' in genuine.value
    )


def test_answers_keep_to_the_latency_and_the_reorder_spread() -> None:
    play = Play(PeerOptions(latency=(1.0, 2.0), reorder_spread=3.0))
    for batch_id in batch_ids(50):
        play.register(batch_id=batch_id, essay_ids=essays_of(batch_id))
    delays = [send.at - NOW for send in play.sent]
    assert all(1.0 <= delay <= 5.0 for delay in delays)
    assert max(delays) > 2.0
    assert delays != sorted(delays)


def test_topics_follow_the_prefix() -> None:
    core = PeerCore(PeerOptions(topic_prefix="school"))
    assert len(core.topics) > 3
    assert all(topic.startswith("school.") for topic in core.topics)


@pytest.mark.parametrize(
    ("era", "reads_matching", "reads_nlp_v2"), [("seed", False, False), ("july", False, False), ("head", True, True)]
)
def test_an_era_reads_the_topics_that_it_has_models_for(era: Era, *, reads_matching: bool, reads_nlp_v2: bool) -> None:
    read = PeerCore(PeerOptions(era=era)).topics
    assert (topics.STUDENT_MATCHING_COMMAND in read) == reads_matching
    assert (topics.NLP_COMMAND_V2 in read) == reads_nlp_v2
    assert topics.COMPLETED in read


def test_a_silent_peer_answers_no_command_and_lets_the_batch_fail() -> None:
    play = Play(PeerOptions(silent=True))
    ready = play.register()
    assert play.spellcheck(refs(ready)) == []
    expected = play.report().expected[BATCH]
    assert expected.final_status == "failed_critically"
    assert set(expected.phases["spellcheck"].unaccounted_essay_ids) == set(ESSAYS)
    play.complete(
        final_status="failed_critically",
        completed_phases=[],
        successful_essay_count=0,
        failed_essay_count=len(ESSAYS),
    )
    assert play.report().complaints == ()
