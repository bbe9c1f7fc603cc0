"""The values of the analysis. Imports nothing of ours and touches nothing outside."""
