"""Batches: jobs that are carried out together, of bounded bytes and number. Pure."""

from collections.abc import Collection

from weft_storage.model.work import Job

_BATCH_BYTES = 2 << 20
# Small enough that the last batches end together, large enough that a batch costs nothing by itself.
_BATCH_FILES = 200
_BATCHES_PER_SLOT = 4


def batches(jobs: Collection[Job], slots: int, *, at_most: int | None = None) -> list[list[Job]]:
    """Jobs in batches, the largest files first, so that no straggler ends the run alone.

    There are at least four batches for each of `slots` where the jobs suffice. `at_most` so many come out, whatever
    their size.
    """
    files = max(1, min(_BATCH_FILES, -(-len(jobs) // (slots * _BATCHES_PER_SLOT))))
    size = _BATCH_BYTES
    ordered = sorted(jobs, key=lambda job: (-job.content.size, job.path))
    filled = _fill(ordered, files, size)
    while at_most is not None and len(filled) > at_most:
        files, size = 2 * files, 2 * size
        filled = _fill(ordered, files, size)
    return filled


def _fill(ordered: Collection[Job], files: int, limit: int) -> list[list[Job]]:
    filled: list[list[Job]] = []
    size = 0
    for job in ordered:
        if not filled or len(filled[-1]) >= files or size + job.content.size > limit:
            filled.append([])
            size = 0
        filled[-1].append(job)
        size += job.content.size
    return filled
