"""Which file system a folder is on: locks and renames of a network file system do not keep a local store's promises."""

from __future__ import annotations

import re
from pathlib import Path

from pageviews_core.errors import ConfigurationError

MOUNT_TABLE = Path("/proc/self/mountinfo")

# Absent on purpose: 9p and virtiofs. They are how WSL, minikube and sandboxes show a disk of the same machine, and one
# kernel takes the locks for every process in there.
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre", "gpfs", "beegfs"}
    | {"orangefs", "pvfs2", "davfs", "s3fs"}
    | {f"fuse.{name}" for name in ("sshfs", "s3fs", "rclone", "gcsfuse", "goofys", "geesefs", "mount-s3", "blobfuse")}
    | {f"fuse.{name}" for name in ("blobfuse2", "glusterfs", "ceph", "ceph-fuse", "juicefs", "davfs2", "curlftpfs")}
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def read_mount_table() -> str:
    """Linux's mount table of this process; empty on a system that has none to read."""
    try:
        return MOUNT_TABLE.read_text(errors="surrogateescape")
    except OSError:
        return ""


def refuse_network_file_system(folder: Path, mount_table: str) -> None:
    """`folder` is absolute and resolved; it need not exist yet. Raises ConfigurationError naming mount and type."""
    mount_point, file_system = _mount_of(folder, mount_table)
    if file_system in NETWORK_FILE_SYSTEMS:
        raise ConfigurationError(
            f"the object store's folder {folder} is on a network file system ({file_system} at {mount_point}), where "
            "two processes could take the same hour: put it on a local disk, or use an object store"
        )


def _mount_of(folder: Path, mount_table: str) -> tuple[str, str]:
    """The mount point that holds `folder` and its type; of two on the same point the later hides the earlier."""
    best, file_system = "", ""
    for line in mount_table.splitlines():
        fields, separator, source = line.partition(" - ")
        parts = fields.split(" ")
        if not separator or len(parts) < 5:
            continue
        mount_point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), parts[4])
        if len(mount_point) >= len(best) and folder.is_relative_to(mount_point):
            best, file_system = mount_point, source.split(" ", 1)[0]
    return best, file_system
