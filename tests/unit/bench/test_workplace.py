"""Workplaces on one cluster do not meet."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from bench.workplace import Workplace
from cli.broker import Kafka

KAFKA = cast("Kafka", SimpleNamespace(bootstrap_servers="localhost:9092"))


def test_two_workplaces_share_neither_topics_nor_groups(tmp_path: Path) -> None:
    one, other = (Workplace(KAFKA, tmp_path, prefix).settings() for prefix in ("one", "other"))
    names = ("topic_prefix", "router_group", "orchestrator_group", "projector_group", "timekeeper_group")
    assert all(getattr(one, name) != getattr(other, name) for name in names)
    assert one.topics().changelog != other.topics().changelog


def test_a_process_can_have_a_group_of_its_own(tmp_path: Path) -> None:
    assert Workplace(KAFKA, tmp_path, "one").settings(ORCHESTRATOR_GROUP="round-2").orchestrator_group == "round-2"
