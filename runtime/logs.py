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
# Without the values of local variables: they can be secrets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
_REPEATING = ("librdkafka", "quixstreams.kafka.consumer", "quixstreams.kafka.producer")
_REPEAT_AFTER_S = 30.0
_NUMBERS = re.compile(r"\d+")
_COMPARED, _MOST_TOLD = 200, 1_000
_NOISY = {"alembic": logging.WARNING, "httpx": logging.WARNING, "httpcore": logging.WARNING, "asyncio": logging.WARNING}


def configure_logging(settings: Settings, process: str, *, stream: TextIO | None = None) -> None:
    """Send the logs of this process to `stream` (default: stderr).

    Loggers of the standard library, the stream library's and librdkafka's among them, go the same way. Whatever is
    bound or given by keyword stands at top level: bind `batch_id` and `correlation_id` by these names.
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
    """Return a logger; `name` stands in each line as `logger`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


class _Repeats(logging.Filter):
    """Lets a line that differs in numbers alone pass once in a while: clients without a broker tell it all the time."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        text = _NUMBERS.sub("#", record.getMessage())[:_COMPARED]
        if now - self._told.get(text, float("-inf")) < _REPEAT_AFTER_S:
            return False
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told[text] = now
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
