"""The crash box: extraction in a long-lived helper process, so that one file is the unit of failure."""

from weft_storage.model.work import Limits
from weft_tasks.crashbox.box import CrashBox, Outcome, Request

__all__ = ["CrashBox", "Limits", "Outcome", "Request"]
