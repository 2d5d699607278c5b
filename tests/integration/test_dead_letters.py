"""What operators do with dead letters, written to a real Kafka, read by the router and kept by the readers."""

import asyncio

from api.kafka_log.record_producer import KafkaRecordLog
from cli.broker import Kafka
from schemas.internal.dead_letters import DISCARDED, Handled, dead_letter, handled_letter, parse_dead_letter
from schemas.internal.dead_letters import replayed_letter as replay
from schemas.internal.outgoing import RecordPosition
from schemas.internal.records import decode_inbox
from schemas.topics import Topic
from tests.integration.processes import Log, RunningProcess, header_map, provisioned, ready_event
from tests.patience import PATIENCE_S


def test_a_replay_is_routed_and_what_was_done_is_kept(kafka: Kafka, tmp_path: object) -> None:
    settings = provisioned(kafka, topic_partitions=1, state_dir=tmp_path)
    first = RecordPosition(settings.topics().name(Topic.ESSAYS_READY), 0, 17, 1_750_000_000_000)
    letter = dead_letter(
        value=ready_event("batch"), key=b"\xff", first=first, code="ORC-ROUTER-FAULT", reason="\u00e5", traceback="t"
    )
    letter_id = letter.key.decode()
    done = Handled(state=DISCARDED, letter_offset=3, letter_time_ms=5, time_ms=7, by="operator", note="\u00e4 note")

    async def write() -> None:
        log = KafkaRecordLog(
            settings.kafka(),
            settings.topics(),
            timeout_s=PATIENCE_S,
            largest_bytes=settings.max_dead_letter_bytes,
            silence_s=PATIENCE_S,
        )
        try:
            await log.append(replay(letter_id, letter.value, letter.headers))
            await log.append(handled_letter(letter_id, letter.value, letter.headers, done))
            await log.append(handled_letter(letter_id, None, letter.headers, done))
        finally:
            await log.close()

    asyncio.run(write())
    with Log(settings, Topic.DEAD_LETTERS) as letters:
        whole, without = letters.read(2)
    read = parse_dead_letter(whole.key(), header_map(whole), whole.value())
    assert (read.dead_letter_id, read.value, read.key, read.first) == (letter_id, letter.value, b"\xff", first)
    assert read.handled == done
    assert (without.value(), without.key()) == (None, letter.key)
    with RunningProcess("router", settings), Log(settings, Topic.INBOX) as inbox:
        [routed] = inbox.read(1)
        record = decode_inbox(routed.value() or b"")
    assert (record.batch_id, record.origin.topic, record.origin.offset) == ("batch", first.topic, 17)
