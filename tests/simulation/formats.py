"""The versions that inbox records of the modelled log carry."""

from schemas.internal.codec import FORMAT_VERSION, LEAST_READER


def inbox_versions() -> tuple[int, int]:
    """Return the writer and the least reader of an inbox record."""
    return FORMAT_VERSION, LEAST_READER
