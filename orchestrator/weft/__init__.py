"""Weft: which file depends on which, what changed, in which order, and where the cycles are."""
