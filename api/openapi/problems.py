"""The errors of each route, as the OpenAPI document lists them."""

from typing import Any, NamedTuple

from api.errors import MEDIA_TYPE
from schemas.errors import Code

BATCH_ID = "2f5e7b1c-5a0e-4c53-9a2b-0f8f4f1f7d11"
LETTER_ID = "d3f91cf7-cb3a-5496-a82f-73d0e141d213"
CORRELATION_ID = "7c9f0b9e-1f43-4f0e-8f8e-3f1f0c2d9b55"


class KnownProblem(NamedTuple):
    """The example of one error code: its status, its texts, and its members beside those of every problem."""

    status: int
    error: str
    detail: str
    next_step: str
    extra: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple's default, never changed


_FAULT = {"type": "missing", "loc": ["course_code"], "msg": "Field required"}
_AGAIN = "Send it again in a moment; if it fails again, /healthz says what is wrong."
_BAD_BODY = "Request body must be valid JSON"
_JSON = "Send one JSON object in UTF-8 with Content-Type: application/json."
_WITH_KEY = "Send it again with the same Idempotency-Key, which is safe."

PROBLEMS: dict[str, KnownProblem] = {
    Code.BAD_JSON: KnownProblem(
        400, _BAD_BODY, "The body cannot be read as a JSON object: it is not an object.", _JSON
    ),
    Code.CONTENT_TYPE: KnownProblem(400, _BAD_BODY, "The content type is 'text/plain', not application/json.", _JSON),
    Code.REQUEST_BODY: KnownProblem(
        400,
        "Validation Error",
        "course_code: Field required",
        "Correct the request's body and send it again; docs/wire-contract.md, registration, lists its fields.",
        {"details": [_FAULT]},
    ),
    Code.TOO_MANY_VALUES: KnownProblem(
        400, _BAD_BODY, "The body holds more values than can be taken.", "Register fewer essays at a time."
    ),
    Code.HEADER: KnownProblem(
        400,
        "Validation Error",
        "Idempotency-Key must be 1 to 255 printable ASCII characters.",
        "Send a UUID of your own as the key.",
        {"details": [{"type": "header", "loc": ["header", "Idempotency-Key"], "msg": "not usable as a key"}]},
    ),
    Code.HEADER_REPEATED: KnownProblem(
        400, "Validation Error", "The header x-user-id is given 2 times.", "Send it once."
    ),
    Code.VALIDATION: KnownProblem(
        400,
        "Validation Error",
        "query.wait: Input should be greater than or equal to 0",
        "Correct the parameters named in details, then send the request again.",
        {"details": [{"type": "greater_than_equal", "loc": ["query", "wait"], "msg": "Input should be at least 0"}]},
    ),
    Code.UNAUTHENTICATED: KnownProblem(
        401,
        "Unauthorized",
        "The request has no credential.",
        "Send an API key or a token as `Authorization: Bearer …`, or log in at /login with a browser.",
    ),
    Code.SCOPE: KnownProblem(
        403,
        "Forbidden",
        "The caller may not do this: the scope batches:read is missing.",
        "Use a credential with that scope, or name a user in X-User-ID where none is needed.",
    ),
    Code.FOREIGN_PAGE: KnownProblem(
        403,
        "Forbidden",
        "The request comes from a page of another site.",
        "Use the dashboard at the api's own address, or a program.",
    ),
    Code.HOST: KnownProblem(
        421,
        "Misdirected Request",
        "The api does not answer under the name batches.example.",
        "Use its address, or have the operator add the name to ALLOWED_HOSTS.",
    ),
    Code.RATE_LIMIT: KnownProblem(
        429,
        "Too Many Requests",
        "The caller sends more requests than RATE_LIMIT_PER_S allows.",
        "Wait for the seconds of Retry-After; the operator can raise the limit.",
    ),
    Code.BATCH_NOT_FOUND: KnownProblem(
        404,
        "Batch not found",
        "There is no such batch, or it belongs to somebody else.",
        "Check the id, and that X-User-ID and X-Org-ID name the batch's owner.",
        {"batch_id": BATCH_ID},
    ),
    Code.NO_ROUTE: KnownProblem(
        404, "Not found", "There is nothing at this path.", "Look at /docs for the paths that exist."
    ),
    Code.METHOD: KnownProblem(
        405, "Method not allowed", "PUT is not possible here.", "Use a method that the Allow header names."
    ),
    Code.BODY_TIMEOUT: KnownProblem(408, "Request body too slow", "The body has not come within 30 s.", _WITH_KEY),
    Code.REFUSED: KnownProblem(
        409,
        "Request refused",
        "A batch of this id exists and belongs to somebody else.",
        "Use another Idempotency-Key, or ask as the user who registered the batch.",
        {"reason": "foreign_batch_id", "batch_id": BATCH_ID},
    ),
    Code.VERSION_CHANGED: KnownProblem(
        412,
        "Precondition failed",
        "The batch has changed: it does not have the version that the request names.",
        "Read the batch's status, decide again, and send the request with the ETag of that status.",
        {"reason": "version_changed", "batch_id": BATCH_ID, "batch_status": "processing_pipelines", "version": 17},
    ),
    Code.VERSION_NOT_FOUND: KnownProblem(
        404,
        "Version not found",
        "The batch has no decision at 17: its decisions go from 1200 to 4711.",
        "Use a version of the batch's history.",
        {"batch_id": BATCH_ID, "version": 17},
    ),
    Code.PIPELINE: KnownProblem(
        422,
        "Pipeline not usable",
        "the pipelines file, line 4: phases wait for each other: a -> b -> a.",
        "Correct the definition, then try `bos pipelines check FILE`; docs/pipelines.md has the fields.",
    ),
    Code.CURSOR: KnownProblem(
        400,
        "Validation Error",
        "'abc' is no cursor of this list.",
        "Begin at the first page, and go on with the cursor that each page gives.",
    ),
    Code.FILTER: KnownProblem(
        400,
        "Validation Error",
        "There is no filter statuses.",
        "Did you mean status?",
        {"details": [{"type": "filter", "loc": ["query", "statuses"], "msg": "There is no filter statuses."}]},
    ),
    Code.PROCESS_NOT_FOUND: KnownProblem(
        404,
        "Process not found",
        "No process of this kind and instance is listed.",
        "Look at the names in `bos system status`.",
    ),
    Code.PROCESS_LIVE: KnownProblem(
        409,
        "Process is live",
        "orchestrator/2 reports, so it cannot be forgotten.",
        "Stop it first; one that stops in order is not missing.",
    ),
    Code.OPERATION_FILTER: KnownProblem(
        422,
        "Validation Error",
        "The filter is empty, so it would fit everything.",
        "Name at least one thing that the items have in common, or give their ids.",
    ),
    Code.OPERATION_NOT_FOUND: KnownProblem(
        404,
        "Operation not found",
        "There is no such operation, or it belongs to somebody else.",
        "Check the id; an operation is kept for as long as the history of what it has done.",
        {"operation_id": CORRELATION_ID},
    ),
    Code.LETTER_FILTER: KnownProblem(
        422,
        "Validation Error",
        "The filter is empty, so it would fit every dead letter.",
        "Name at least one of code, topic, batch, since and until.",
    ),
    Code.LETTER_NOT_FOUND: KnownProblem(
        404,
        "Dead letter not found",
        "There is no such dead letter.",
        "Check the id; a dead letter is kept for 30 days, and is shown a moment after it was written.",
        {"dead_letter_id": LETTER_ID},
    ),
    Code.LETTER_REFUSED: KnownProblem(
        409,
        "Dead letter refused",
        "It was replayed, and has not failed again.",
        "None: if it fails again, it is open again, with the newer fault.",
        {"reason": "already_replayed", "dead_letter_id": LETTER_ID},
    ),
    Code.LETTER_LIMIT: KnownProblem(
        422,
        "Too many dead letters",
        "The filter fits 4711 dead letters; at most 1000 are worked at once.",
        "Narrow it with since and until, or give a limit: then the oldest so many are taken.",
        {"count": 4_711, "limit": 1_000},
    ),
    Code.RECORDS_EXPIRED: KnownProblem(
        410,
        "Records expired",
        "The record at offset 17 of huleedu.batch.orchestrator.inbox.v1[2] is not there any more: the partition begins "
        "at offset 4711.",
        "What was decided stands in the batch's history (`bos batches history ID`).",
    ),
    Code.BODY_TOO_LARGE: KnownProblem(
        413,
        "Request body too large",
        "The request is larger than the limit of 4194304 bytes.",
        "Register or name fewer essays at a time, or raise BATCH_ORCHESTRATOR_SERVICE_MAX_INPUT_BYTES.",
        {"limit_bytes": 4_194_304},
    ),
    Code.CONTENT_ENCODING: KnownProblem(
        415,
        "Unsupported content encoding",
        "The body is encoded as 'gzip'; compressed bodies are not accepted.",
        "Send the body without compression and without Content-Encoding.",
    ),
    Code.KEY_REUSED: KnownProblem(
        422,
        "Request refused",
        "This key was used before with another body.",
        "Use a new Idempotency-Key for another batch, or send the first body again to get its answer.",
        {"reason": "key_reused", "batch_id": BATCH_ID},
    ),
    Code.ERA_GAP: KnownProblem(
        422,
        "Validation Error",
        "the peers are of the head era (PEER_ERA=head): user_id is missing",
        "Send what the head era knows, or run with PEER_ERA=any, which maps it to a fallback.",
    ),
    Code.UNDECODABLE: KnownProblem(
        422,
        "Request cannot be used",
        f"The request was written, but it cannot be used ({Code.UNREADABLE}): it is not JSON",
        "Correct the body and send it again; the dead letter keeps what was sent.",
        {"dead_letter_id": "requests-0-17", "dead_letter_code": Code.UNREADABLE},
    ),
    Code.QUARANTINED: KnownProblem(
        500,
        "Request failed",
        "The request was written, but deciding on it failed; it is kept as a dead letter.",
        "Report the dead letter's id to the operator, who can look at it and send it again.",
        {"dead_letter_id": "inbox-0-17"},
    ),
    Code.REPLAY_DIFFERS: KnownProblem(
        500,
        "Replay differs",
        "The record at offset 17 of partition 2 of the inbox cannot be decoded, though its history says that it was "
        "decided: it is not JSON",
        "Report it: a record of the inbox has been replaced or was written by something else.",
    ),
    Code.INTERNAL: KnownProblem(
        500,
        "Internal error",
        "The service failed on this request.",
        "Send it again with the same Idempotency-Key; if it fails again, report the correlation id.",
    ),
    Code.NOT_READY: KnownProblem(
        503, "Service is not ready", "Requests cannot be answered yet: the Kafka log is still being read.", _AGAIN
    ),
    Code.BROKER: KnownProblem(
        503,
        "Kafka is not available",
        "Kafka has not acknowledged the request: Local: Message timed out.",
        _WITH_KEY,
        {"batch_id": BATCH_ID},
    ),
    Code.NO_ANSWER: KnownProblem(
        503,
        "No answer in time",
        "The request is durable in Kafka, but no decision came in time; repeating it is safe with its key.",
        "Send it again with the same Idempotency-Key, or poll the Location until the batch exists.",
        {"batch_id": BATCH_ID},
    ),
    Code.FILTER: KnownProblem(
        400,
        "Validation Error",
        "There is no filter statsu.",
        "Did you mean status?",
        {"details": [{"type": "value_error", "loc": ["query", "statsu"], "msg": "There is no filter statsu."}]},
    ),
    Code.ID_NOT_FOUND: KnownProblem(
        404,
        "Id not found",
        "Nothing that you may see has this id, and it is no unique beginning of one.",
        "Give the whole id, or at least 6 characters with which only one id begins.",
    ),
    Code.PIPELINE_NOT_FOUND: KnownProblem(
        404, "Pipeline not found", "There is no pipeline definition of this name.", "Did you mean default?"
    ),
    Code.DECISIONS_BEHIND: KnownProblem(
        503,
        "Decisions are behind",
        "Decisions are 90 s behind, and 60 s are allowed: nothing was written.",
        "Send the registration again in 30 s, with the same Idempotency-Key.",
        {"lag_seconds": 90.0},
    ),
    Code.TOO_MANY_STREAMS: KnownProblem(
        503,
        "Service is busy",
        "2000 streams are open in this process, which is the limit, or it is about to stop.",
        "Connect again in a moment.",
    ),
    Code.BUSY: KnownProblem(503, "Service is busy", "256 registrations are under way, which is the limit.", _AGAIN),
}

