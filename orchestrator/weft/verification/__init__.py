"""Verification: what a store holds against what a repository says, worked out from zero. Prints nothing."""

from weft.verification.comparison import differences
from weft.verification.rebuild import verify
from weft.verification.sample import SampleSize, verify_sample

__all__ = ["SampleSize", "differences", "verify", "verify_sample"]
