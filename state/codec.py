"""Bytes of the stored record."""

from msgspec.structs import replace

from schemas.internal.codec import RecordDecoder, encode
from schemas.internal.formats import BATCH
from state.batch import Batch

decode_batch: RecordDecoder[Batch] = RecordDecoder(Batch, BATCH)
"""Bytes of the store to a batch. Raises `NewerRecord`, `OlderRecord` or `UnreadableRecord`."""


def encode_batch(batch: Batch) -> bytes:
    """Return the bytes that the store and its changelog hold, in the format of this code, whoever wrote it before."""
    return encode(replace(batch, writer=BATCH.version, least_reader=BATCH.least_reader))
