"""Alerts: one per condition, raised, counted up, and brought to an end by people."""
