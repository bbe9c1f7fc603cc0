"""Interfaces: per language, what resolving other files' imports asks of a file. One struct a module."""
