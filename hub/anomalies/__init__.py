"""Anomalies: what the hub finds wrong in what devices report, by a list of pure detectors."""
