"""The projection: the read model of batches, history and dead letters, in SQLite or PostgreSQL.

`Writer` is the projector's, `Reader` everybody's; `open_engine` gives both their database.
"""

from state.projection.engine import open_engine, require_not_ahead, sqlite_url
from state.projection.interrupts import ReadInterrupts
from state.projection.letter_reader import LetterReader
from state.projection.models import (
    EVERYTHING,
    Applied,
    BatchFilter,
    BatchPage,
    BatchSummary,
    ChainBreak,
    HistoryPage,
    Identity,
    LetterFilter,
    LetterGroup,
    LetterPage,
    PhaseSummary,
    ProjectedRecord,
    RequestTrace,
    StatusCounts,
    StoredLetter,
    Unreadable,
    Visibility,
)
from state.projection.reader import Reader
from state.projection.writer import Writer

__all__ = [
    "EVERYTHING",
    "Applied",
    "BatchFilter",
    "BatchPage",
    "BatchSummary",
    "ChainBreak",
    "HistoryPage",
    "Identity",
    "LetterFilter",
    "LetterGroup",
    "LetterPage",
    "LetterReader",
    "PhaseSummary",
    "ProjectedRecord",
    "ReadInterrupts",
    "Reader",
    "RequestTrace",
    "StatusCounts",
    "StoredLetter",
    "Unreadable",
    "Visibility",
    "Writer",
    "open_engine",
    "require_not_ahead",
    "sqlite_url",
]
