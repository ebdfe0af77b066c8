"""The object store in a local folder: one file for each object, safe between the processes of one machine.

Exclusive creation and renaming alone lose updates; every write is therefore committed under a lock that all processes
take. An object's bytes are in `<root>/<key>`; `<root>/.tmp` holds what is being written, `<root>/.locks` the locks.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from pageviews_core.errors import ConfigurationError, StoreUnavailable
from pageviews_core.object_store.base import Body, ObjectChanged, ObjectExists, ObjectInfo, ObjectNotFound, Room
from pageviews_core.object_store.file_lock import exclusive
from pageviews_core.object_store.folder_listing import walk
from pageviews_core.object_store.key_rules import check_key
from pageviews_core.object_store.mounts import read_mount_table, refuse_network_file_system

LOCK_PATIENCE_SECONDS = 30.0
"""A commit takes milliseconds; only a stopped process holds a lock for longer."""
ABANDONED_AFTER = timedelta(days=1)
"""No write takes as long, so a temporary file of that age was left by a killed process."""

_NO_OBJECT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNFIT = {errno.EXDEV, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


class LocalObjectStore:
    """The folder is created by the first write. A key cannot also be the folder of other keys: ValueError.

    A file given as a body is copied, so the caller may change it afterwards. Writes are on the disk when they return.
    """

    def __init__(self, root: Path, *, mount_table: Callable[[], str] = read_mount_table) -> None:
        """Touches nothing. Raises ConfigurationError for a folder on a network file system."""
        self._root = root.resolve()
        self._was_there = False
        refuse_network_file_system(self._root, mount_table())
        self.url = self._root.as_uri()

    def create(self, key: str, body: Body) -> str:
        target = self._path(key)
        with self._explained(key):
            if _present(target) is not None:
                raise ObjectExists(key)
            with self._staged(body) as staged, self._locked(key):
                try:
                    _into_folder(target, lambda: os.link(staged, target))
                except FileExistsError:
                    raise ObjectExists(key) from None
                return _etag(target.stat())

    def replace(self, key: str, body: Body, *, etag: str) -> str:
        return self._overwrite(key, body, etag)

    def put(self, key: str, body: Body) -> str:
        return self._overwrite(key, body, None)

    def get(self, key: str) -> tuple[bytes, str]:
        with self.open(key) as file, self._explained(key):
            return file.read(), _etag(os.fstat(file.fileno()))

    def open(self, key: str, *, offset: int = 0) -> BinaryIO:
        with self._explained(key):
            try:
                file = self._path(key).open("rb")
            except _NO_OBJECT:
                self._look_for_root()
                raise ObjectNotFound(key) from None
            file.seek(offset)
            return file

    def head(self, key: str) -> ObjectInfo:
        with self._explained(key):
            try:
                status = _present(self._path(key))
            except IsADirectoryError:
                status = None
        if status is None:
            self._look_for_root()
            raise ObjectNotFound(key)
        return _info(key, status)

    def list(self, prefix: str, *, start_after: str = "") -> Iterator[ObjectInfo]:
        self._look_for_root()
        with self._explained(prefix):
            for key, status in walk(self._root, prefix, start_after):
                yield _info(key, status)

    def delete(self, key: str, *, etag: str | None = None) -> None:
        target = self._path(key)
        with self._explained(key):
            try:
                found = _present(target)
            except IsADirectoryError:
                found = None
            if found is None:
                return
            with self._locked(key):
                found = _present(target)
                if found is None:
                    return
                _require(etag, found, key)
                target.unlink()
                self._remove_empty_folders(target.parent)

    def sweep(self, now: datetime) -> int:
        """Removes what processes killed while writing left more than a day before `now`; returns how many files."""
        swept = 0
        with self._explained(".tmp"), suppress(FileNotFoundError):
            for file in (self._root / ".tmp").iterdir():
                with suppress(FileNotFoundError):
                    if _modified_at(file.stat()) < now - ABANDONED_AFTER:
                        file.unlink()
                        swept += 1
        return swept

    def remarks(self) -> Sequence[str]:
        return []

    def room(self) -> Room | None:
        try:
            with self._explained("."):
                found = os.statvfs(self._root)
        except FileNotFoundError:  # nothing was written yet
            return None
        return Room(free=found.f_bavail * found.f_frsize, total=found.f_blocks * found.f_frsize)

    def _path(self, key: str) -> Path:
        check_key(key)
        return self._root / key

    def _overwrite(self, key: str, body: Body, etag: str | None) -> str:
        """With an ETag only what still has it."""
        target = self._path(key)
        with self._explained(key):
            _require(etag, _present(target), key)  # before the copy, to spare it
            with self._staged(body) as staged, self._locked(key):
                found = _present(target)
                _require(etag, found, key)
                if found is not None:
                    _make_newer(staged, found.st_mtime_ns)
                _into_folder(target, lambda: staged.replace(target))
                return _etag(target.stat())

    @contextmanager
    def _staged(self, body: Body) -> Iterator[Path]:
        """A temporary file with the body, on the disk, removed at the end if it is still there."""
        with io.BytesIO(body) if isinstance(body, bytes) else body.open("rb") as source:
            folder = self._root / ".tmp"
            folder.mkdir(parents=True, exist_ok=True)
            staged = folder / uuid.uuid4().hex
            try:
                with staged.open("xb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    # The kernel's own stamp is of the last timer tick: two writes in a row could share it.
                    now = time.time_ns()
                    os.utime(staged, ns=(now, now))
                    os.fsync(file.fileno())
                yield staged
            finally:
                staged.unlink(missing_ok=True)

    def _locked(self, key: str) -> AbstractContextManager[None]:
        folder = self._root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        shard = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()[:2]
        return exclusive(folder / shard, patience_seconds=LOCK_PATIENCE_SECONDS)

    def _remove_empty_folders(self, folder: Path) -> None:
        """From `folder` upwards, so that retired days leave nothing to walk through; then makes it durable."""
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                break  # not empty, or another process was faster
            folder = folder.parent
        with suppress(FileNotFoundError):
            _sync_folder(folder)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turns the system's errors into the port's; a body's file that does not exist stays FileNotFoundError."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (IsADirectoryError, NotADirectoryError) as exc:
            if self._root_is_no_folder():
                raise self._no_folder() from exc
            raise ValueError(f"{key!r} cannot be a key here: it, or a part of it, is a folder of other keys") from exc
        except TimeoutError as exc:
            raise StoreUnavailable(f"the object store at {self._root} does not answer: {exc}") from exc
        except OSError as exc:
            raise self._translated(exc, key) from exc

    def _look_for_root(self) -> None:
        """A folder that has not been made yet is an empty store; one that was there and is gone is not."""
        if self._root.is_dir():
            self._was_there = True
        elif self._was_there:
            raise StoreUnavailable(
                f"the object store {self._root} was there and is gone: see that its volume is mounted"
            )
        elif self._root_is_no_folder():
            raise self._no_folder()

    def _no_folder(self) -> ConfigurationError:
        return ConfigurationError(
            f"the object store {self._root} is a file, or lies below one: set PAGEVIEWS_STORE_URL or "
            "LOCAL_DATA_DIR to a folder"
        )

    def _root_is_no_folder(self) -> bool:
        return any(place.exists() and not place.is_dir() for place in (self._root, *self._root.parents))

    def _translated(self, exc: OSError, key: str) -> StoreUnavailable | ConfigurationError:
        where = f"object store folder {self._root}, key {key}: {exc.strerror or exc}"
        if exc.errno in _DISK_FULL:
            return StoreUnavailable(f"the disk is full ({where}): free space there; the work is then tried again")
        if exc.errno in _NOT_ALLOWED:
            return ConfigurationError(f"no permission ({where}): give user {os.geteuid()} the right to read and write")
        if exc.errno in _UNFIT:
            return ConfigurationError(f"the folder cannot serve as object store ({where}): use a local disk")
        return StoreUnavailable(f"the object store failed ({where}): look at the disk and the system's log")


def _present(target: Path) -> os.stat_result | None:
    """The status of the object's file, None where there is none. Raises IsADirectoryError for a folder."""
    try:
        status = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    return status


def _require(etag: str | None, found: os.stat_result | None, key: str) -> None:
    if etag is not None and (found is None or _etag(found) != etag):
        raise ObjectChanged(key)


def _make_newer(staged: Path, than_ns: int) -> None:
    """Sees to it that an ETag never comes back: inodes and sizes do, so the time must grow with every write."""
    for step in (1, 2_000_000_000):  # the second where the file system keeps only seconds, or pairs of them
        if staged.stat().st_mtime_ns > than_ns:
            return
        os.utime(staged, ns=(than_ns + step, than_ns + step))


def _into_folder(target: Path, commit: Callable[[], object]) -> None:
    """Makes the target's folder, commits the file into it, and writes the folder to the disk.

    Once more where a process that deletes took the folder away in between, as it was empty.
    """
    for _ in range(100):
        try:
            _make_folder(target.parent)
            commit()
            break
        except FileNotFoundError:
            continue
    else:
        raise OSError(errno.EAGAIN, "the folder disappears again and again", str(target.parent))
    _sync_folder(target.parent)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        # One look only, which raises FileNotFoundError where a process that deletes took the folder away just now.
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _modified_at(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, _etag(status), status.st_size, _modified_at(status))
