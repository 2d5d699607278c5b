"""The stream applications, with their Kafka settings, topics, guards and dead letters."""
