"""The relational store: one database, SQLite on one box or PostgreSQL in production, and how to open it."""
