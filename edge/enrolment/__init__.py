"""The box's identity: how it gets one from the hub, keeps it fresh, and forgets it."""
