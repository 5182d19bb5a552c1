"""Terminals: in vehicles (JT/T 808), and in communities."""
