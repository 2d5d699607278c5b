"""The end of the Kafka log, followed by the api: answers, newest snapshots, changes."""
