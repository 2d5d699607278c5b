"""Writes docs/openapi.json and docs/asyncapi.json: `python -m api.documents`, or `make docs`.

The api serves the same documents at /openapi.json and /asyncapi.json, with the limits and topic names of its settings.
"""

from pathlib import Path

from api.app import create_app
from api.asyncapi import document as asyncapi
from api.settings import ApiSettings
from schemas.topics import TopicTable

DIRECTORY = Path(__file__).parents[1] / "docs"


def documents() -> dict[str, str]:
    """Return the text of each document by the name of its file."""
    defaults = ApiSettings.model_construct()
    return {
        "openapi.json": asyncapi.text_of(create_app(defaults).openapi()),
        "asyncapi.json": asyncapi.text_of(asyncapi.document(TopicTable())),
    }


if __name__ == "__main__":
    for name, text in documents().items():
        (DIRECTORY / name).write_text(text)
