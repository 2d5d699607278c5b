"""The files that browsers get: whole, small, and asking nobody else for anything."""

import gzip
import re
from hashlib import sha256
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[4] / "api" / "dashboard" / "static"
VENDOR = STATIC / "vendor"
BROWSER_VENDOR = Path(__file__).parents[3] / "browser" / "vendor"
OWN = sorted(STATIC.glob("*.js"))


def packed(*files: Path) -> int:
    return sum(len(gzip.compress(file.read_bytes(), 9, mtime=0)) for file in files)


@pytest.mark.parametrize("folder", [VENDOR, BROWSER_VENDOR], ids=["served", "of the browser tests"])
def test_files_of_others_are_as_they_were_published(folder: Path) -> None:
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    locked = {name: digest for digest, name in lines}
    found = {
        file.name: sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.name not in ("SHA256SUMS", "README.md")
    }
    assert found == locked


def test_each_file_of_others_has_its_licence() -> None:
    assert {file.name for file in VENDOR.glob("*.LICENSE.txt")} == {"htmx.LICENSE.txt", "inter.LICENSE.txt"}


def test_scripts_stay_in_their_budgets() -> None:
    assert packed(*OWN) < 6 * 1024
    assert packed(*OWN, *VENDOR.glob("*.js")) < 24 * 1024


def test_styles_stay_in_their_budget() -> None:
    assert packed(*STATIC.glob("*.css")) < 10 * 1024


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_own_scripts_are_checked_and_run_nothing_from_text(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("// @ts-check\n")
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|https?://", text)
