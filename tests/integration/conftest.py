"""Tests on a real Kafka."""

from cli import verifier
from tests.patience import PATIENCE_S

verifier._TIMEOUT_SECONDS = PATIENCE_S  # no reading of a topic is given up because the machine is busy
