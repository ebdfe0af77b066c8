"""A gzip file's text, with everything about the file checked that gzip lets one check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from isal import igzip_lib

from pageviews_core.errors import SourceCorrupt

MAGIC = b"\x1f\x8b"
_CHUNK = 128 * 1024
_BLOCK = 1024 * 1024
# The package's stub gives an instance where the module holds the class.
_IsalError = cast(type[Exception], igzip_lib.error)


def gunzip(gz: Path) -> Iterator[bytes]:
    """The decompressed bytes in blocks of at most 1 MiB; several members after each other are one text.

    Raises SourceCorrupt, with the offset in the compressed file, for an empty or truncated file, a wrong checksum or
    length, and anything that is not gzip, also after the last member.
    """
    produced = 0
    with gz.open("rb") as file:
        pending = file.read(_CHUNK)
        if not pending:
            raise SourceCorrupt(f"{gz.name} is empty")
        while pending:
            pending += file.read(_CHUNK) if len(pending) < len(MAGIC) else b""
            start = file.tell() - len(pending)
            if not pending.startswith(MAGIC):
                where = "begins with" if start == 0 else f"goes on at byte {start}, after a complete gzip member, with"
                raise SourceCorrupt(f"{gz.name} is not gzip: it {where} {pending[:80]!r}")
            member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            while not member.eof:
                try:
                    block = member.decompress(pending, _BLOCK)
                except _IsalError as exc:
                    raise SourceCorrupt(
                        f"{gz.name} is damaged: {exc}, before byte {file.tell()}, after {produced} bytes of text"
                    ) from exc
                produced += len(block)
                if block:
                    yield block
                pending = file.read(_CHUNK) if member.needs_input and not member.eof else b""
                if not pending and member.needs_input and not member.eof:
                    raise SourceCorrupt(
                        f"{gz.name} is truncated: it ends at byte {file.tell()} in the middle of a gzip member, "
                        f"after {produced} bytes of text"
                    )
            pending = member.unused_data or file.read(_CHUNK)
