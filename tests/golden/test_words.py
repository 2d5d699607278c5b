"""The frozen words: what stands in `words.json` keeps its meaning for ever; new words may join."""

import inspect
import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.internal.effects import Effect
from schemas.internal.enums import (
    BatchStatus,
    DeadlineKind,
    Disposition,
    LostReason,
    PhaseReason,
    PhaseStatus,
    ReasonCode,
)
from schemas.internal.events import Body, OutcomeStatus
from schemas.internal.operations import OperationAction, OperationState
from schemas.internal.processes import ProcessState
from schemas.limits import Limits
from schemas.topics import TopicTable
from state.decision.decide import decide
from state.decision.result import Decision

FILE = Path(__file__).parent / "words.json"
WORDS: dict[str, Any] = json.loads(FILE.read_text())
ENUMS: tuple[type[StrEnum], ...] = (
    *(BatchStatus, PhaseStatus, Disposition, DeadlineKind, ReasonCode, OutcomeStatus),
    *(PhaseReason, LostReason, ProcessState, OperationAction, OperationState),
)


def words() -> dict[str, Any]:
    """Return the words as the code has them now."""
    limits = Limits()
    return {
        "enums": {kind.__name__: sorted(member.value for member in kind) for kind in ENUMS},
        "events": sorted(kind.__struct_config__.tag for kind in get_args(Body)),
        "effects": sorted(kind.__struct_config__.tag for kind in get_args(Effect)),
        "decide": re.sub(r"[\w.]+\.", "", str(inspect.signature(decide))),  # names of types, wherever they live
        "decision": list(Decision._fields),
        "limits": {name: getattr(limits, name) for name in limits.__struct_fields__},
        "topics": {
            spec.name: {"owner": spec.owner, "partitions": spec.partitions, **spec.config()}
            for spec in TopicTable().specs()
        },
    }


@pytest.mark.parametrize("name", [kind.__name__ for kind in ENUMS])
def test_no_word_of_an_enumeration_is_gone(name: str) -> None:
    assert set(WORDS["enums"][name]) <= set(words()["enums"][name])


@pytest.mark.parametrize("union", ["events", "effects"])
def test_no_kind_of_an_open_union_is_gone(union: str) -> None:
    assert set(WORDS[union]) <= set(words()[union])


@pytest.mark.parametrize("fact", ["decide", "decision", "limits"])
def test_the_decision_and_the_size_ladder_are_as_they_always_were(fact: str) -> None:
    assert words()[fact] == WORDS[fact]


def test_every_topic_is_as_it_always_was() -> None:
    now = words()["topics"]
    assert {name: now.get(name) for name in WORDS["topics"]} == WORDS["topics"]
