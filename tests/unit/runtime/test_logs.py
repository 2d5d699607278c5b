import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from runtime.logs import configure_logging, get_logger
from runtime.settings import Settings


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure_logging(Settings(environment="testing"), "router", stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ids_stand_at_top_level(stream: io.StringIO) -> None:
    get_logger("router").bind(batch_id="b-1").warning("dead_letter", correlation_id="c-1", code="ORC-FIELDS")
    (line,) = lines(stream)
    assert line["batch_id"] == "b-1"
    assert line["correlation_id"] == "c-1"
    assert (line["event"], line["level"], line["code"]) == ("dead_letter", "warning", "ORC-FIELDS")
    assert (line["service"], line["environment"], line["process"]) == ("batch-service", "testing", "router")
    assert line["timestamp"].endswith("Z")


def test_bound_context_reaches_every_logger(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(batch_id="b-2"):
        logging.getLogger("somewhere").warning("a %s thing", "strange")
    (line,) = lines(stream)
    assert (line["event"], line["batch_id"], line["logger"]) == ("a strange thing", "b-2", "somewhere")


@pytest.mark.parametrize("name", ["quixstreams.app", "librdkafka"])
def test_library_logs_go_the_same_way(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).error("partition lost")
    assert lines(stream)[0]["event"] == "partition lost"


def test_a_traceback_is_part_of_the_line(stream: io.StringIO) -> None:
    try:
        int("wrong")
    except ValueError as error:
        get_logger().error("failed", exc_info=error)
    (line,) = lines(stream)
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "locals" not in line["exception"][0]["frames"][0], "they can hold secrets"


def test_what_is_below_the_level_is_left_out(stream: io.StringIO) -> None:
    get_logger().debug("detail")
    logging.getLogger("library").debug("detail")
    assert not stream.getvalue()


def test_console_logs_are_no_json() -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_format="console"), "router", stream=stream)
    get_logger().info("started", batch_id="b-3")
    assert "started" in stream.getvalue()
    assert "batch_id" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
