"""Reports: what a command found, as documents, machine formats and text. Knows values only: no store, no terminal."""
