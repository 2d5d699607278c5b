"""The committed documents are those of the code."""

import pytest

from api.documents import DIRECTORY, documents


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_the_committed_document_is_the_present_one(name: str) -> None:
    assert (DIRECTORY / name).read_text() == documents()[name], "write it again with `make docs`"
