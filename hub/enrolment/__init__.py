"""Enrolment: a box that nobody knows becomes a gateway with a certificate, by a work order and its one-time code."""
