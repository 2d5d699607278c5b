"""Exit codes of commands that ask something of the api (docs/commands.md). Processes have those of `runtime`."""

OK = 0
ENDED_OTHERWISE = 1
"""With `--exit-status`: the batch did not end with success. Also an error that has no code of its own here."""
USAGE = 2
"""The command line, or the request made of it, is wrong."""
NOT_FOUND = 3
REFUSED = 4
"""The orchestrator refused the request; nothing was changed."""
NOT_ALLOWED = 5
UNDECIDED = 6
"""The api cannot be reached, or no decision came in time; a repeat with the same key is safe."""
TIMEOUT = 7
"""The time given with `--timeout` is over."""
SOME_REFUSED = 8
"""Of several requests, at least one was not applied."""
INTERRUPTED = 130
"""By a signal, or by a person who does not confirm what was asked."""
MEANINGS = {
    OK: "done",
    ENDED_OTHERWISE: "with --exit-status: the batch ended partly, failed or cancelled; a replay that differs; HTTP 500",
    USAGE: "the command line or the request is wrong",
    NOT_FOUND: "there is no such thing, or it belongs to somebody else",
    REFUSED: "refused by the orchestrator; nothing was changed",
    NOT_ALLOWED: "not allowed",
    UNDECIDED: "the api cannot be reached, or nothing is decided yet: a repeat with the same --key is safe",
    TIMEOUT: "the time of --timeout is over",
    SOME_REFUSED: "of several requests, at least one was not applied",
    INTERRUPTED: "interrupted, or not confirmed",
}
"""What each code says, for `bos help exit-codes` and the man page."""

_BY_STATUS = {
    401: NOT_ALLOWED,
    403: NOT_ALLOWED,
    404: NOT_FOUND,
    408: UNDECIDED,
    409: REFUSED,
    410: REFUSED,
    412: REFUSED,
    422: REFUSED,
    429: UNDECIDED,
    502: UNDECIDED,
    503: UNDECIDED,
    504: UNDECIDED,
}


def of_http_status(status: int) -> int:
    """Return the exit code for the HTTP status of an answer."""
    if status < 400:
        return OK
    return _BY_STATUS.get(status, USAGE if status < 500 else ENDED_OTHERWISE)


def of_several(codes: list[int]) -> int:
    """Return the exit code of a command that made one request for each code."""
    if len(codes) == 1:
        return codes[0]
    if not any(codes):
        return OK
    return UNDECIDED if UNDECIDED in codes else SOME_REFUSED
