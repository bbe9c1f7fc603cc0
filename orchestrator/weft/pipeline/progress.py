"""Progress that nobody watches."""


class Silent:
    """Tells nobody; a `weft_tasks.finalize.watching.Progress`."""

    def begin(self, phase: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass
