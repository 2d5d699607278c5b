"""The rules that the peers hold every message to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What a complaint is about."""

    NOT_JSON = "not_json"
    """The value is not a JSON object."""
    SCHEMA = "schema"
    """Envelope or data do not fit the era's model; the peer cannot parse it."""
    EVENT_TYPE = "event_type"
    """`event_type` is not what the peer routes on; it never reaches a handler."""
    EVENT_NAME = "event_name"
    """The event's name inside data is another event's."""
    KEY = "key"
    """The Kafka key is not the batch id."""
    HEADERS = "headers"
    """A Kafka header is missing, malformed or at odds with the envelope."""
    CORRELATION_ID = "correlation_id"
    """No correlation id, or another one than the registration's in a phase's first command."""
    ENTITY = "entity"
    """The places that name the batch disagree, or the entity is no batch."""
    ENTITY_NULL = "entity_null"
    """Head's `entity_id` is null: the peer moves the essays on and skips dispatch, so the batch is lost."""
    SAME_ID_OTHER_BYTES = "same_id_other_bytes"
    """Two messages carry one event id but differ."""
    COUNT = "count"
    """A count does not tie to its list, or a list that must not be empty is."""
    DUPLICATE_ESSAY = "duplicate_essay"
    """An essay id is twice in one list."""
    LONG_ESSAY_ID = "long_essay_id"
    """Head stores essay ids in 36 characters and drops longer ones in silence."""
    REGISTERED_AGAIN = "registered_again"
    """A batch is registered by a second, different event; the seed's peer loses its slot assignments."""
    OTHER_SLOTS = "other_slots"
    """A batch is registered again with other essay ids."""
    BEFORE_REGISTRATION = "before_registration"
    """A command or completion for a batch that is registered only later."""
    BEFORE_CAUSE = "before_cause"
    """A command came before the peer reported what it must build on."""
    UNKNOWN_ESSAY = "unknown_essay"
    """A commanded essay is no slot of the batch."""
    ESSAY_STATE = "essay_state"
    """A commanded essay is not in the phase's start state."""
    ESSAYS_LEFT_OUT = "essays_left_out"
    """A phase's first command leaves out essays that could start."""
    UNKNOWN_TEXT = "unknown_text"
    """A commanded text id was never given by the peer for that essay."""
    OLD_TEXT = "old_text"
    """A commanded text id is not the newest one of its essay."""
    LANGUAGE = "language"
    """The language is neither `en` nor `sv`, or not the course's."""
    COURSE_CODE = "course_code"
    """The course code is not the registered one."""
    CLASS = "class"
    """Class id or class type are not the registered ones."""
    COMPLETED_AGAIN = "completed_again"
    """A second, different completed event."""
    COMPLETED_EARLY = "completed_early"
    """Completed while an outcome is still to come."""
    AFTER_COMPLETION = "after_completion"
    """A command for a batch whose completed event came already."""
    FINAL_STATUS = "final_status"
    """The final status does not follow from the peer's own answers."""
    FINAL_COUNTS = "final_counts"
    """The essay counts do not follow from the peer's own answers."""
    COMPLETED_PHASES = "completed_phases"
    """The list of completed phases does not follow from the peer's own answers."""


UNREADABLE = frozenset({Rule.NOT_JSON, Rule.SCHEMA, Rule.EVENT_TYPE})
"""With one of these, the original does nothing more with a message."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a message broke, and how."""

    rule: Rule
    text: str
