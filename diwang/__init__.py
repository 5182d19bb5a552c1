"""The command line of Diwang, and its demonstration."""
