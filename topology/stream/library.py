"""What the product uses of quixstreams, imported without its warning, and only by processes that run on it.

It loads a registry client that emits a deprecation warning at every start, whatever filter is set.
"""

import warnings

with warnings.catch_warnings(record=True):
    from quixstreams import Application, message_context
    from quixstreams.checkpointing import InvalidStoredOffset
    from quixstreams.dataframe import StreamingDataFrame
    from quixstreams.internal_producer import KafkaProducerTransactionCommitFailed
    from quixstreams.kafka import ConnectionConfig
    from quixstreams.kafka.consumer import raise_for_msg_error
    from quixstreams.models import HeadersTuples, Serializer, TopicAdmin, TopicConfig
    from quixstreams.sinks import BaseSink
    from quixstreams.state.base.transaction import PartitionTransactionStatus
    from quixstreams.state.exceptions import InvalidStoreChangelogOffset, StateRecoveryOffsetOutOfRange
    from quixstreams.state.metadata import SEPARATOR, Marker
    from quixstreams.state.rocksdb import RocksDBOptions

__all__ = [
    "SEPARATOR",
    "Application",
    "BaseSink",
    "ConnectionConfig",
    "HeadersTuples",
    "InvalidStoreChangelogOffset",
    "InvalidStoredOffset",
    "KafkaProducerTransactionCommitFailed",
    "Marker",
    "PartitionTransactionStatus",
    "RocksDBOptions",
    "Serializer",
    "StateRecoveryOffsetOutOfRange",
    "StreamingDataFrame",
    "TopicAdmin",
    "TopicConfig",
    "message_context",
    "raise_for_msg_error",
]
