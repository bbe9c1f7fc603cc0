"""Repository paths: relative to the root, posix separators, any bytes (surrogateescape), never out of the root."""

from typing import TypeAlias

RepoPath: TypeAlias = str


def parent(path: RepoPath) -> RepoPath:
    """The directory that holds a path; "" for the root's own entries."""
    return path.rpartition("/")[0]


def basename(path: RepoPath) -> str:
    """The last component of a path."""
    return path.rpartition("/")[2]


def join(directory: RepoPath, relative: str) -> RepoPath | None:
    """The path that `relative` means from `directory`, with `.` and `..` folded; None where it leaves the root.

    An absolute `relative` leaves the root. The root itself is "".
    """
    if relative.startswith("/"):
        return None
    parts = directory.split("/") if directory else []
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def ancestors(path: RepoPath) -> list[RepoPath]:
    """The directories above a path, nearest first, the root ("") last."""
    found = []
    while path:
        path = parent(path)
        found.append(path)
    return found


def encode_text(path: RepoPath) -> str:
    """The path as valid Unicode text, for stores: unchanged, or `/` + percent-encoded where it is not valid UTF-8.

    No repository path starts with a slash, so the two cannot meet.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "surrogateescape")
        return "/" + "".join(chr(b) if 0x20 < b < 0x7F and b != 0x25 else f"%{b:02X}" for b in raw)
    return path


def decode_text(text: str) -> RepoPath:
    """The path that `encode_text` wrote."""
    if not text.startswith("/"):
        return text
    head, *rest = text[1:].split("%")
    raw = head.encode() + b"".join(bytes([int(part[:2], 16)]) + part[2:].encode() for part in rest)
    return raw.decode("utf-8", "surrogateescape")
