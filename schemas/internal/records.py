"""Keys, bytes and headers of the internal records: inbox, status, history, reports of processes, operations."""

from schemas.internal import formats
from schemas.internal.codec import RecordDecoder, encode
from schemas.internal.events import InboxRecord
from schemas.internal.history import HistoryRecord
from schemas.internal.operations import STOP, OperationRecord
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.processes import ProcessRecord
from schemas.internal.status import StatusRecord
from schemas.topics import Topic

VERSION = "version"
NEXT_DEADLINE_MS = "next_deadline_ms"
DISPOSITION = "disposition"
REQUEST_ID = "request_id"

decode_inbox: RecordDecoder[InboxRecord] = RecordDecoder(InboxRecord, formats.INBOX)
decode_status: RecordDecoder[StatusRecord] = RecordDecoder(StatusRecord, formats.STATUS)
decode_history: RecordDecoder[HistoryRecord] = RecordDecoder(HistoryRecord, formats.HISTORY)
decode_process: RecordDecoder[ProcessRecord] = RecordDecoder(ProcessRecord, formats.PROCESS)
decode_operation: RecordDecoder[OperationRecord] = RecordDecoder(OperationRecord, formats.OPERATION)


def inbox_outgoing(record: InboxRecord) -> OutgoingRecord:
    """Return the inbox record to publish. It has no headers: all it says is in its value."""
    return OutgoingRecord(Topic.INBOX, record.batch_id.encode(), encode(record))


def status_outgoing(record: StatusRecord) -> OutgoingRecord:
    """Return the snapshot to publish, with its version and its earliest deadline in headers."""
    headers = [(VERSION, b"%d" % record.version)]
    if record.deadlines:
        headers.append((NEXT_DEADLINE_MS, b"%d" % record.deadlines[0].due_ms))
    return OutgoingRecord(Topic.STATUS, record.batch_id.encode(), encode(record), tuple(headers))


def status_tombstone(batch_id: str, version: int) -> OutgoingRecord:
    """Return the end of a batch on the status topic: it was purged by the event that gave it `version`."""
    return OutgoingRecord(Topic.STATUS, batch_id.encode(), None, ((VERSION, b"%d" % version),))


def history_outgoing(record: HistoryRecord) -> OutgoingRecord:
    """Return the history record to publish."""
    headers = [(VERSION, b"%d" % record.version), (DISPOSITION, record.disposition.value.encode())]
    if record.request_id is not None:
        headers.append((REQUEST_ID, record.request_id.encode()))
    return OutgoingRecord(Topic.HISTORY, record.batch_id.encode(), encode(record), tuple(headers))


def process_outgoing(record: ProcessRecord) -> OutgoingRecord:
    """Return the process record to publish. It has no headers: all it says is in its value."""
    return OutgoingRecord(Topic.PROCESSES, record.name.encode(), encode(record))


def operation_outgoing(record: OperationRecord) -> OutgoingRecord:
    """Return the operation record to publish. It has no headers: all it says is in its value."""
    return OutgoingRecord(Topic.OPERATIONS, record.operation_id.encode(), encode(record))


def operation_stop_outgoing(record: OperationRecord) -> OutgoingRecord:
    """Return the wish to stop an operation to publish."""
    return OutgoingRecord(Topic.OPERATIONS, f"{record.operation_id}{STOP}".encode(), encode(record))


def operation_tombstones(operation_id: str) -> tuple[OutgoingRecord, ...]:
    """Return what removes an operation that ended long ago."""
    keys = (operation_id, f"{operation_id}{STOP}")
    return tuple(OutgoingRecord(Topic.OPERATIONS, key.encode(), None) for key in keys)
