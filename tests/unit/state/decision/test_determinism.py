"""The same batch and event give the same bytes, whenever and however often they are decided."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid5

import pytest
from msgspec.structs import replace

from schemas import ids
from schemas.errors import NewerRecord, UnreadableRecord
from schemas.internal.codec import encode
from schemas.internal.formats import BATCH
from state.codec import decode_batch, encode_batch
from state.decision.decide import decide
from state.decision.records import history_record, status_record
from tests.unit.state.story import CLASS_CONTEXT, Story, ended, pipeline, registered, started


def eventful() -> Story:
    """Return a story with every kind of event and disposition."""
    story = Story(pipeline(a=(), b=("a",), c=("a",), d=("b", "c")), slots=4, context=CLASS_CONTEXT)
    story.ready([])
    story.register()
    story.register()
    story.invalid(critical=False)
    story.provisioned()
    story.ready()
    story.ready()
    story.outcome("a", failed=story.slots[:1])
    story.outcome("c", failed=story.slots[1:2])
    story.outcome("b", ok=[])
    story.outcome("b", ok=[])
    return story


def transcript() -> bytes:
    """Return the bytes of everything that the eventful story leaves."""
    lines: list[bytes] = []
    for told in eventful().told:
        decision = told.decision
        lines += [encode(effect) for effect in decision.effects]
        lines.append(encode(told.history))
        if decision.batch is not None:
            lines += [encode_batch(decision.batch), encode(status_record(decision.batch))]
    return b"\n".join(lines)


def test_deciding_again_gives_the_same_effects_state_and_history_byte_for_byte() -> None:
    for told in eventful().told:
        again = decide(told.before, told.event)
        assert [encode(effect) for effect in again.effects] == [encode(effect) for effect in told.decision.effects]
        assert encode(history_record(told.before, told.event, again)) == encode(told.history)
        assert (again.batch is None) is (told.decision.batch is None)
        if again.batch is not None and told.decision.batch is not None:
            assert encode_batch(again.batch) == encode_batch(told.decision.batch)


def test_deciding_on_the_stored_bytes_gives_the_same_as_on_the_batch_in_memory() -> None:
    for told in eventful().told:
        stored = None if told.before is None else decode_batch(encode_batch(told.before))
        assert decide(stored, told.event) == told.decision


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    program = (
        "import sys; from tests.unit.state.decision.test_determinism import transcript; "
        "sys.stdout.buffer.write(transcript())"
    )
    root = Path(__file__).parents[4]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        )
        assert done.stdout == transcript()


def test_deciding_leaves_the_batch_it_was_given_as_it_was() -> None:
    for told in eventful().told:
        if told.before is not None:
            before = encode_batch(told.before)
            decide(told.before, told.event)
            assert encode_batch(told.before) == before


def test_effects_carry_the_time_of_the_event_and_no_id_twice() -> None:
    story = eventful()
    for told in story.told:
        assert all(effect.time_ms == told.event.time_ms for effect in told.decision.effects)
    event_ids = [effect.event_id for effect in story.effects]
    assert len(event_ids) == len(set(event_ids))


def test_derived_ids_are_uuid5_of_their_names() -> None:
    assert ids.derived_id("effect\nx") == str(uuid5(ids.NAMESPACE, "effect\nx"))
    story = started()
    (command,) = story.commands("spellcheck")
    assert command.event_id == ids.effect_id(story.batch_id, 100, "command_phase", "spellcheck", 1)
    assert story.slots == tuple(ids.slot_id(story.batch_id, 100, index) for index in range(3))


@pytest.mark.parametrize("story", [registered(), started(), ended()], ids=["registered", "started", "ended"])
def test_a_batch_comes_back_from_its_bytes_as_it_was(story: Story) -> None:
    assert decode_batch(encode_batch(story.batch)) == story.batch


def test_the_stored_bytes_start_with_the_versions_of_this_code_whoever_wrote_the_batch_before() -> None:
    batch = replace(started().batch, writer=0, least_reader=0)
    assert encode_batch(batch).startswith(b'{"writer":%d,"least_reader":%d,' % BATCH[:2])


def test_bytes_that_are_no_batch_are_refused_and_those_of_a_newer_writer_stop_the_reader() -> None:
    with pytest.raises(UnreadableRecord):
        decode_batch(b'{"writer":%d,"least_reader":%d}' % BATCH[:2])
    newer = encode_batch(started().batch).replace(
        b'"least_reader":%d' % BATCH.least_reader, b'"least_reader":%d' % (BATCH.version + 1)
    )
    with pytest.raises(NewerRecord):
        decode_batch(newer)
