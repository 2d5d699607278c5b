"""The AsyncAPI document: every topic, with the schema and an example of each message."""
