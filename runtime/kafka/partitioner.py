"""The partition of a key: murmur2 as in Kafka's own clients, so that a reader knows which partition to read."""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32 bit hash that Kafka's default partitioner uses (seed 0x9747b28c)."""
    length = len(data)
    value = 0x9747B28C ^ length
    whole = length - length % 4
    for index in range(0, whole, 4):
        k = int.from_bytes(data[index : index + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        value = value * _M & _MASK ^ k
    if whole < length:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    value = (value ^ value >> 13) * _M & _MASK
    return value ^ value >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` on a topic with that many."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
