"""`scripts/mutate` exchanges the code of functions only where that is the same as an import of the changed module."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
MODULE = """
LIMIT = 1
def decide(value, most=2):
    return value < most and value > LIMIT
class Rule:
    kind = "rule"
    def holds(self):
        return [one for one in (1, 2) if one == LIMIT]
"""


@pytest.fixture
def rule_patch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import rule_patch  # type: ignore[import-not-found]  # noqa: PLC0415 - scripts are no package

    yield rule_patch
    del sys.modules["rule_patch"]


def compiled(source: str) -> CodeType:
    return compile(source, "module.py", "exec", dont_inherit=True)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("value < most", "value <= most", ["decide"]),
        ("(1, 2)", "(1, 2.0)", ["Rule.holds"]),
        ("one == LIMIT", "one != LIMIT", ["Rule.holds"]),
        ("LIMIT = 1", "LIMIT = True", None),
        ("most=2", "most=3", None),
        ('kind = "rule"', "kind = None", None),
        ("(self)", "(self, _=None)", None),
        ("\ndef decide", "\n# a comment\n\ndef decide", []),
    ],
)
def test_what_runs_at_import_is_told_from_the_bodies_of_functions(
    rule_patch: Any, old: str, new: str, changed: list[str] | None
) -> None:
    found = rule_patch.changed_functions(compiled(MODULE), compiled(MODULE.replace(old, new)))
    assert (None if found is None else [before.co_qualname for before, _ in found]) == changed


class Rules:
    """A module of `state`, imported, and a rule of it."""

    def __init__(self, rule_patch: Any, folder: Path) -> None:
        folder.joinpath("rules.py").write_text(MODULE)
        self.patch = rule_patch.Patch("the limit", "rules", "value > LIMIT", "True", simulated=False)
        self.module: dict[str, Any] = {"__name__": "rules"}
        exec(compile(MODULE, str(folder / "rules.py"), "exec", dont_inherit=True), self.module)
        self.decide: FunctionType = self.module["decide"]
        self.live = rule_patch.live_functions()
        self.place = rule_patch.place(self.decide.__code__)


@pytest.fixture
def rules(rule_patch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rules:
    monkeypatch.setattr(rule_patch, "STATE", tmp_path)
    return Rules(rule_patch, tmp_path)


def test_a_function_that_others_have_imported_already_decides_without_the_rule(rules: Rules) -> None:
    assert rules.decide(0) is False
    assert rules.patch.exchange(rules.live, set())
    assert rules.decide(0) is True


def test_a_function_that_was_called_at_import_is_not_exchanged(rules: Rules) -> None:
    assert not rules.patch.exchange(rules.live, {rules.place})
    assert rules.decide(0) is False


def test_a_function_that_is_nowhere_to_be_found_is_not_exchanged(rules: Rules) -> None:
    assert not rules.patch.exchange({}, set())
