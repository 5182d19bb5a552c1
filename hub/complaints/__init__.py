"""Complaints, reports and suggestions from the public: received with a number, and sorted by a person."""
