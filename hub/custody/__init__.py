"""Custody: the append-only log of what was done with evidence, a Merkle tree that anyone can check (RFC 6962)."""
