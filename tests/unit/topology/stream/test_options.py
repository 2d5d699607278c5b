from pathlib import Path
from typing import Any

import pytest

from runtime.settings import Settings
from topology.stream.clients import BATCH_BYTES
from topology.stream.options import application_options


def options(**settings: Any) -> dict[str, Any]:
    made = Settings(_env_file=None, instance="7", state_dir=Path("somewhere"), **settings)
    return application_options(made, group="group", guarantee="exactly-once", largest_record=9_000_000)


def test_a_store_keeps_no_more_write_ahead_logs_than_two_memtables_take() -> None:
    rocksdb = options()["rocksdb_options"]
    assert rocksdb.max_total_wal_size == 2 * rocksdb.write_buffer_size


def test_names_are_stable_over_restarts() -> None:
    found = options()
    assert found["producer_extra_config"]["transactional.id"] == "group-7"
    assert found["consumer_extra_config"]["group.instance.id"] == "group-7"


def test_every_producer_partitions_like_the_java_clients() -> None:
    assert options()["producer_extra_config"]["partitioner"] == "murmur2"


def test_only_what_is_committed_is_read() -> None:
    assert options()["consumer_extra_config"]["isolation.level"] == "read_committed"


def test_a_short_queue_is_filled_again_before_it_runs_dry() -> None:
    consumer = options()["consumer_extra_config"]
    fastest = 10_000  # records/s of one partition
    assert consumer["fetch.queue.backoff.ms"] / 1000 * fastest < consumer["queued.min.messages"]


def test_nothing_is_created_skipped_or_deleted_by_itself() -> None:
    found = options()
    assert found["auto_create_topics"] is False
    assert found["auto_offset_reset"] == "error"
    assert found["auto_recover_from_source_offset_out_of_range"] is False


def test_at_least_once_has_no_transactions() -> None:
    made = Settings(_env_file=None)
    found = application_options(made, group="group", guarantee="at-least-once", largest_record=1)
    assert "transactional.id" not in found["producer_extra_config"]
    assert found["producer_extra_config"]["enable.idempotence"] is True


@pytest.mark.parametrize(("limit", "batch"), [(None, BATCH_BYTES), (100_000, 100_000), (8_000_000, BATCH_BYTES)])
def test_a_batch_of_records_fits_the_smallest_destination(limit: int | None, batch: int) -> None:
    made = Settings(_env_file=None)
    found = application_options(
        made, group="group", guarantee="exactly-once", largest_record=9_000_000, smallest_limit=limit
    )
    assert found["producer_extra_config"]["batch.size"] == batch
    assert found["producer_extra_config"]["message.max.bytes"] > 9_000_000


def test_properties_of_the_user_reach_the_connection_and_the_clients() -> None:
    found = options(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="user",
        kafka_sasl_password="secret",
        kafka_extra={"socket.timeout.ms": 5_000, "ssl.endpoint.identification.algorithm": "none"},
    )
    connection = found["broker_address"].as_librdkafka_dict()
    assert connection["sasl.username"] == "user"
    assert connection["sasl.password"] == "secret"
    assert connection["ssl.endpoint.identification.algorithm"] == "none"
    for client in ("producer_extra_config", "consumer_extra_config"):
        assert found[client]["socket.timeout.ms"] == 5_000
        assert "sasl.password" not in found[client]
