"""Conformance: the edges of Weft against each language's own authority.

    python -m conformance [REPOSITORY...]        or `make conformance` for the pinned inputs alone

corpora     a commit or folder, exported to where an authority may look at it
graphs      what Weft says of it
<language>  its authorities, and the predicates of its classes of difference
comparison  which pairs both sides speak of, where they differ, which class each difference is of
register    the classes: who is right, and why; one TOML file per language
scores      the figures of each corpus, kept and shown
"""
