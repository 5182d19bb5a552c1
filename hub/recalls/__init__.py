"""Recalls: batches of products that must not be sold any more, and where they were scanned."""
