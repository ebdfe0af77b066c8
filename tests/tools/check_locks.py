"""Fails if compiling the lock files anew, from the pins they hold, changes them: a pyproject file was edited alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = Path("requirements")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        for lock in LOCKS.glob("*.txt"):
            shutil.copy(lock, folder)
        subprocess.run(["tests/tools/compile_locks.sh", folder], check=True)
        stale = [lock.name for lock in LOCKS.glob("*.txt") if lock.read_text() != Path(folder, lock.name).read_text()]
    if stale:
        print(f"Stale lock files: {', '.join(sorted(stale))}. Run `make lock` and commit the result.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
