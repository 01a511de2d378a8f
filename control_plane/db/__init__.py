"""The ledger in PostgreSQL: one store per noun, rows to dataclasses, no decisions."""
