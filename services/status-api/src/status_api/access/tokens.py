"""Tokens: who may do what. The file holds hashes alone; a token is shown once, when it is made."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import tempfile
import threading
from datetime import datetime
from pathlib import Path

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from pageviews_core.clock import Clock
from pageviews_core.errors import ConfigurationError
from status_api.access.actor import Role

_PREFIX = "pvw_"
_BYTES = 32

log = structlog.get_logger()


class TokenEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Role
    sha256: str
    """Of the token. It is 256 random bits, which nobody can guess a preimage of: a slow hash would gain nothing."""
    expires_at: AwareDatetime | None = None


_ENTRIES: TypeAdapter[list[TokenEntry]] = TypeAdapter(list[TokenEntry])


def new_token(name: str, role: Role, expires_at: datetime | None) -> tuple[str, TokenEntry]:
    """The token itself, and what is kept of it."""
    token = _PREFIX + secrets.token_urlsafe(_BYTES)
    return token, TokenEntry(name=name, role=role, sha256=_digest(token), expires_at=expires_at)


def read_entries(path: Path) -> list[TokenEntry]:
    """Raises ConfigurationError that names the file and what is wrong with it, but nothing that stands in it."""
    try:
        return _ENTRIES.validate_json(path.read_bytes())
    except OSError as exc:
        raise ConfigurationError(f"PAGEVIEWS_TOKENS_FILE={path}: {exc.strerror}") from exc
    except ValidationError as exc:
        error = exc.errors(include_input=False)[0]
        where = ".".join(map(str, error["loc"]))
        raise ConfigurationError(
            f"PAGEVIEWS_TOKENS_FILE={path}: {where or 'the file'}: {error['msg']}; make one with "
            "`pageviews-status-api token`"
        ) from None


def add_entry(path: Path, entry: TokenEntry) -> None:
    """Replaces an entry of the same name. The file is its owner's alone, and there is never half of it."""
    entries = [each for each in (read_entries(path) if path.exists() else []) if each.name != entry.name]
    content = _ENTRIES.dump_json([*entries, entry], indent=1)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:  # 0600 by itself
        file.write(content + b"\n")
    Path(file.name).replace(path)


class Tokens:
    """The file's content, read again when it changes; a content that is bad later changes nothing."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        """Raises ConfigurationError for a file that is bad from the beginning."""
        self._path = path
        self._clock = clock
        self._changed_at: int | None = None
        self._entries: list[TokenEntry] = []
        self._reading = threading.Lock()
        if path is not None:
            self._entries = read_entries(path)
            self._changed_at = path.stat().st_mtime_ns

    @property
    def configured(self) -> bool:
        return bool(self._current())

    def find(self, token: str) -> TokenEntry | None:
        """The valid entry of a token."""
        digest, found = _digest(token), None
        for entry in self._current():
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found if found and self._holds(found) else None

    def by_hash(self, sha256: str) -> TokenEntry | None:
        """The valid entry with this hash: a session ends with its token."""
        found = next((entry for entry in self._current() if hmac.compare_digest(entry.sha256, sha256)), None)
        return found if found and self._holds(found) else None

    def _holds(self, entry: TokenEntry) -> bool:
        return entry.expires_at is None or entry.expires_at > self._clock.now()

    def _current(self) -> list[TokenEntry]:
        if self._path is None:
            return []
        with self._reading:
            try:
                changed_at = self._path.stat().st_mtime_ns
                if changed_at != self._changed_at:
                    self._changed_at = changed_at
                    self._entries = read_entries(self._path)
            except (OSError, ConfigurationError) as exc:
                log.error("tokens_file_not_read", path=str(self._path), error=str(exc))
            return self._entries


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
