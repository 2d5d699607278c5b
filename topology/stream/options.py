"""The arguments of the stream library."""

from collections.abc import Mapping
from typing import Any

from runtime.health import ProcessHealth
from runtime.settings import Settings
from topology.stream.clients import Guarantee, consumer_properties, producer_properties
from topology.stream.library import ConnectionConfig, RocksDBOptions

POLL_TIMEOUT_S = 0.02
"""Seconds that a poll of an empty input waits; a longer wait delays the commit of the last event."""
WRITE_BUFFER_BYTES = 8 * 1_048_576
"""Size of a store's memtable; each partition has a store."""
WRITE_AHEAD_LOG_BYTES = 2 * WRITE_BUFFER_BYTES
"""Size of a store's write-ahead logs. RocksDB keeps them until every column family has been flushed, and the one with
the processed offset never fills a memtable: without this bound (the library's is 128 MiB for each partition) the
directory grows with everything that is written, and a start after a crash reads it all again."""


def application_options(
    settings: Settings,
    *,
    group: str,
    guarantee: Guarantee,
    largest_record: int,
    smallest_limit: int | None = None,
    commit_interval_s: float = 0.1,
    health: ProcessHealth | None = None,
) -> dict[str, Any]:
    """Return the library's arguments for one stream application, all but its state directory.

    Args:
        settings: settings of the process.
        group: consumer group; with the instance it names the member and its transactions.
        guarantee: `exactly-once` for a process with state, `at-least-once` if its consumers absorb repeats.
        largest_record: bytes of the largest record that is written, headers included.
        smallest_limit: smallest record batch that a destination takes, in bytes; batches stay below it.
        commit_interval_s: seconds between commits; under exactly-once the latency of outputs.
        health: receives the consumer's statistics.
    """
    connection, extra = _split(settings.kafka())
    member = f"{group}-{settings.instance}"
    producer = producer_properties(member, guarantee, commit_interval_s, largest_record, smallest_limit)
    return {
        "broker_address": connection,
        "consumer_group": group,
        # A missing offset is lost input, on which a person must decide. First offsets are set by the guards.
        "auto_offset_reset": "error",
        "auto_create_topics": False,
        # A committed offset that retention has passed is lost input: a person must decide, and no state is deleted.
        "auto_recover_from_source_offset_out_of_range": False,
        "processing_guarantee": guarantee,
        "commit_interval": commit_interval_s,
        "broker_availability_timeout": 0,  # the watchdog checks availability
        "consumer_poll_timeout": POLL_TIMEOUT_S,
        "rocksdb_options": RocksDBOptions(
            write_buffer_size=WRITE_BUFFER_BYTES,
            max_total_wal_size=WRITE_AHEAD_LOG_BYTES,
            block_cache_size=settings.store_cache_mib * 1_048_576,
        ),
        "loglevel": None,  # the library's loggers use the handlers of the process
        "producer_extra_config": producer | extra,
        "consumer_extra_config": consumer_properties(member, health) | extra,
    }


def _split(kafka: Mapping[str, Any]) -> tuple[ConnectionConfig, dict[str, Any]]:
    """Return the library's connection settings, and the remaining properties, which it takes separately."""
    fields = set(ConnectionConfig.model_fields) | {"sasl_mechanisms"}
    extra = {name: value for name, value in kafka.items() if name.replace(".", "_") not in fields}
    return ConnectionConfig.from_librdkafka_dict(dict(kafka), ignore_extras=True), extra
