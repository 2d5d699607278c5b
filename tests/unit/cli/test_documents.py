"""docs/cli.md and the man page are those of the commands, and every command has words and an example where it asks."""

import shutil
import subprocess

from cli.documents import MAN_PAGE, MARKDOWN, commands, man_page, markdown


def test_the_documents_are_those_of_the_code() -> None:
    assert MARKDOWN.read_text(encoding="utf-8") == markdown(), "run `make docs`"
    assert MAN_PAGE.read_text(encoding="utf-8") == man_page(), "run `make docs`"


def test_every_command_and_option_has_words() -> None:
    found = commands()
    assert len(found) > 50
    for command in found:
        assert command.text.endswith("."), command.name
        assert all(words for _, words in (*command.arguments, *command.options)), command.name


def test_the_man_page_is_readable() -> None:
    man = shutil.which("man")
    if man is None:
        assert man_page().startswith(".TH BOS 1"), "without `man`, the form alone is looked at"
        return
    shown = subprocess.run([man, "-l", str(MAN_PAGE)], capture_output=True, text=True, check=True).stdout
    assert "bos batches list" in shown
