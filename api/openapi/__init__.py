"""The OpenAPI document: every answer that can come, with its headers and an example."""
