"""What developers run: the Makefile's parts are the whole, and the hooks of pre-commit are its lint."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import LONGEST_FIRST

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()


def folders(variable: str) -> list[str]:
    """Return the test folders that a variable of the Makefile names."""
    found = re.search(rf"^{variable} := (.+)$", MAKEFILE, re.MULTILINE)
    assert found is not None
    return found[1].split()


def test_every_folder_of_tests_is_run_once() -> None:
    # The long faults have a target of their own, `make faults`; tests/e2e has the short version.
    named = sorted([*folders("WITHOUT_KAFKA"), *folders("IN_BROWSER"), *folders("ON_KAFKA"), "tests/faults"])
    there = sorted({f"tests/{path.relative_to(ROOT / 'tests').parts[0]}" for path in ROOT.glob("tests/*/**/test_*.py")})
    assert named == there


def test_the_files_that_are_run_first_are_there() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / "tests" / name).is_file()] == []


def test_tests_that_need_no_kafka_do_not_ask_for_one() -> None:
    asking = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for folder in folders("WITHOUT_KAFKA")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.name.startswith("test_") or any("fixture" in ast.unparse(mark) for mark in node.decorator_list))
        and "kafka" in {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
    ]
    assert asking == []


def test_the_hooks_of_pre_commit_are_what_lint_runs() -> None:
    [lint] = re.findall(r"^lint:.*\n((?:\t.+\n)+)", MAKEFILE, re.MULTILINE)
    commands = re.findall(r"\$\(BIN\)/([^&\n]+)", lint)
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [f".venv/bin/{command.strip()}" for command in commands]


@pytest.mark.parametrize("folder", ["tests/unit/state", "tests/simulation"])
def test_each_rule_that_is_taken_out_fits_the_code_once(folder: str) -> None:
    rules = tomllib.loads((ROOT / folder / "rules.toml").read_text())["rule"]
    unfit = [
        rule["name"]
        for rule in rules
        if (ROOT / "state" / f"{rule['module']}.py").read_text().count(rule["old"]) != 1 or rule["old"] == rule["new"]
    ]
    assert unfit == [], f"renew these in {folder}/rules.toml"


@pytest.mark.slow
def test_a_word_that_fits_no_rule_is_told_with_the_names_of_the_rules() -> None:
    words = ["no such rule", "nor this"]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/mutate", *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith('No rule\'s name has "no such rule" or "nor this". The names are:\n')
    assert "an essay in both lists failed" in done.stdout


def test_the_rule_that_contributing_shows_is_one_of_them() -> None:
    [shown] = re.findall(r"```toml\n(.+?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    rules = tomllib.loads((ROOT / "tests/unit/state/rules.toml").read_text())["rule"]
    assert tomllib.loads(shown)["rule"][0] in rules
