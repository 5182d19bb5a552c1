"""Uploads: files that come in pieces over links that break (tus 1.0), and become evidence when they are whole."""
