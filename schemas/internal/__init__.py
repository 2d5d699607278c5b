"""Records of the product's own topics: inbox, status, history and dead letters."""
