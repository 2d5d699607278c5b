"""The line of a value is that on which its statement begins."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.pipelines.lines import Place, line_of

TEXT = """\
# a comment
title = "x"

list = [   # over several lines
  "[[tables]]",
  2,
]
text = '''
[[tables]]
name = "none"
'''
inline = {a = 1, b = {c = 2}}
dotted.a.b = 1

[[tables]]
name = "first"

[[tables.inner]]
x = 1
[[tables.inner]]
x = 2
[[tables]]
# nothing but a comment
name = "second"
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("title",), 2),
        (("list",), 4),
        (("list", 1), 4),
        (("text",), 8),
        (("inline", "b", "c"), 12),
        (("dotted", "a", "b"), 13),
        (("tables", 0), 15),
        (("tables", 0, "name"), 16),
        (("tables", 0, "inner", 0, "x"), 19),
        (("tables", 0, "inner", 1), 20),
        (("tables", 1), 22),
        (("tables", 1, "name"), 24),
        (("tables", 1, "missing"), 22),
        (("tables", 2), 15),
        (("nothing",), 1),
        ((), 1),
    ],
)
def test_the_line_is_where_the_statement_begins(place: Place, line: int) -> None:
    assert line_of(TEXT, place) == line
    assert line_of(TEXT.replace("\n", "\r\n"), place) == line


@settings(settings.get_profile("ci"))  # `scripts/mutate` reads no conftest
@given(st.lists(st.sampled_from(["x{} = 1", "x{} = [\n1,\n2]", "# {}", "", "x{} = '''\n\n'''"]), max_size=30))
def test_every_value_is_found_on_its_line(statements: list[str]) -> None:
    text = "\n".join(statement.format(number) for number, statement in enumerate(statements))
    document: dict[str, Any] = tomllib.loads(text)
    for name in document:
        assert text.split("\n")[line_of(text, (name,)) - 1].startswith(f"{name} =")
