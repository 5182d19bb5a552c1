"""Subjects: the businesses under supervision, each with an archive that only grows."""
