from __future__ import annotations

from pathlib import Path

import pytest

from pageviews_core.errors import ConfigurationError
from pageviews_core.object_store.local import LocalObjectStore
from pageviews_core.object_store.mounts import NETWORK_FILE_SYSTEMS, read_mount_table, refuse_network_file_system

ROOT = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw"


def _mount(point: str, file_system: str, optional: str = "shared:1 ") -> str:
    return f"40 22 0:35 / {point} rw,relatime {optional}- {file_system} server:/export rw,vers=4.2"


@pytest.mark.parametrize("file_system", sorted(NETWORK_FILE_SYSTEMS))
def test_a_folder_below_a_network_mount_is_refused(file_system: str) -> None:
    table = f"{ROOT}\n{_mount('/srv/shared', file_system)}\n"
    with pytest.raises(ConfigurationError, match=rf"/srv/shared/data/objects .*\({file_system} at /srv/shared\)"):
        refuse_network_file_system(Path("/srv/shared/data/objects"), table)


@pytest.mark.parametrize("file_system", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "9p", "virtiofs"])
def test_disks_of_this_machine_are_accepted(file_system: str) -> None:
    refuse_network_file_system(Path("/srv/shared/data"), f"{ROOT}\n{_mount('/srv/shared', file_system)}\n")


def test_the_nearest_mount_decides_and_names_are_not_prefixes() -> None:
    table = "\n".join([ROOT, _mount("/srv", "nfs4"), _mount("/srv/local", "ext4"), _mount("/home/d", "cifs")])
    refuse_network_file_system(Path("/srv/local/data"), table)
    refuse_network_file_system(Path("/home/data"), table)
    with pytest.raises(ConfigurationError):
        refuse_network_file_system(Path("/srv/localhost"), table)


def test_of_two_mounts_on_one_point_the_later_counts() -> None:
    table = "\n".join([ROOT, _mount("/data", "ext4"), _mount("/data", "nfs")])
    with pytest.raises(ConfigurationError):
        refuse_network_file_system(Path("/data"), table)


def test_a_mount_point_with_spaces_is_understood() -> None:
    mount = _mount(r"/mnt/my\040share", "cifs", "")
    with pytest.raises(ConfigurationError, match="my share"):
        refuse_network_file_system(Path("/mnt/my share/x"), f"{ROOT}\n{mount}")


@pytest.mark.parametrize("table", ["", "nonsense\n\n", "1 2 3 - nfs"])
def test_a_table_that_tells_nothing_refuses_nothing(table: str) -> None:
    refuse_network_file_system(Path("/data"), table)


def test_the_systems_own_table_can_be_read() -> None:
    assert " - " in read_mount_table()


def test_the_store_asks_the_table_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nfs4"):
        LocalObjectStore(tmp_path / "objects", mount_table=lambda: f"{ROOT}\n{_mount(str(tmp_path), 'nfs4')}")
    assert not (tmp_path / "objects").exists()
