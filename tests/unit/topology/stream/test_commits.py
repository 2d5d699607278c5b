"""Commits in the background: one request at a time, repeated where a failure passes, and never forgotten."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.errors import LivenessError
from topology.stream.commits import FAILING_S, Commits
from topology.stream.deliveries import Deliveries

AT = ("topic", 0)


class Consumer:
    def __init__(self) -> None:
        self.asked: list[dict[tuple[str, int], int]] = []

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        self.asked.append({(at.topic, at.partition): at.offset for at in offsets})
        return None if asynchronous else offsets


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.deliveries = Deliveries()
        self.commits = Commits(self.deliveries, interval_s=1, clock=lambda: self.now)
        self.consumer = Consumer()

    def read(self, end: int) -> None:
        self.deliveries.begin({AT: end})

    def pass_time(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.commits.commit_if_due(self.consumer)

    def answer(self, code: int | None = None, end: int | None = None) -> None:
        asked = self.consumer.asked[-1] if end is None else {AT: end}
        offsets = [TopicPartition(*at, offset) for at, offset in asked.items()]
        self.commits.on_commit(None if code is None else KafkaError(code), offsets)


@pytest.fixture
def world() -> World:
    return World()


def test_a_commit_is_asked_for_once_an_interval_has_passed(world: World) -> None:
    world.read(5)
    world.pass_time(0.5)
    assert world.consumer.asked == []
    world.pass_time(0.5)
    assert world.consumer.asked == [{AT: 5}]


def test_the_next_one_waits_for_the_answer(world: World) -> None:
    world.read(5)
    world.pass_time()
    world.read(9)
    world.pass_time()
    assert world.consumer.asked == [{AT: 5}]
    world.answer()
    world.pass_time()
    assert world.consumer.asked == [{AT: 5}, {AT: 9}]


def test_an_end_that_is_met_again_is_not_committed_again(world: World) -> None:
    world.read(5)
    world.pass_time()
    world.answer()
    world.read(5)
    world.pass_time()
    assert len(world.consumer.asked) == 1


@pytest.mark.parametrize("code", [KafkaError.REBALANCE_IN_PROGRESS, KafkaError.NOT_COORDINATOR, KafkaError._TRANSPORT])
def test_a_failure_that_passes_is_repeated_with_what_came_since(world: World, code: int) -> None:
    world.read(5)
    world.pass_time()
    world.answer(code)
    world.pass_time()
    world.answer(code)
    world.read(7)
    world.pass_time()
    assert world.consumer.asked == [{AT: 5}, {AT: 5}, {AT: 7}]


def test_a_failure_that_does_not_pass_ends_the_process(world: World) -> None:
    world.read(5)
    world.pass_time()
    with pytest.raises(KafkaException):
        world.answer(KafkaError.GROUP_AUTHORIZATION_FAILED)


def test_commits_that_fail_for_long_end_the_process(world: World) -> None:
    world.read(5)
    world.pass_time()
    world.answer(KafkaError.NOT_COORDINATOR)
    world.pass_time(FAILING_S + 1)
    with pytest.raises(KafkaException):
        world.answer(KafkaError.NOT_COORDINATOR)


def test_a_success_ends_the_count_of_failures(world: World) -> None:
    for end, code in enumerate((KafkaError.NOT_COORDINATOR, None, KafkaError.NOT_COORDINATOR), 1):
        world.read(end)
        world.pass_time(FAILING_S - 1)
        world.answer(code)


def test_a_commit_without_an_answer_ends_the_process(world: World) -> None:
    world.read(5)
    world.pass_time()
    world.pass_time(FAILING_S - 1)
    with pytest.raises(LivenessError):
        world.pass_time(2)


def test_an_answer_from_before_a_rebalance_says_nothing(world: World) -> None:
    world.read(5)
    world.pass_time()
    world.deliveries.forget()
    world.read(2)
    world.pass_time()
    world.answer(KafkaError.ILLEGAL_GENERATION, end=5)
    world.answer()
    world.pass_time()
    assert world.consumer.asked == [{AT: 5}, {AT: 2}]


def test_a_commit_that_is_waited_for_takes_what_is_not_answered_too(world: World) -> None:
    world.deliveries.begin({("other", 1): 3})
    world.pass_time()
    world.read(5)
    world.commits.commit(world.consumer)
    assert world.consumer.asked == [{("other", 1): 3}, {("other", 1): 3, AT: 5}]
    world.commits.commit(world.consumer)
    assert len(world.consumer.asked) == 2


def test_a_commit_that_is_waited_for_raises_the_error_of_a_partition(world: World) -> None:
    class Refused:
        error: Any = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)

    world.read(5)
    world.consumer.commit = lambda **_: [Refused()]  # type: ignore[method-assign]
    with pytest.raises(KafkaException):
        world.commits.commit(world.consumer)
