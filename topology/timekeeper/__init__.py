"""The timekeeper: follows the status topic and writes to the inbox that the deadline of a batch has been reached."""
