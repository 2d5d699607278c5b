"""How the api reads the log, as far as no cluster is needed for it."""

import pytest

from api.kafka_log.kafka_log import LogPartition, start_of
from schemas.errors import ProjectionError
from schemas.topics import Topic


def test_status_is_read_from_where_the_projection_is_and_the_rest_from_its_end() -> None:
    assert start_of(LogPartition(Topic.STATUS, 0), 5, 0, 9) == 5
    assert start_of(LogPartition(Topic.STATUS, 0), 9, 0, 9) == 9
    assert start_of(LogPartition(Topic.STATUS, 0), 5, 7, 9) == 7
    assert start_of(LogPartition(Topic.HISTORY, 0), 5, 0, 9) == 9


def test_a_projection_that_has_read_more_than_there_is_is_refused() -> None:
    with pytest.raises(ProjectionError, match="ORC-PROJECTION-AHEAD"):
        start_of(LogPartition(Topic.STATUS, 0), 10, 0, 9)
