"""Ingest: from a message on the broker to everything that it causes, committed, and only then acknowledged."""
