"""The router: every external topic into the inbox."""
