"""What clients send: the registration's body and the request record."""
