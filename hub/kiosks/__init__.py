"""Kiosks: terminals for the public, a browser page that speaks with a key of its own and tells that it is alive."""
