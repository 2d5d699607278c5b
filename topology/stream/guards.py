"""The guards that keep the state correct where the stream library alone does not.

Under exactly-once the library commits outputs, changelog and input offsets in one transaction. In three
cases it still goes on with wrong state, and reports nothing. Each guard covers one of them; all of them end the process
instead of repairing anything, because a restart recovers from what is committed.

H1, a lost partition (`StreamApplication` calls `leave` in its `_on_lost`). A process that was paused for longer than
its session loses its partitions, but the library keeps the open checkpoint and commits it after rejoining, under the
new generation: everything in it is then done twice. A process that has lost a partition ends at once.

H2, a changelog that is not yet stable (`wait_until_stable`). With several brokers, committed offsets can be visible
before the changelog's commit marker. Recovery reads up to the last stable offset, so it would miss the last
checkpoint. At assignment the process waits until the last stable offset has reached the end that the log has then. A
transaction of its own that hangs would be waited for in vain, so it ends that one (`topology.stream.hanging`).

H3, forgotten offsets (`claim_offsets`, `require_newer`). Kafka forgets the offsets of a group that was empty for seven
days. Recovery then skips every changelog record, and what the inbox still holds would be decided again on empty
state. An assignment without committed offsets is accepted only where the changelog is empty, and is claimed with a
commit at once, so that from then on missing offsets mean lost ones. And no record may change a batch that has already
seen a later one.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from confluent_kafka import TopicPartition

from runtime.kafka.admin import ClusterFacts, Partition
from schemas.errors import Code, StateError, TopicError

STABLE_WAIT_S = 45.0
"""Seconds to wait for an open transaction on a changelog: its timeout, the broker's next check, and a margin."""
STABLE_POLL_S = 0.05
HANGING_S = 3.0
"""Seconds after which a transaction may be an own one that hangs: a start ends what the process had left open."""

_logger = structlog.get_logger(__name__)


