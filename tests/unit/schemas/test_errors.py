"""One table of codes and one tree of errors, for everything that a user can meet."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import errors
from schemas.errors import Code, OrchestratorError

ROOT = Path(__file__).parents[3]
PACKAGES = ("schemas", "state", "runtime", "topology", "api", "cli")
SOURCES = [path for package in (*PACKAGES, "bench") for path in sorted((ROOT / package).rglob("*.py"))]
TABLE = Path(inspect.getfile(errors))


def product_errors() -> set[type[BaseException]]:
    """Return the exceptions that the product's own modules define."""
    found: set[type[BaseException]] = set()
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if ".migrations." in module.name:
                continue  # run by the migration tool, in its own environment
            names = vars(importlib.import_module(module.name)).values()
            found |= {one for one in names if inspect.isclass(one) and issubclass(one, BaseException)}
    return {one for one in found if one.__module__.partition(".")[0] in PACKAGES}


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a module that are not docstrings."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "errors").glob("ORC-*.md")}
    assert pages == {code.value for code in Code}


def test_a_page_is_headed_by_its_code() -> None:
    headings = {page.stem: page.read_text().partition("\n")[0] for page in (ROOT / "docs" / "errors").glob("ORC-*.md")}
    assert {code: heading for code, heading in headings.items() if heading != f"# {code}"} == {}


def test_a_code_is_its_name_in_the_table() -> None:
    assert [code for code in Code if code.value != "ORC-" + code.name.replace("_", "-")] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_refers_to_the_table(path: Path) -> None:
    source = path.read_text()
    if path != TABLE:
        assert [text for text in texts(ast.parse(source)) if "ORC-" in text] == []
    mentioned = set(re.findall(r"ORC-[A-Z-]*[A-Z]", source))
    assert mentioned <= {code.value for code in Code}, "comments and docstrings name codes that exist"


def test_every_error_of_the_product_stands_in_the_tree() -> None:
    found = product_errors()
    assert OrchestratorError in found
    assert {error.__qualname__ for error in found if not issubclass(error, OrchestratorError)} == set()
    assert errors.__doc__ is not None
    drawn = set(re.findall(r"(?:──|^ {4})\s?(\w+) ", errors.__doc__, flags=re.MULTILINE))
    assert {error.__qualname__ for error in found} == drawn


def test_every_code_is_used() -> None:
    used = {name for path in SOURCES for name in re.findall(r"\bCode\.([A-Z_]+)", path.read_text())}
    assert used == {code.name for code in Code}
