"""Devices: what hangs on a gateway, and the subject, officer and place that each belongs to."""
