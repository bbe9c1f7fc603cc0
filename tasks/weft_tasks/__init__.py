"""What Weft does: extract facts from files, resolve imports, finalize a run."""