ACCESS = (Code.UNAUTHENTICATED, Code.FOREIGN_PAGE, Code.HOST, Code.RATE_LIMIT)
"""Codes of `api.access.middleware`, which stands before every route."""
EVERYWHERE = (Code.HEADER, Code.HEADER_REPEATED, Code.METHOD, Code.INTERNAL, Code.SCOPE)
REGISTER = (
    *EVERYWHERE,
    *(Code.BAD_JSON, Code.CONTENT_TYPE, Code.REQUEST_BODY, Code.TOO_MANY_VALUES, Code.BODY_TIMEOUT),
    *(Code.REFUSED, Code.BODY_TOO_LARGE, Code.CONTENT_ENCODING, Code.KEY_REUSED, Code.ERA_GAP),
    *(Code.UNDECODABLE, Code.QUARANTINED, Code.NOT_READY, Code.BROKER, Code.NO_ANSWER, Code.BUSY),
    Code.DECISIONS_BEHIND,
)
CONTROL = (
    *EVERYWHERE,
    *(Code.BAD_JSON, Code.CONTENT_TYPE, Code.REQUEST_BODY, Code.TOO_MANY_VALUES, Code.VALIDATION),
    *(Code.BATCH_NOT_FOUND, Code.NO_ROUTE, Code.BODY_TIMEOUT, Code.REFUSED, Code.RECORDS_EXPIRED, Code.VERSION_CHANGED),
    *(Code.BODY_TOO_LARGE, Code.CONTENT_ENCODING, Code.KEY_REUSED, Code.UNDECODABLE, Code.QUARANTINED),
    *(Code.REPLAY_DIFFERS, Code.NOT_READY, Code.BROKER, Code.NO_ANSWER, Code.BUSY),
)
STATUS = (
    *EVERYWHERE,
    *(Code.VALIDATION, Code.BATCH_NOT_FOUND, Code.NO_ROUTE, Code.NOT_READY, Code.BUSY),
)
SYSTEM = (*EVERYWHERE, Code.BUSY)
NUMBERS = (*SYSTEM, Code.NOT_READY)
FORGET_PROCESS = (*NUMBERS, Code.PROCESS_NOT_FOUND, Code.PROCESS_LIVE, Code.NO_ROUTE, Code.BROKER)
BATCH_LIST = (*NUMBERS, Code.VALIDATION, Code.FILTER, Code.CURSOR)
ONE_PIPELINE = (*NUMBERS, Code.PIPELINE_NOT_FOUND, Code.NO_ROUTE)
GO = (*NUMBERS, Code.VALIDATION, Code.ID_NOT_FOUND, Code.NO_ROUTE)
STREAM = (*EVERYWHERE, *(Code.VALIDATION, Code.FILTER, Code.NOT_READY, Code.TOO_MANY_STREAMS, Code.BUSY))
BATCH_STREAM = (*(code for code in STREAM if code is not Code.FILTER), Code.BATCH_NOT_FOUND, Code.NO_ROUTE)
_HEADERS_OF = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    412: ("ETag",),
    415: ("Accept-Encoding",),
    429: ("Retry-After",),
    503: ("Retry-After", "Location"),
}
HISTORY = (
    *EVERYWHERE,
    *(Code.VALIDATION, Code.CURSOR, Code.BATCH_NOT_FOUND, Code.NO_ROUTE, Code.NOT_READY, Code.BUSY),
)
CONTROL_REQUESTS = tuple(code for code in HISTORY if code not in {Code.BATCH_NOT_FOUND, Code.NO_ROUTE})
REPLAY = (
    *EVERYWHERE,
    *(Code.VALIDATION, Code.BATCH_NOT_FOUND, Code.NO_ROUTE, Code.RECORDS_EXPIRED, Code.REPLAY_DIFFERS),
    *(Code.NOT_READY, Code.BUSY),
)
_BODIES = (
    *(Code.BAD_JSON, Code.CONTENT_TYPE, Code.REQUEST_BODY, Code.TOO_MANY_VALUES),
    *(Code.BODY_TIMEOUT, Code.BODY_TOO_LARGE, Code.CONTENT_ENCODING),
)
EXPLAIN = (*REPLAY, Code.VERSION_NOT_FOUND)
IMAGINE = (*REPLAY, *_BODIES)
BATCH = EXPLAIN
"""With `at`, a batch can be without its records, or without that version."""
_TEXT_BODY = (Code.CONTENT_TYPE, Code.BODY_TIMEOUT, Code.BODY_TOO_LARGE, Code.CONTENT_ENCODING)
WHAT_IF = (*REPLAY, *_TEXT_BODY, Code.PIPELINE)
LETTERS = (*EVERYWHERE, *(Code.VALIDATION, Code.CURSOR, Code.NOT_READY, Code.BUSY))
LETTER = (*EVERYWHERE, *(Code.LETTER_NOT_FOUND, Code.NO_ROUTE, Code.NOT_READY, Code.BUSY))
LETTER_PREVIEW = (*LETTER, Code.LETTER_REFUSED)
LETTER_WORK = (*LETTER, *_BODIES, Code.LETTER_REFUSED, Code.BROKER)
OPERATIONS = (*EVERYWHERE, *(Code.VALIDATION, Code.SCOPE, Code.BUSY))
OPERATION = (*EVERYWHERE, *(Code.SCOPE, Code.OPERATION_NOT_FOUND, Code.NO_ROUTE, Code.BUSY))
BEGIN_OPERATION = (
    *(*EVERYWHERE, *_BODIES, Code.FILTER, Code.SCOPE, Code.OPERATION_FILTER, Code.KEY_REUSED),
    *(Code.NOT_READY, Code.BROKER, Code.BUSY),
)
LETTER_GROUP = (
    *(*EVERYWHERE, *_BODIES, Code.VALIDATION, Code.LETTER_FILTER, Code.LETTER_LIMIT),
    *(Code.NOT_READY, Code.BROKER, Code.BUSY),
)


