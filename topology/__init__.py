"""The stream applications and what they stand on: Kafka settings, topics, guards and dead letters."""
