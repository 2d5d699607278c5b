"""What counts as a good answer: one of the brokers that a client needs, and not that statistics come."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from runtime.kafka.client_watch import Connections, heard


def broker(node: int, state: str = "UP", *, owes: int = 0, idle_s: float = 0.1) -> dict[str, Any]:
    return {"nodeid": node, "state": state, "waitresp_cnt": owes, "rxidle": int(idle_s * 1e6)}


def connections(*brokers: dict[str, Any], leader: int = 1, fetch_state: str = "active") -> Connections:
    partition = {"leader": leader, "fetch_state": fetch_state}
    made = Connections()
    made.on_statistics(
        json.dumps(
            {
                "brokers": {str(number): each for number, each in enumerate(brokers)},
                "topics": {"t": {"partitions": {"0": partition, "-1": partition}}},
            }
        )
    )
    return made


def metadata(leader: int = 1, alive: tuple[int, ...] = (1, 2)) -> Any:
    partition = SimpleNamespace(leader=leader)
    return SimpleNamespace(brokers=dict.fromkeys(alive), topics={"t": SimpleNamespace(partitions={0: partition})})


def test_a_partition_whose_leader_answers_is_served() -> None:
    assert connections(broker(1)).cut_off(metadata()) == []


@pytest.mark.parametrize(
    "leader",
    [broker(1, "DOWN"), broker(1, "TRY_CONNECT"), broker(1, owes=1, idle_s=11), broker(-1, "UP"), broker(2, "UP")],
)
def test_a_partition_whose_leader_is_not_reached_or_owes_an_answer_is_cut_off(leader: dict[str, Any]) -> None:
    assert connections(leader).cut_off(metadata()) == [("t", 0)]


def test_a_leader_that_the_client_does_not_know_of_cuts_it_off() -> None:
    assert connections(broker(1), leader=-1).cut_off(metadata()) == [("t", 0)]


def test_a_quiet_leader_that_owes_nothing_is_no_fault() -> None:
    assert connections(broker(1, idle_s=600)).cut_off(metadata()) == []


def test_a_partition_that_nobody_leads_or_that_is_not_read_is_no_fault_of_the_client() -> None:
    assert connections(broker(1, "DOWN")).cut_off(metadata(alive=(2,))) == []
    assert connections(broker(1, "DOWN")).cut_off(metadata(leader=-1)) == []
    assert connections(broker(1, "DOWN"), fetch_state="stopped").cut_off(metadata()) == []


class Client:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:  # noqa: ARG002
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_only_what_seems_cut_off_is_asked_about_and_else_any_topic() -> None:
    assert connections(broker(1)).to_ask() == ["t"]
    assert connections(broker(1, "DOWN")).to_ask() == ["t"]
    assert connections(broker(1), fetch_state="none").to_ask() == []


def test_statistics_without_an_answer_are_not_heard() -> None:
    silent = Client(KafkaException(KafkaError(KafkaError._TRANSPORT)))
    assert not heard(silent, connections(broker(1)))
    assert heard(Client(metadata()), connections(broker(1)))
    assert not heard(Client(metadata()), connections(broker(1, "DOWN")))
    assert heard(Client(metadata()))