def problem_responses(codes: tuple[str, ...], path: str) -> dict[str, Any]:
    """Return the responses of these codes, and of those of `ACCESS`, by HTTP status, with an example of each code."""
    found: dict[str, Any] = {}
    for code in sorted({*codes, *ACCESS}, key=lambda code: (PROBLEMS[code].status, code)):
        problem = PROBLEMS[code]
        response = found.setdefault(str(problem.status), _response(problem))
        response["content"][MEDIA_TYPE]["examples"][code] = {"summary": problem.detail, "value": _body(code, path)}
    return found


def _response(problem: KnownProblem) -> dict[str, Any]:
    names = ("X-Correlation-ID", *_HEADERS_OF.get(problem.status, ()))
    return {
        "description": problem.error,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
    }


def _body(code: str, path: str) -> dict[str, Any]:
    problem = PROBLEMS[code]
    return {
        "correlation_id": CORRELATION_ID,
        "type": f"urn:batch-orchestrator:error:{code}",
        "title": problem.error,
        "status": problem.status,
        "detail": problem.detail,
        "code": code,
        "next_step": problem.next_step,
        "instance": path.replace("{batch_id}", BATCH_ID)
        .replace("{dead_letter_id}", LETTER_ID)
        .replace("{operation_id}", CORRELATION_ID),
        "error": problem.error,
        **problem.extra,
    }
