"""The stream applications and what they stand on: Kafka settings, topics, guards and dead letters."""

import warnings

# The stream library loads a registry client that warns, at every start, of its own plans, whatever filter is set. The
# package is the one place that runs before any of its modules imports the library; nothing else stands here.
with warnings.catch_warnings(record=True):
    import quixstreams  # noqa: F401
