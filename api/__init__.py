"""The HTTP sidecar: registration, status, health and metrics."""
