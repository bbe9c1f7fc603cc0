"""Finalizing a run: facts -> resolve -> replace edges -> affected, components -> publish.

`run.finalize` is the whole of it. This file imports nothing: a scan without changes reads a state and never needs the
graph, whose libraries take longer to load than such a scan may take.
"""
