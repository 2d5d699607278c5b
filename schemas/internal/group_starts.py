"""The record of a group that has started: what lets a later start tell lost offsets from a first start."""

from msgspec import Struct

from schemas.internal.codec import RecordDecoder
from schemas.internal.formats import GROUP_START


class KnownTopic(Struct, frozen=True, kw_only=True):
    """A topic as the group has read it."""

    id: str
    """Id that Kafka gave the topic: another one after it was deleted and created again."""
    partitions: int
    """Partitions of the topic on which the group has committed an offset."""


class GroupStart(Struct, frozen=True, kw_only=True):
    """What a consumer group has started to read. Key of the record: the group."""

    writer: int
    least_reader: int
    group: str
    topics: dict[str, KnownTopic]
    """Topics by their real names."""


decode_group_start = RecordDecoder(GroupStart, GROUP_START)
