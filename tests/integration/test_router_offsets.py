"""The router on offsets that are no longer valid, on a real Kafka: what it says, and how it goes on."""

import json
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from cli.broker import Kafka
from runtime import exit_codes
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.settings import Settings
from schemas.topics import ROUTER_INPUTS, Topic
from tests.integration.processes import Log, RunningProcess, provisioned, ready_event, send
from tests.patience import PATIENCE_S, await_that
from topology.router.lost_offsets import INPUT_LOST, INPUT_REPLACED, OFFSETS_LOST
from topology.router.start_offsets import InputOffsets

READY = Topic.ESSAYS_READY


class Site:
    """One router's settings, and what its operator does to the cluster."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.admin = AdminClient(settings.kafka())
        self.ready = settings.topics().name(READY)

    def router(self) -> RunningProcess:
        return RunningProcess("router", self.settings)

    def send(self, *batches: str) -> None:
        send(self.settings, READY, [{"value": ready_event(batch), "partition": 0} for batch in batches])

    def run_until_read(self, *batches: str) -> None:
        """Run a router until everything on partition 0 is committed, and stop it."""
        with self.router() as process, Log(self.settings, Topic.INBOX) as inbox:
            process.await_ready()

            def all_read() -> bool:
                inbox.look()
                return {batch.encode() for batch in batches} <= {message.key() for message in inbox.records}

            await_that(all_read, "every batch is in the inbox", PATIENCE_S)
            await_that(lambda: self.committed() == self.end(), "everything is committed")
            process.terminate()
            assert process.wait(PATIENCE_S) == exit_codes.OK, process.errors

    def refused(self, code: str) -> str:
        """Start a router that must refuse, and return what it says."""
        with self.router() as process:
            assert process.wait(PATIENCE_S) == exit_codes.STATE, process.errors
        assert f"router: {code}: " in process.errors
        return process.errors.partition(f"router: {code}: ")[2]

    def resume(self, start: str) -> dict[tuple[str, int], int]:
        """What `bos inputs resume` does."""
        return self.offsets().resume(start)

    def offsets(self) -> InputOffsets:
        cluster, table = KafkaAdmin(self.settings.kafka()), self.settings.topics()
        counts = cluster.partition_counts(table.name(topic) for topic in ROUTER_INPUTS)
        return InputOffsets(cluster, self.settings, counts)

    def committed(self) -> int | None:
        with CommittedOffsets(self.settings.kafka(), self.settings.router_group, timeout_s=PATIENCE_S) as group:
            return group.read([(self.ready, 0)]).get((self.ready, 0))

    def end(self) -> int:
        at = (self.ready, 0)
        return KafkaAdmin(self.settings.kafka()).log_ends([at], committed=False)[at]

    def remove_before(self, offset: int) -> None:
        """Remove records as retention does."""
        at = TopicPartition(self.ready, 0, offset)
        self.admin.delete_records([at])[at].result(PATIENCE_S)

    def forget(self) -> None:
        """Forget the group's offsets, as Kafka does after a week."""

        def gone() -> bool:
            group = self.settings.router_group
            return self.admin.delete_consumer_groups([group])[group].exception() is None

        await_that(gone, "the group is gone")  # a stopped static member stays until its session ends

    def delete_topic(self) -> None:
        self.admin.delete_topics([self.ready])[self.ready].result(PATIENCE_S)
        await_that(lambda: not self.topic_is_there(), "the topic is gone")

    def create_topic(self) -> None:
        def made() -> bool:
            new = NewTopic(self.ready, num_partitions=self.settings.topics().peer_partitions)
            return self.admin.create_topics([new])[self.ready].exception() is None

        await_that(made, "the topic is made again")
        await_that(self.topic_is_there, "the topic is there")

    def topic_is_there(self) -> bool:
        return self.ready in self.admin.list_topics(timeout=PATIENCE_S).topics

    def inbox_holds(self, *batches: str) -> None:
        with Log(self.settings, Topic.INBOX) as inbox:

            def there() -> bool:
                inbox.look()
                return {batch.encode() for batch in batches} <= {message.key() for message in inbox.records}

            await_that(there, "the batches are in the inbox", PATIENCE_S)


@pytest.fixture
def site(kafka: Kafka) -> Site:
    return Site(provisioned(kafka, router_start="latest"))


