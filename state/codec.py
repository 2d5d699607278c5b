"""Bytes of the stored record."""

from schemas.codec import RecordDecoder, encode
from state.batch import Batch

decode_batch: RecordDecoder[Batch] = RecordDecoder(Batch)
"""Bytes of the store to a batch. Raises `NewerRecord` or `UnreadableRecord`."""


def encode_batch(batch: Batch) -> bytes:
    """Return the bytes that the store and its changelog hold."""
    return encode(batch)
