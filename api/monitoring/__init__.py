"""Health, lag and metrics of the whole product, as the api sees them."""
