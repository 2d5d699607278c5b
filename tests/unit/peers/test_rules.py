"""Each rule has a message that breaks it and is complained of, and a play without faults has no complaint."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peers import topics
from peers.options import ERAS, Era, PeerOptions
from peers.rules import Rule
from tests.unit.peers.orchestrator import (
    BATCH,
    CORRELATION,
    ENTITY,
    ESSAYS,
    LATER,
    NOW,
    Play,
    command,
    completion,
    metadata,
    refs,
    registration,
)

OTHER = "6640e657-cce2-5f44-9df9-ec896f7c48fa"


def ready(play: Play) -> list[dict[str, object]]:
    return refs(play.register())


def spellchecked(play: Play) -> list[dict[str, object]]:
    return play.spellcheck(ready(play))


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("course_code", ["SV1", "ENG5"])
def test_a_right_play_has_no_complaint(era: Era, course_code: str) -> None:
    play = Play(PeerOptions(era=era))
    language = "sv" if course_code == "SV1" else "en"
    essays = refs(play.register(course_code=course_code))
    survivors = refs(play.spellcheck(essays, language=language, course_code=course_code)[-1])
    play.cj(survivors, language=language, course_code=course_code)
    play.complete(completed_phases=["spellcheck", "cj_assessment"])
    report = play.report()
    assert report.complaints == ()
    assert report.ok
    assert report.counts["completed"] == 1


def test_a_right_class_batch_has_no_complaint() -> None:
    play = Play(PeerOptions(era="head"))
    essays = refs(play.register(class_id="class-9A"))
    ready_essays = refs(play.match_students(essays)[-1])
    survivors = refs(play.spellcheck(ready_essays, now=2 * LATER, class_type="REGULAR")[-1])
    play.cj(survivors, now=2.5 * LATER, class_type="REGULAR")
    play.complete(completed_phases=["spellcheck", "cj_assessment"])
    assert play.rules() == []


BREACHES: list[tuple[Rule, Era, Callable[[Play], object]]] = [
    (Rule.NOT_JSON, "seed", lambda play: play.send(topics.REGISTERED, None, value=b"no json")),
    (Rule.NOT_JSON, "seed", lambda play: play.send(topics.REGISTERED, None, value=b"[1]")),
    (Rule.SCHEMA, "seed", lambda play: play.send(topics.REGISTERED, registration(metadata=None))),
    (Rule.SCHEMA, "head", lambda play: play.send(topics.REGISTERED, registration(user_id=None))),
    (Rule.SCHEMA, "july", lambda play: play.send(topics.REGISTERED, registration(course_code="BIO1"))),
    (Rule.SCHEMA, "head", lambda play: play.send(topics.REGISTERED, registration(course_code="BIO1"))),
    (Rule.SCHEMA, "seed", lambda play: play.send(topics.COMPLETED, completion(final_status="done"))),
    (Rule.SCHEMA, "head", lambda play: play.send(topics.REGISTERED, registration(), envelope={"event_id": "7"})),
    (
        Rule.EVENT_TYPE,
        "seed",
        lambda play: play.send(topics.REGISTERED, registration(), envelope={"event_type": "batch.essays.registered"}),
    ),
    (
        Rule.EVENT_TYPE,
        "head",
        lambda play: play.send(topics.COMPLETED, completion(), envelope={"event_type": topics.COMPLETED}),
    ),
    (Rule.EVENT_NAME, "seed", lambda play: play.register(event="batch.essays.ready")),
    (
        Rule.EVENT_NAME,
        "head",
        lambda play: play.spellcheck(ready(play), event_name="batch.cj_assessment.initiate.command"),
    ),
    (Rule.KEY, "seed", lambda play: play.send(topics.REGISTERED, registration(), key=None)),
    (Rule.KEY, "head", lambda play: play.send(topics.REGISTERED, registration(), key=CORRELATION)),
    (Rule.HEADERS, "seed", lambda play: play.send(topics.REGISTERED, registration(), headers={"event_id": None})),
    (Rule.HEADERS, "seed", lambda play: play.send(topics.REGISTERED, registration(), headers={"event_type": b"x"})),
    (Rule.HEADERS, "seed", lambda play: play.send(topics.REGISTERED, registration(), headers={"correlation_id": None})),
    (Rule.HEADERS, "seed", lambda play: play.send(topics.REGISTERED, registration(), headers={"traceparent": None})),
    (
        Rule.HEADERS,
        "seed",
        lambda play: play.send(
            topics.REGISTERED, registration(), headers={"traceparent": b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01"}
        ),
    ),
    (
        Rule.CORRELATION_ID,
        "seed",
        lambda play: play.send(
            topics.REGISTERED, registration(), envelope={"correlation_id": None}, headers={"correlation_id": b"None"}
        ),
    ),
    (Rule.CORRELATION_ID, "head", lambda play: play.send(topics.COMPLETED, completion(correlation_id=OTHER))),
    (
        Rule.CORRELATION_ID,
        "seed",
        lambda play: play.send(
            topics.SPELLCHECK_COMMAND,
            command("batch.spellcheck.initiate.command", ready(play)),
            now=LATER,
            envelope={"correlation_id": OTHER},
        ),
    ),
    (Rule.ENTITY, "seed", lambda play: play.register(metadata=metadata("batch.essays.registered", OTHER))),
    (Rule.ENTITY, "head", lambda play: play.send(topics.REGISTERED, registration() | {"batch_id": OTHER})),
    (Rule.ENTITY, "head", lambda play: play.spellcheck(ready(play), entity_type="essay")),
    (Rule.ENTITY_NULL, "head", lambda play: play.spellcheck(ready(play), entity_id=None)),
    (
        Rule.SAME_ID_OTHER_BYTES,
        "seed",
        lambda play: [
            play.send(topics.REGISTERED, registration(user_id=user), envelope={"event_id": OTHER}) for user in "ab"
        ],
    ),
    (Rule.COUNT, "seed", lambda play: play.register(expected_essay_count=2)),
    (Rule.COUNT, "seed", lambda play: play.register(essay_ids=[])),
    (Rule.COUNT, "seed", lambda play: (ready(play), play.spellcheck([]))),
    (Rule.COUNT, "seed", lambda play: (spellchecked(play), play.complete(failed_essay_count=3))),
    (Rule.DUPLICATE_ESSAY, "seed", lambda play: play.register(essay_ids=[ESSAYS[0], ESSAYS[0]])),
    (Rule.DUPLICATE_ESSAY, "seed", lambda play: play.spellcheck([*(essays := ready(play)), essays[0]])),
    (Rule.LONG_ESSAY_ID, "head", lambda play: play.register(essay_ids=["x" * 37])),
    (Rule.REGISTERED_AGAIN, "seed", lambda play: [play.send(topics.REGISTERED, registration()) for _ in range(2)]),
    (
        Rule.OTHER_SLOTS,
        "seed",
        lambda play: [play.send(topics.REGISTERED, registration(essay_ids=[essay])) for essay in ESSAYS[:2]],
    ),
    (
        Rule.BEFORE_REGISTRATION,
        "seed",
        lambda play: (play.spellcheck([{"essay_id": ESSAYS[0], "text_storage_id": "x"}]), play.register()),
    ),
    (Rule.BEFORE_CAUSE, "seed", lambda play: play.spellcheck(ready(play), now=NOW)),
    (Rule.BEFORE_CAUSE, "head", lambda play: play.spellcheck(ready(play), now=NOW)),
    (Rule.BEFORE_CAUSE, "head", lambda play: play.spellcheck(refs(play.register(class_id="c")), class_type="REGULAR")),
    (
        Rule.BEFORE_CAUSE,
        "head",
        lambda play: play.match_students(refs(play.register(class_id="class-9A")), now=NOW),
    ),
    (
        Rule.BEFORE_CAUSE,
        "seed",
        lambda play: play.cj(refs(play.spellcheck(ready(play))[-1]), now=LATER),
    ),
    (
        Rule.UNKNOWN_ESSAY,
        "seed",
        lambda play: play.spellcheck([*ready(play), {"essay_id": OTHER, "text_storage_id": "x"}]),
    ),
    (Rule.ESSAY_STATE, "seed", lambda play: play.cj(ready(play))),
    (
        Rule.ESSAY_STATE,
        "seed",
        lambda play: (essays := ready(play), play.spellcheck(essays[1:]), play.spellcheck(essays[:2])),
    ),
    (Rule.ESSAYS_LEFT_OUT, "seed", lambda play: play.spellcheck(ready(play)[1:])),
    (
        Rule.UNKNOWN_TEXT,
        "seed",
        lambda play: play.spellcheck([essay | {"text_storage_id": "0" * 32} for essay in ready(play)]),
    ),
    (Rule.OLD_TEXT, "head", lambda play: (essays := ready(play), play.spellcheck(essays), play.cj(essays))),
    (Rule.LANGUAGE, "seed", lambda play: play.spellcheck(ready(play), language="sv-SE")),
    (Rule.LANGUAGE, "head", lambda play: play.spellcheck(ready(play), language="en")),
    (
        Rule.COURSE_CODE,
        "head",
        lambda play: play.cj(refs(play.spellcheck(ready(play))[-1]), course_code="SV2"),
    ),
    (
        Rule.CLASS,
        "head",
        lambda play: play.match_students(refs(play.register(class_id="class-9A")), class_id="class-9B"),
    ),
    (Rule.CLASS, "head", lambda play: play.cj(refs(play.spellcheck(ready(play))[-1]), class_type="REGULAR")),
    (Rule.COMPLETED_AGAIN, "seed", lambda play: (spellchecked(play), play.complete(), play.complete())),
    (Rule.COMPLETED_EARLY, "seed", lambda play: (spellchecked(play), play.complete(now=LATER))),
    (Rule.COMPLETED_EARLY, "seed", lambda play: (ready(play), play.complete())),
    (
        Rule.AFTER_COMPLETION,
        "seed",
        lambda play: (
            survivors := refs(spellchecked(play)[-1]),
            play.complete(),
            play.cj(survivors, now=4 * LATER),
        ),
    ),
    (
        Rule.FINAL_STATUS,
        "seed",
        lambda play: (spellchecked(play), play.complete(final_status="completed_with_failures")),
    ),
    (
        Rule.FINAL_COUNTS,
        "seed",
        lambda play: (spellchecked(play), play.complete(successful_essay_count=5, failed_essay_count=1)),
    ),
    (Rule.COMPLETED_PHASES, "seed", lambda play: (spellchecked(play), play.complete(completed_phases=[]))),
]


@pytest.mark.parametrize(("rule", "era", "breach"), BREACHES)
def test_a_breach_is_complained_of_with_its_coordinates(rule: Rule, era: Era, breach: Callable[[Play], object]) -> None:
    play = Play(PeerOptions(era=era))
    breach(play)
    report = play.report()
    found = [complaint for complaint in report.complaints if complaint.rule is rule]
    assert found, report.complaints
    assert found[-1].text
    assert found[-1].topic.startswith("huleedu.")
    assert (found[-1].partition, found[-1].offset > 0) == (1, True)
    assert not report.ok


def test_every_rule_has_a_breach() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(Rule)


@pytest.mark.parametrize(
    ("era", "code", "language"), [("seed", "BIO1", "en"), ("seed", "", "en"), ("seed", "eng5", "en")]
)
def test_the_seed_takes_any_course_code(era: Era, code: str, language: str) -> None:
    play = Play(PeerOptions(era=era))
    play.spellcheck(refs(play.register(course_code=code)), language=language, course_code=code)
    assert play.rules() == []


def test_a_cancelled_batch_may_end_at_any_time() -> None:
    play = Play()
    play.spellcheck(ready(play))
    play.complete(
        now=LATER,
        final_status="cancelled",
        completed_phases=[],
        successful_essay_count=0,
        failed_essay_count=len(ESSAYS),
    )
    assert play.rules() == []


def test_the_null_entity_moves_the_essays_on_so_that_the_right_command_is_refused() -> None:
    play = Play(PeerOptions(era="head"))
    essays = ready(play)
    assert play.spellcheck(essays, entity_id=None) == []
    assert play.spellcheck(essays) == []
    assert [refused.phase for refused in play.report().refused] == ["spellcheck"]


def test_the_entity_of_another_batch_is_judged_against_the_key() -> None:
    play = Play()
    ready(play)
    data = command("batch.spellcheck.initiate.command", [], entity_ref=ENTITY | {"entity_id": OTHER})
    play.send(topics.SPELLCHECK_COMMAND, data, key=BATCH)
    assert Rule.KEY in play.rules()
    assert play.report().unknown_batches == (OTHER,)
