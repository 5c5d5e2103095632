"""The TokenGS network."""
