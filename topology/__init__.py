"""The stream applications, with their Kafka settings, topics, guards and dead letters."""

import warnings

# The stream library loads a registry client that emits a deprecation warning at every start, whatever filter is set.
# Only the package runs before any of its modules imports the library, so the warning is suppressed here.
with warnings.catch_warnings(record=True):
    import quixstreams  # noqa: F401
