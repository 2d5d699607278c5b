"""Reading the end of the Kafka log: answers to requests, newest snapshots, changes of batches."""
