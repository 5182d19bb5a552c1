"""Footage: what recorders took, kept as evidence: unchanged, accounted for, seen only for a reason."""
