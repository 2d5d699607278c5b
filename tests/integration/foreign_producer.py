"""A producer as other languages have it: it sends header names that Python's client refuses to send.

Python's client carries its C library, which takes any bytes.
"""

import ctypes

from confluent_kafka import cimpl

from runtime.settings import Settings
from schemas.topics import Topic

_END, _TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _HEADER = 0, 1, 3, 4, 5, 7, 9
"""Kinds of arguments of `rd_kafka_producev`."""
_COPY = 2
_PRODUCER = 0
_PATIENCE_MS = 300_000


def _text(value: bytes) -> tuple[ctypes.c_char_p, ctypes.c_size_t]:
    return ctypes.c_char_p(value), ctypes.c_size_t(len(value))


def send_with_header(
    settings: Settings, topic: Topic, name: bytes, *, key: bytes, value: bytes, partition: int
) -> None:
    """Produce a record that has one header, of this name."""
    library = ctypes.CDLL(cimpl.__file__)  # which finds what it is linked with
    library.rd_kafka_conf_new.restype = library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_producev.argtypes = [ctypes.c_void_p]  # the others are variadic
    error = ctypes.create_string_buffer(256)
    config = ctypes.c_void_p(library.rd_kafka_conf_new())
    for prop, given in settings.kafka().items():
        assert library.rd_kafka_conf_set(config, prop.encode(), str(given).encode(), error, len(error)) == 0, (
            error.value
        )
    producer = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, config, error, ctypes.c_size_t(len(error))))
    assert producer.value, error.value
    arguments = (
        *(_TOPIC, ctypes.c_char_p(settings.topics().name(topic).encode())),
        *(_PARTITION, ctypes.c_int32(partition)),
        *(_KEY, *_text(key)),
        *(_VALUE, *_text(value)),
        *(_HEADER, ctypes.c_char_p(name), *_text(b"value")),
        *(_FLAGS, _COPY),
        _END,
    )
    assert library.rd_kafka_producev(producer, *arguments) == 0
    assert library.rd_kafka_flush(producer, _PATIENCE_MS) == 0
    library.rd_kafka_destroy(producer)
