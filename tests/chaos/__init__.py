"""Faults: what happens to real clusters, done to real servers, real workers and real scans."""
