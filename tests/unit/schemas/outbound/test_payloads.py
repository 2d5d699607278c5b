"""What is published to peers, where the facts are unusual."""

import json

import pytest
from msgspec.structs import replace

from schemas.internal.effects import PipelineCompleted
from schemas.outbound.render import render
from schemas.topics import TopicTable
from tests.unit.state.story import ended


@pytest.mark.parametrize(("passed_ms", "seconds"), [(412_500, 412.5), (0, 0.0), (-3_000, 0.0)])
def test_a_duration_is_never_negative_though_a_brokers_clock_can_go_back(passed_ms: int, seconds: float) -> None:
    (completed,) = ended().completions
    assert isinstance(completed, PipelineCompleted)
    outgoing = render(replace(completed, time_ms=completed.started_ms + passed_ms), TopicTable())
    assert json.loads(outgoing.value or b"")["data"]["processing_duration_seconds"] == seconds
