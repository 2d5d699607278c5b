"""The HTTP sidecar: registration, status, health and metrics, served from Kafka and the projection database."""
