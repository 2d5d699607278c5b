"""`bos demo`: real batches from registration to completion through Apache Kafka, with simulated peers."""
