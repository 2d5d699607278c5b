"""Versions of the internal formats: one row for each kind of record, because each changes by itself.

A change is additive where an older reader may ignore it: a new field with a default, or a new word of an open
enumeration. It raises no number. Any other change raises `version`; where an older reader would take the new bytes
for something else it raises `least_reader` too, and where this code no longer reads the bytes of before, `oldest`.
"""

from typing import NamedTuple


class RecordFormat(NamedTuple):
    """Versions of one kind of record."""

    version: int
    """The version that this code writes, and the newest that it understands."""
    least_reader: int
    """The oldest version that understands what this code writes."""
    oldest: int
    """The oldest version that this code reads."""


INBOX = RecordFormat(version=2, least_reader=2, oldest=2)
STATUS = RecordFormat(version=2, least_reader=2, oldest=2)
HISTORY = RecordFormat(version=2, least_reader=2, oldest=2)
BATCH = RecordFormat(version=2, least_reader=2, oldest=2)
"""The stored batch, in the store and its changelog."""
PROCESS = RecordFormat(version=1, least_reader=1, oldest=1)
OPERATION = RecordFormat(version=1, least_reader=1, oldest=1)
GROUP_START = RecordFormat(version=1, least_reader=1, oldest=1)
