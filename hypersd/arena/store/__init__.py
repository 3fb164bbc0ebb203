"""Storage of votes in SQLite or PostgreSQL: tables, queries, row mapping, the outbox for publishing."""
