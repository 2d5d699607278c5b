from typing import Any

from runtime.settings import Settings
from topology.stream.clients import ClientProperties, client_properties_of
from topology.stream.options import application_options


def plain(**settings: Any) -> ClientProperties:
    made = Settings(_env_file=None, instance="7", **settings)
    return client_properties_of(made, group="group", largest_record=9_000_000, smallest_limit=200_000)


def test_clients_without_the_library_have_the_same_properties_as_those_with_it() -> None:
    made = Settings(_env_file=None, instance="7")
    theirs = application_options(
        made, group="group", guarantee="at-least-once", largest_record=9_000_000, smallest_limit=200_000
    )
    found = plain()
    assert theirs["consumer_extra_config"].items() <= found.consumer.items()
    assert theirs["producer_extra_config"].items() <= found.producer.items()
    assert found.consumer["auto.offset.reset"] == theirs["auto_offset_reset"]


def test_clients_without_the_library_commit_nothing_by_themselves() -> None:
    consumer = plain().consumer
    assert consumer["enable.auto.commit"] is False
    assert consumer["enable.auto.offset.store"] is False


def test_the_queue_of_a_producer_takes_the_largest_record() -> None:
    made = Settings(_env_file=None)
    found = client_properties_of(made, group="group", largest_record=90_000_000)
    assert found.producer["queue.buffering.max.kbytes"] * 1024 > 90_000_000
    found.make_producer()  # librdkafka refuses a queue that is too small


def test_own_topics_are_compressed_unless_the_settings_say_otherwise() -> None:
    assert plain().producer["compression.type"] == "lz4"
    assert plain(kafka_extra={"compression.codec": "none"}).producer["compression.type"] == "none"
    assert "compression.type" not in plain().consumer


def test_what_peers_read_is_not_compressed() -> None:
    # aiokafka, for one, reads lz4 only with a package that it does not bring along.
    made = Settings(_env_file=None)
    orchestrators = application_options(made, group="group", guarantee="exactly-once", largest_record=1)
    assert "compression.type" not in orchestrators["producer_extra_config"]
