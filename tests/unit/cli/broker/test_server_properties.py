"""A broker's properties mean the same to Java as here, and its topics are made by whoever asks for them."""

import re

import pytest

from cli.broker.server_properties import choose_addresses, server_properties


def as_java_reads(text: str) -> dict[str, str]:
    """Read as `java.util.Properties`: escapes decoded, blanks at the front of a value dropped."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        units = re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), value.lstrip(" \t\f"))
        assert "\\" not in re.sub(r"\\u[0-9a-f]{4}", "", value)
        found[name] = units.encode("utf-16", "surrogatepass").decode("utf-16")
    return found


@pytest.mark.parametrize("data", ["/a b/c", "/a\\b", "/c#d!e=f:g", "/å/👩", "/tab\there", " /blank "])
def test_a_path_of_any_characters_is_read_as_it_is(data: str) -> None:
    addresses = choose_addresses(1)
    text = server_properties(addresses[0], addresses, data=data, overrides={})
    assert text.isascii()
    assert as_java_reads(text)["log.dirs"] == data


def test_topics_that_nobody_made_are_made_with_the_partitions_that_peers_have() -> None:
    addresses = choose_addresses(1)
    found = as_java_reads(server_properties(addresses[0], addresses, data="/d", overrides={}))
    assert (found["auto.create.topics.enable"], found["num.partitions"]) == ("true", "3")
