"""What a key may look like, so that every adapter can hold it."""

from __future__ import annotations

MAX_KEY_BYTES = 1024
"""S3's own limit."""
MAX_PART_BYTES = 255
"""Of a file name on the usual file systems."""


def check_key(key: str) -> None:
    """Raises ValueError for a key that is not relative, clean and short enough."""
    if not all(map(is_part, key.split("/"))):
        raise ValueError(
            f"not an object key: {key!r} (parts between slashes: not empty, no leading dot, no backslash, no NUL, "
            f"at most {MAX_PART_BYTES} bytes of UTF-8)"
        )
    if len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"an object key has at most {MAX_KEY_BYTES} bytes: {key[:100]!r}…")


def is_part(name: str) -> bool:
    """Whether `name` can stand between the slashes of a key."""
    if not name or name[0] == "." or "/" in name or "\\" in name or "\0" in name:
        return False
    try:
        return len(name.encode()) <= MAX_PART_BYTES
    except UnicodeEncodeError:
        return False
