"""Bytes of the stored record."""

from msgspec.structs import replace

from schemas.internal.codec import FORMAT_VERSION, LEAST_READER, RecordDecoder, encode
from state.batch import Batch

decode_batch: RecordDecoder[Batch] = RecordDecoder(Batch)
"""Bytes of the store to a batch. Raises `NewerRecord` or `UnreadableRecord`."""


def encode_batch(batch: Batch) -> bytes:
    """Return the bytes that the store and its changelog hold, in the format of this code, whoever wrote it before."""
    return encode(replace(batch, writer=FORMAT_VERSION, least_reader=LEAST_READER))
