"""The product's Kafka clients outside the stream library."""
