"""Open enumerations: a word that a newer version writes is a word, not an error."""

import msgspec
import pytest

from schemas.internal.enums import (
    BatchStatus,
    DeadlineKind,
    Disposition,
    LostReason,
    OpenEnum,
    PhaseReason,
    PhaseStatus,
    ReasonCode,
)
from schemas.internal.events import OutcomeStatus
from schemas.internal.processes import ProcessState

OPEN: tuple[type[OpenEnum], ...] = (
    *(BatchStatus, PhaseStatus, Disposition, DeadlineKind, ReasonCode, PhaseReason, LostReason, ProcessState),
)


@pytest.mark.parametrize("kind", OPEN, ids=lambda kind: kind.__name__)
def test_an_unknown_word_is_read_and_written_as_its_text_and_is_no_member(kind: type[OpenEnum]) -> None:
    word = msgspec.json.decode(b'"word_of_tomorrow"', type=kind)
    assert word == "word_of_tomorrow" == word.value == str(word)
    assert hash(word) == hash("word_of_tomorrow")
    assert {str(word)} == {word}
    assert word == kind("word_of_tomorrow")
    assert word not in list(kind)
    assert msgspec.json.encode(word) == b'"word_of_tomorrow"'
    assert msgspec.to_builtins(word) == "word_of_tomorrow"


@pytest.mark.parametrize("kind", OPEN, ids=lambda kind: kind.__name__)
def test_a_known_word_is_its_member(kind: type[OpenEnum]) -> None:
    for member in kind:
        assert msgspec.json.decode(msgspec.json.encode(member), type=kind) is member
        assert kind(member.value) is member


@pytest.mark.parametrize("raw", [b"1", b"null", b"[]"])
def test_what_is_no_text_is_no_word(raw: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=PhaseStatus)


def test_an_unknown_status_is_neither_ended_nor_waiting_nor_a_success() -> None:
    assert not BatchStatus("word_of_tomorrow").terminal
    assert not BatchStatus("word_of_tomorrow").waiting
    assert not PhaseStatus("word_of_tomorrow").terminal
    assert not PhaseStatus("word_of_tomorrow").succeeded


def test_the_words_of_peers_are_closed() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'"word_of_tomorrow"', type=OutcomeStatus)
