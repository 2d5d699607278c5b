"""Requests to Kafka: write one, wait for the record of its decision, and read what was decided."""
