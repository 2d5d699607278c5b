"""The projection: the read model of batches, history and dead letters, in SQLite or PostgreSQL.

`Writer` is the projector's, `Reader` everybody's; `open_engine` gives both their database.
"""

from state.explanation.model import Usual
from state.projection.batch_models import (
    ANY_BATCH,
    EVERYTHING,
    Attention,
    BatchFilter,
    BatchPage,
    Due,
    IdKind,
    PhaseStats,
    Resolved,
    Stats,
    StatusCounts,
    Visibility,
)
from state.projection.batch_reader import now_ms
from state.projection.beside import Beside, beside
from state.projection.checkpoints import checkpointing
from state.projection.compare import Difference, Horizon
from state.projection.engine import open_engine, pinned, require_not_ahead, sqlite_url
from state.projection.interrupts import ReadInterrupts
from state.projection.letter_reader import LetterReader
from state.projection.models import (
    Applied,
    ChainBreak,
    HistoryPage,
    Identity,
    LetterFilter,
    LetterGroup,
    LetterPage,
    ProjectedRecord,
    RequestTrace,
    StoredLetter,
    Unreadable,
)
from state.projection.reader import Reader
from state.projection.writer import Writer

__all__ = [
    "ANY_BATCH",
    "EVERYTHING",
    "Applied",
    "Attention",
    "BatchFilter",
    "BatchPage",
    "Beside",
    "ChainBreak",
    "Difference",
    "Due",
    "HistoryPage",
    "Horizon",
    "IdKind",
    "Identity",
    "LetterFilter",
    "LetterGroup",
    "LetterPage",
    "LetterReader",
    "PhaseStats",
    "ProjectedRecord",
    "ReadInterrupts",
    "Reader",
    "RequestTrace",
    "Resolved",
    "Stats",
    "StatusCounts",
    "StoredLetter",
    "Unreadable",
    "Usual",
    "Visibility",
    "Writer",
    "beside",
    "checkpointing",
    "now_ms",
    "open_engine",
    "pinned",
    "require_not_ahead",
    "sqlite_url",
]
