"""The first administrator: whoever reads the one-time set-up token on the hub's console."""
