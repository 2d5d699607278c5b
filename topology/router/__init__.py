"""The router: it writes the records of every external topic to the inbox."""
