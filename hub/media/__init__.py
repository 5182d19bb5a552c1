"""Media: pictures and clips, content-addressed by SHA-256."""