class GroupMember(Protocol):
    """The methods of the library's consumer that the guards use."""

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Return the partitions with the offsets that the group has committed."""

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        """Commit offsets."""

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        """Return the first offset that retention has kept, and the offset after the last record."""


def wait_until_stable(
    cluster: ClusterFacts,
    changelogs: Sequence[Partition],
    *,
    end_hanging: Callable[[Sequence[Partition]], None] = lambda _: None,
    hanging_s: float = HANGING_S,
    limit_s: float = STABLE_WAIT_S,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """H2: wait until every record of the changelog partitions is committed or aborted.

    `end_hanging` is called once, with the partitions that are not stable `hanging_s` seconds later.

    Raises:
        StateError: an open transaction outlasts `limit_s` seconds.
    """
    ends = cluster.log_ends(changelogs, committed=False)
    began = time.monotonic()
    logged = asked = False
    while behind := _unstable(cluster, ends):
        names = ", ".join(
            f"{topic}[{partition}] at {offset} of {ends[topic, partition]}"
            for (topic, partition), offset in behind.items()
        )
        waited = time.monotonic() - began
        if waited > limit_s:
            raise StateError(
                f"An open transaction on {names} has not ended within {limit_s:.0f} s; state read now would be old.",
                code=Code.STATE_UNSTABLE,
                next_step="Start the process again. If it stays, look for a transaction that hangs: "
                "`kafka-transactions.sh find-hanging`.",
            )
        if not logged:
            _logger.info("waiting for open transactions on the changelog", stable=names)
            logged = True
        if waited > hanging_s and not asked:
            _logger.warning("a transaction seems to hang on the changelog; ending it", stable=names)
            end_hanging(list(behind))
            asked = True
        pause(STABLE_POLL_S)


def _unstable(cluster: ClusterFacts, ends: dict[Partition, int]) -> dict[Partition, int]:
    """Return the last stable offset of each partition in which it is below `ends`."""
    stable = cluster.log_ends(list(ends), committed=True)
    return {partition: stable[partition] for partition, end in ends.items() if stable[partition] < end}


def claim_offsets(
    member: GroupMember,
    cluster: ClusterFacts,
    inbox: Sequence[TopicPartition],
    changelog: str,
    *,
    timeout_s: float = 30.0,
) -> None:
    """H3: check that the group has offsets on its inbox partitions, and claim partitions that are new.

    Raises:
        StateError: a partition has state in its changelog, but the group has no offset on it.
    """
    found = member.committed(list(inbox), timeout=timeout_s)
    missing = [at for at in found if committed_offset(at) is None]
    for at in found:
        if at not in missing:
            _require_within(at, member.get_watermark_offsets(at, timeout=timeout_s))
    if not missing:
        return
    ends = cluster.log_ends([(changelog, at.partition) for at in missing], committed=False)
    for at in missing:
        if ends[changelog, at.partition] > 0:
            raise StateError(
                f"{changelog}[{at.partition}] holds state, but the group has no committed offset on "
                f"{at.topic}[{at.partition}]: Kafka forgets the offsets of a group that was empty for longer than "
                "offsets.retention.minutes (7 days).",
                code=Code.STATE_OFFSETS_LOST,
                next_step="Find the last processed offset of this partition (the newest record of the history topic "
                "names it), and set it with `kafka-consumer-groups.sh --reset-offsets --to-offset LAST+1`.",
            )
    _logger.info("claiming partitions that have never been processed", partitions=[at.partition for at in missing])
    starts = [(at, member.get_watermark_offsets(at, timeout=timeout_s)[0]) for at in missing]
    claims = [TopicPartition(at.topic, at.partition, start) for at, start in starts]
    claim(member, claims)


def claim(member: GroupMember, starts: Sequence[TopicPartition]) -> None:
    """Commit where partitions begin that the group has never read.

    Raises:
        StateError: the offset of one of them was not committed; it would be taken for a lost one at the next start.
    """
    for at in member.commit(offsets=list(starts), asynchronous=False) or ():
        committed_offset(at)


def _require_within(at: TopicPartition, bounds: tuple[int, int]) -> None:
    first, end = bounds
    if at.offset < first:
        raise StateError(
            f"Retention has removed inbox records that were never processed: offsets {at.offset} to {first - 1} of "
            f"{at.topic}[{at.partition}].",
            code=Code.STATE_INPUT_LOST,
            next_step=f"Read docs/errors/{Code.STATE_INPUT_LOST}.md: the events that are gone must be sent again.",
        )
    if at.offset > end:
        raise StateError(
            f"The group has processed {at.topic}[{at.partition}] up to offset {at.offset}, but it ends at {end}: the "
            "topic was deleted and created again, or has lost records.",
            code=Code.STATE_INPUT_REPLACED,
            next_step="Stop all orchestrators. If the inbox was made anew, start a new generation "
            "(BATCH_ORCHESTRATOR_SERVICE_GENERATION) and remove the state directories.",
        )


def committed_offset(at: TopicPartition) -> int | None:
    """Return the committed offset in a group's answer about a partition; None if nothing is committed.

    Raises:
        StateError: it could not be read or committed.
    """
    if at.error is not None:
        raise StateError(
            f"The group's offset on {at.topic}[{at.partition}] cannot be read or committed: {at.error}.",
            code=Code.STATE_OFFSETS_UNREAD,
            next_step="Start the process again; a coordinator that moves, or an open transaction, ends by itself.",
        )
    return None if at.offset is None or at.offset < 0 else int(at.offset)


def offset_out_of_range(topic: str, partition: int, offset: int, cause: str) -> StateError:
    """Return the error for a next record that no longer exists."""
    return StateError(
        f"{topic}[{partition}] has no offset {offset} any more, which was to be read next: {cause}.",
        code=Code.OFFSET_OUT_OF_RANGE,
        next_step="Start the process again: it then compares its offsets with the topic, and reports what is "
        "lost and how to go on.",
    )


def topic_gone(topic: str | None) -> TopicError:
    """Return the error for a topic that was deleted while it was read."""
    return TopicError(
        f"Topic {topic} was deleted while it was read.",
        code=Code.TOPIC_MISSING,
        next_step="Create it again (`bos topics apply` creates own topics). The next start names the lost records.",
    )


def require_newer(batch_id: str, batch_version: int, version: int) -> None:
    """H3: check that a record comes after the one that last changed its batch.

    Raises:
        StateError: it does not. The inbox is being read again with a state that has already applied it.
    """
    if version <= batch_version:
        raise StateError(
            f"The inbox record of version {version} is older than batch {batch_id}, which has version "
            f"{batch_version}: the group's offset lies behind the state.",
            code=Code.STATE_AHEAD,
            next_step="If the group's offsets were reset, set them back. If the inbox was created anew, start a new "
            "generation (BATCH_ORCHESTRATOR_SERVICE_GENERATION).",
        )
