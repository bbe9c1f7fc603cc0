"""Stores in Postgres."""
