"""Each defect of docs/wire-contract.md, 6.4, has a test that holds it away, found by its number.

A test carries the number in its name (`test_defect_NN_…`), or in a marker `defect(NN)` where it holds more than that.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
CONTRACT = TESTS.parent / "docs" / "wire-contract.md"


def listed() -> set[int]:
    _, _, section = CONTRACT.read_text(encoding="utf-8").partition("\n### 6.4 ")
    table, _, _ = section.partition("\n---\n")
    return {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}


def held_by(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
    """The numbers in a test's name and markers."""
    if named := re.match(r"test_defect_(\d+)_", test.name):
        yield int(named[1])
    for decorator in test.decorator_list:
        match decorator:
            case ast.Call(func=ast.Attribute(attr="defect"), args=[ast.Constant(value=int(number))]):
                yield number


def held() -> set[int]:
    found: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found.update(held_by(node))
    return found


def test_every_defect_has_its_test_and_every_number_its_defect() -> None:
    assert listed() == set(range(1, 51))
    assert held() == listed()
