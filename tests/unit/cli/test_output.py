"""What commands print."""

import pytest

from cli.output import counted, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("å b/%2F", "å b/%2F"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\x9b", "a\\nb\\tc\\x9b"),
        ("\u202e\ud800", "\\u202e\\ud800"),
    ],
)
def test_a_terminal_is_given_nothing_to_act_on(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_number_comes_with_its_noun() -> None:
    assert [counted(number, "essay") for number in (0, 1, 2)] == ["0 essays", "1 essay", "2 essays"]