def ids(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def start_first(site: Site) -> list[str]:
    """A router's first start, at the end, and ten batches that it reads."""
    with site.router() as process:
        process.await_ready()
        batches = ids(10)
        site.send(*batches)
        await_that(lambda: site.committed() == 10, "ten records are committed", PATIENCE_S)
        process.terminate()
        assert process.wait(PATIENCE_S) == exit_codes.OK, process.errors
    return batches


def test_records_that_retention_removed_unread_are_told_and_the_rest_is_read_on_request(site: Site) -> None:
    start_first(site)
    unread = ids(6)
    site.send(*unread)
    site.remove_before(14)
    said = site.refused(INPUT_LOST)
    assert f"{site.ready}[0]: unread records at offsets 10 to 13 were removed." in said
    assert "bos inputs resume --from earliest" in said
    assert site.committed() == 10, "nothing was committed over it"
    assert site.resume("earliest") == {(site.ready, 0): 14}
    site.run_until_read(*unread[4:])


def test_retention_on_what_was_read_is_no_loss(site: Site) -> None:
    start_first(site)
    site.remove_before(10)
    site.run_until_read()


def test_transaction_markers_that_retention_removed_are_no_loss(site: Site) -> None:
    start_first(site)
    with site.router() as process:
        process.await_ready()
        producer = Producer({**site.settings.kafka(), "transactional.id": site.ready})
        producer.init_transactions(PATIENCE_S)
        for batch in ids(2):
            producer.begin_transaction()
            producer.produce(site.ready, ready_event(batch), partition=0)
            producer.commit_transaction(PATIENCE_S)
        producer.begin_transaction()
        producer.produce(site.ready, ready_event(str(uuid4())), partition=0)
        producer.flush(PATIENCE_S)
        producer.abort_transaction(PATIENCE_S)
        # Two records and their markers, an aborted record and its marker: the last record that is handed out is at 12.
        await_that(lambda: site.end() == 16, "all transactions have ended", PATIENCE_S)
        await_that(lambda: site.committed() == site.end(), "the end is committed", PATIENCE_S)
        process.terminate()
        assert process.wait(PATIENCE_S) == exit_codes.OK, process.errors
    site.remove_before(site.end())
    site.run_until_read()


def test_forgotten_offsets_are_told_though_a_first_start_would_begin_at_the_end(site: Site) -> None:
    start_first(site)
    site.forget()
    missed = ids(3)
    site.send(*missed)
    said = site.refused(OFFSETS_LOST)
    assert f"{site.ready}[0]: its committed offset is gone; unread records lie within offsets 0 to 13." in said
    assert site.committed() is None
    site.resume("earliest")
    site.run_until_read(*missed)


def test_forgotten_offsets_of_a_router_that_read_nothing_yet_are_told(site: Site) -> None:
    with site.router() as process:
        process.await_ready()
        process.terminate()
        assert process.wait(PATIENCE_S) == exit_codes.OK, process.errors
    site.forget()
    site.send(*ids(1))
    site.refused(OFFSETS_LOST)


def test_a_group_of_another_name_does_not_begin_at_the_end_in_silence(site: Site) -> None:
    start_first(site)
    site.settings = site.settings.model_copy(update={"router_group": f"{site.settings.router_group}-renamed"})
    site.refused(OFFSETS_LOST)
    assert set(site.resume("latest").values()) == {0, 10}
    batches = ids(1)
    site.send(*batches)
    site.run_until_read(*batches)


def test_a_topic_that_was_made_again_is_told_and_read_on_request(site: Site) -> None:
    start_first(site)
    site.delete_topic()
    site.create_topic()
    unread = ids(12)  # more than were read of the old one: the old offset would be valid
    site.send(*unread)
    said = site.refused(INPUT_REPLACED)
    assert f"{site.ready}[0]: the topic was deleted and created again." in said
    assert "offsets 0 to 12 of the new one are unread" in said
    site.resume("earliest")
    site.run_until_read(*unread)


def test_a_topic_that_is_made_again_while_the_router_runs_is_told(site: Site) -> None:
    start_first(site)
    with site.router() as process:
        process.await_ready()
        site.delete_topic()
        site.create_topic()
        unread = ids(12)
        site.send(*unread)
        assert process.wait(PATIENCE_S) in {exit_codes.RESTART, exit_codes.STATE, exit_codes.TOPIC}, process.errors
    site.refused(INPUT_REPLACED)
    site.resume("earliest")
    site.run_until_read(*unread)


def test_an_offset_beyond_the_end_is_told(site: Site) -> None:
    start_first(site)
    with CommittedOffsets(site.settings.kafka(), site.settings.router_group, timeout_s=PATIENCE_S) as group:
        group.commit({(site.ready, 0): 500})
    assert "the committed offset 500 lies after the end 10" in site.refused(INPUT_REPLACED)


def test_records_that_are_removed_under_a_running_router_end_it(site: Site) -> None:
    """As where retention overtakes a router that is too slow; here it is stopped for the while."""
    start_first(site)
    extra = {"queued.max.messages.kbytes": 1, "fetch.message.max.bytes": 1_000}
    site.settings = site.settings.model_copy(update={"kafka_extra": extra})
    batches = ids(20_000)
    site.send(*batches)
    with RunningProcess("router", site.settings) as process:
        await_that(lambda: (site.committed() or 0) > 10, "it reads", PATIENCE_S)
        site.remove_before(site.end())
        assert process.wait(PATIENCE_S) == exit_codes.STATE, process.errors
    assert "ORC-OFFSET-OUT-OF-RANGE" in process.errors or INPUT_LOST in process.errors
    assert "were removed" in site.refused(INPUT_LOST)


def test_partitions_and_topics_that_appear_later_are_read_from_their_beginning(site: Site) -> None:
    start_first(site)
    site.admin.create_partitions([NewPartitions(site.ready, 4)])[site.ready].result(PATIENCE_S)
    await_that(
        lambda: KafkaAdmin(site.settings.kafka()).partition_counts([site.ready])[site.ready] == 4,
        "the partition is there",
        PATIENCE_S,
    )
    batch = str(uuid4())
    send(site.settings, READY, [{"value": ready_event(batch), "partition": 3}])
    site.run_until_read(batch)


def test_what_is_lost_can_be_looked_at(site: Site) -> None:
    start_first(site)
    assert site.offsets().lost() == []
    site.forget()
    lost = site.offsets().lost()
    assert {one.loss for one in lost} == {"expired"}
    assert json.dumps([str(one) for one in lost])
