"""What can go wrong with local servers and with a stack of them."""

from weft_storage.model.errors import WeftError


class StackError(WeftError):
    """A server or a stack on this machine cannot be found, started or stopped."""
