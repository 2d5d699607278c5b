"""Structured logs: one JSON object a line (or coloured text), from this code and from every library alike."""

import logging
import re
import sys
import time
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from runtime.settings import Settings

LOGGER = "orchestrator"
# Tracebacks omit the values of local variables, which can be secrets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
_REPEATING = ("librdkafka", "quixstreams.kafka.consumer", "quixstreams.kafka.producer")
_REPEAT_AFTER_S = 30.0
_NUMBERS = re.compile(r"\d+")
_COMPARED_CHARACTERS, _MOST_REMEMBERED = 200, 1_000
_NOISY = {"alembic": logging.WARNING, "httpx": logging.WARNING, "httpcore": logging.WARNING, "asyncio": logging.WARNING}


def configure_logging(settings: Settings, process: str, *, stream: TextIO | None = None) -> None:
    """Send the logs of this process to `stream` (default: stderr).

    Loggers of the standard library, including the stream library's and librdkafka's, use the same handler. Bound and
    keyword values appear at the top level: bind `batch_id` and `correlation_id` by these names.
    """
    shared = _shared_processors(settings, process)
    renderer: list[Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if settings.log_format == "json"
        else [structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty())]
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _REPEATING:
        logging.getLogger(name).filters[:] = [_Repeats()]
    for name, level in _NOISY.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str = LOGGER) -> structlog.stdlib.BoundLogger:
    """Return a logger; each line has `name` as `logger`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


class _Repeats(logging.Filter):
    """Suppresses lines that repeat with other numbers only, as clients without a broker write them all the time."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        text = _NUMBERS.sub("#", record.getMessage())[:_COMPARED_CHARACTERS]
        if now - self._logged_at.get(text, float("-inf")) < _REPEAT_AFTER_S:
            return False
        if len(self._logged_at) >= _MOST_REMEMBERED:
            self._logged_at.clear()
        self._logged_at[text] = now
        return True


def _shared_processors(settings: Settings, process: str) -> list[Processor]:
    fixed = {"service": settings.service_name, "environment": settings.environment, "process": process}

    def add_fixed(_logger: Any, _method: str, event: EventDict) -> EventDict:
        for key, value in fixed.items():
            event.setdefault(key, value)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        add_fixed,
    ]
