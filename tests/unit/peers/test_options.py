from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from peers.__main__ import options_of, parser
from peers.options import PeerOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"era": "2025"},
        {"class_batches": "sometimes"},
        {"failed_essay_rate": 1.1},
        {"repeat_rate": -0.1},
        {"latency": (2.0, 1.0)},
        {"repeat_delay": (-1.0, 1.0)},
        {"reorder_spread": -1.0},
    ],
)
def test_options_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(ValueError, match=name):
        PeerOptions(**wrong)


def test_a_bare_command_line_means_the_defaults() -> None:
    assert options_of(parser().parse_args(["--bootstrap", "127.0.0.1:9092"])) == PeerOptions()


def test_the_command_line_reaches_every_option() -> None:
    line = (
        "--bootstrap 127.0.0.1:9092 --era head --seed 4 --latency 0.5 1 --validation-failure-rate 0.1"
        " --failed-essay-rate 0.2 --unaccounted-rate 0.3 --critical-rate 0.4 --repeat-rate 0.5 --repeat-delay 1 3"
        " --reorder-spread 2 --keyless --class-batches associations --silent --topic-prefix school --read-committed"
        " --trust-ends --from-beginning --kafka security.protocol=SSL --kafka ssl.ca.location=/a=b.pem"
    )
    options = options_of(parser().parse_args(line.split()))
    assert options.kafka == {"security.protocol": "SSL", "ssl.ca.location": "/a=b.pem"}
    defaults = PeerOptions()
    unchanged = [
        field.name for field in fields(options) if getattr(options, field.name) == getattr(defaults, field.name)
    ]
    assert unchanged == []


def test_keyed_is_the_opposite_of_keyless() -> None:
    assert options_of(parser().parse_args(["--bootstrap", "x", "--keyed"])).keyless is False
