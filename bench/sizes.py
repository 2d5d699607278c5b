"""What a running product keeps: live keys of its compacted topics, its store, its projection, its memory."""

import os
import sqlite3
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self

import psutil

from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.partition_reader import EndOfPartition, KafkaRecord, PartitionReader
from runtime.metric_names import API_HELD_BATCHES, PREFIX

PROJECTION_TABLES = (
    "batches",
    "snapshots",
    "phases",
    "history",
    "event_ids",
    "tallies",
    "purges",
    "chain_heads",
    "dead_letters",
)
_POLL_S = 0.2
_ANSWER_S = 30.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""HTTP client for the apis on this machine, without a proxy."""


class LiveKeys:
    """Follows compacted topics, and knows which of their keys have a value; a context manager.

    Reading goes on in a thread of its own. `settled` tells whether everything was read that there was at a time.
    """

    def __init__(self, kafka: Mapping[str, Any], topics: Sequence[str]) -> None:
        self._cluster = KafkaAdmin(kafka)
        counts = self._cluster.partition_counts(topics)
        self._partitions = [(topic, number) for topic in topics for number in range(counts[topic])]
        self._live: dict[str, set[bytes]] = {topic: set() for topic in topics}
        self._positions: dict[Partition, int] = {}
        self._lock = Lock()
        self._stopping = Event()
        self._failure: Exception | None = None
        self._reader = PartitionReader(kafka, "batch-orchestrator-bench-live")
        self._reader.assign(dict.fromkeys(self._partitions))
        self._thread = Thread(target=self._follow, name="live-keys", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._reader.close()

    def counts(self) -> dict[str, int]:
        """Return how many keys of each topic have a value. Raises what ended the reading."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            return {topic: len(keys) for topic, keys in self._live.items()}

    def settled(self) -> bool:
        """Return whether everything that is committed now has been read."""
        ends = self._cluster.log_ends(self._partitions, committed=True)
        with self._lock:
            return all(self._positions.get(at, 0) >= end for at, end in ends.items())

    def retained(self) -> dict[str, int]:
        """Return how many offsets each topic spans, from its first record to its end."""
        starts = self._cluster.log_starts(self._partitions)
        ends = self._cluster.log_ends(self._partitions, committed=True)
        spans: dict[str, int] = dict.fromkeys(self._live, 0)
        for at, end in ends.items():
            spans[at[0]] += end - starts[at]
        return spans

    def _follow(self) -> None:
        try:
            while not self._stopping.is_set():
                found = self._reader.poll(_POLL_S)
                if found is not None:
                    with self._lock:
                        self._take(found)
        except Exception as error:  # noqa: BLE001 - raised where the counts are asked for
            with self._lock:
                self._failure = error

    def _take(self, found: KafkaRecord | EndOfPartition) -> None:
        if isinstance(found, EndOfPartition):
            self._positions[found.partition] = found.offset
            return
        self._positions[found.topic, found.partition] = found.offset + 1
        keys, key = self._live[found.topic], found.key or b""
        if found.value is None:
            keys.discard(key)
        else:
            keys.add(key)


def directory_bytes(path: Path) -> int:
    """Return the bytes of all files under a directory; files that go while it is read do not count."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH116, PTH118 - called often
            except FileNotFoundError:
                continue
    return total


def topic_bytes(data: Path, topic: str) -> int:
    """Return the bytes of a topic's partitions in the data directory of a broker."""
    return sum(
        directory_bytes(partition)
        for partition in data.glob("*-*")
        if partition.is_dir() and partition.name.rpartition("-")[0] == topic
    )


def log_bytes(data: Path, topic: str) -> int:
    """Return the bytes of a topic's records in the data directory of a broker, on disk already or not."""
    return sum(
        segment.stat().st_size
        for partition in data.glob("*-*")
        if partition.name.rpartition("-")[0] == topic
        for segment in partition.glob("*.log")
    )


def projection_rows(file: Path) -> dict[str, int]:
    """Return how many rows each table of a projection in SQLite has."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return {
            table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - own names
            for table in PROJECTION_TABLES
        }


def held_batches(api_url: str) -> int:
    """Return how many snapshots an api holds because the projection has not applied them yet."""
    return int(api_metric(api_url, API_HELD_BATCHES))


def api_metric(api_url: str, name: str) -> float:
    """Return the value of a metric of an api, by its name without the prefix."""
    request = urllib.request.Request(f"{api_url}/metrics")  # noqa: S310 - an api on this machine
    with _DIRECT.open(request, timeout=_ANSWER_S) as response:
        lines = response.read().decode().splitlines()
    full = f"{PREFIX}_{name}"
    [found] = [line for line in lines if line.startswith((f"{full} ", f"{full}{{"))]
    return float(found.rpartition(" ")[2])


def memory_bytes(pids: Mapping[str, int]) -> dict[str, int]:
    """Return the resident memory of each process."""
    return {name: int(psutil.Process(pid).memory_info().rss) for name, pid in pids.items()}
