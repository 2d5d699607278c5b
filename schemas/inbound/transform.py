"""The transform of any input record into a canonical event or a dead letter. The router runs it; a preview asks it."""

import traceback
from collections.abc import Mapping

from schemas.errors import Code, NewerRecord, OlderRecord, OrchestratorError, UnreadableRecord
from schemas.inbound.normalise import normalise, request_id_of
from schemas.internal.dead_letters import FIRST_KEY, WRAPPED, dead_letter, first_coordinates
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.records import inbox_outgoing
from schemas.limits import RECORD_OVERHEAD_BYTES, Limits
from schemas.public.registration import RegistrationPolicy
from schemas.topics import Topic


class RecordTransform:
    """Turns input records into the records to publish; the same input always gives the same output."""

    def __init__(self, policy: RegistrationPolicy, limits: Limits) -> None:
        self._policy = policy
        self._requests = policy.topics.name(Topic.REQUESTS)
        self._inbox_room = limits.inbox_bytes - RECORD_OVERHEAD_BYTES
        self._letter_room = limits.dead_letter_bytes - RECORD_OVERHEAD_BYTES

    def apply(
        self, topic: Topic, at: RecordPosition, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes]
    ) -> OutgoingRecord:
        """Return the inbox record, or the dead letter with the unchanged value."""
        try:
            outgoing = inbox_outgoing(normalise(topic, at, value, headers, self._policy))
        except UnreadableRecord as error:
            return self._dead_letter(topic, at, key, value, headers, error)
        except NewerRecord as error:
            # Only a replayed record can state a newer format, and anybody can write one: it must not stop the router.
            return self._dead_letter(topic, at, key, value, headers, _newer(error))
        except OlderRecord as error:
            return self._dead_letter(topic, at, key, value, headers, error)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  (a defect of this code must not stop the partition)
            return self._dead_letter(topic, at, key, value, headers, _fault(error), trace=traceback.format_exc())
        if outgoing.size > self._inbox_room:
            too_large = _too_large(outgoing.size, self._inbox_room)
            return self._dead_letter(topic, at, key, value, headers, too_large)
        return outgoing

    def crashed(
        self,
        topic: Topic,
        at: RecordPosition,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes],
        *,
        read: bool,
    ) -> OutgoingRecord:
        """Return the dead letter of a record that ends the process; its value is looked into only where `read`."""
        return self._dead_letter(topic, at, key, value, headers, _crashed(), read=read)

    def _dead_letter(
        self,
        topic: Topic,
        at: RecordPosition,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes],
        error: OrchestratorError,
        *,
        trace: str = "",
        read: bool = True,
    ) -> OutgoingRecord:
        first, first_key, wrapped = _first(topic, at, key, headers)
        request_id = getattr(error, "request_id", None)
        if request_id is None and read and first.topic == self._requests and not wrapped:
            request_id = request_id_of(value or b"")
        letter = dead_letter(
            value=value,
            key=first_key,
            first=first,
            code=error.code,
            reason=error.message,
            request_id=request_id,
            traceback=trace,
            wrapped=wrapped,
        )
        if letter.size <= self._letter_room:
            return letter
        return dead_letter(
            value=None,
            key=None,
            first=first,
            code=error.code,
            reason=f"Too large for the dead letter topic, so its key and value are only where it was first read. "
            f"{error.message}",
            request_id=request_id,
            wrapped=wrapped,
        )


def _first(
    topic: Topic, at: RecordPosition, key: bytes | None, headers: Mapping[str, bytes]
) -> tuple[RecordPosition, bytes | None, bool]:
    """Return where the record was first read, so that a replay that fails again gets the same dead letter id."""
    if topic is Topic.REPLAY:
        try:
            return first_coordinates(headers), headers.get(FIRST_KEY), WRAPPED in headers
        except UnreadableRecord:
            pass  # not a replayed dead letter, so its position is that on the replay topic
    return at, key, False


def _fault(error: Exception) -> UnreadableRecord:
    return UnreadableRecord(
        f"the router failed on this record: {type(error).__name__}: {error}",
        code=Code.ROUTER_FAULT,
        next_step="Report the dead letter's traceback; replay it with a version that reads it.",
    )


def _crashed() -> UnreadableRecord:
    return UnreadableRecord(
        "the router has ended each time that it processed this record.",
        code=Code.PROCESS_CRASHED,
        next_step="Look for the crash in the router's log; replay the dead letter with a version that survives it.",
    )


def _newer(error: NewerRecord) -> UnreadableRecord:
    return UnreadableRecord(
        f"the replayed record claims a newer format. {error.message}",
        code=Code.REPLAY_NEWER,
        next_step="If a newer version of the product wrote it, upgrade the router, and replay the dead letter then.",
    )


def _too_large(size: int, room: int) -> UnreadableRecord:
    return UnreadableRecord(
        f"its inbox record has {size} bytes; {room} fit.",
        code=Code.TOO_LARGE,
        next_step="Split the batch, or raise MAX_INBOX_BYTES and the sizes above it.",
    )
