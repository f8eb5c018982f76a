"""What numba compiled of librosa, kept from run to run beside the packages: compiling it takes 18 seconds.

numba's own folder is not safe for several processes: two that compiled and read in it at once ended in a segmentation
fault. So each process works in a folder of its own, a copy of the newest snapshot. A snapshot is never changed; it
appears under its name when it is complete, and replaces those before it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

SNAPSHOTS = Path(sys.prefix) / "numba-cache"


class NumbaCache:
    """This process's folder; sets NUMBA_CACHE_DIR, which numba reads when it is imported."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="numba-"))
        os.environ["NUMBA_CACHE_DIR"] = str(self.folder)
        for snapshot in _snapshots()[-1:]:
            try:
                shutil.copytree(snapshot, self.folder, dirs_exist_ok=True)
            except (OSError, shutil.Error):  # another process replaced it meanwhile: what was copied may be incomplete
                shutil.rmtree(self.folder, ignore_errors=True)
        self._before = self._files()

    def close(self) -> None:
        """Remove the folder; where something was compiled, leave a new snapshot of it."""
        if self._files() != self._before and sys.prefix != sys.base_prefix:
            with suppress(OSError):
                self._leave_snapshot()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _leave_snapshot(self) -> None:
        SNAPSHOTS.mkdir(exist_ok=True)
        earlier = _snapshots()
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=SNAPSHOTS))
        shutil.copytree(self.folder, partial, dirs_exist_ok=True)
        partial.rename(SNAPSHOTS / partial.name.removeprefix(".partial-"))
        for snapshot in earlier:
            shutil.rmtree(snapshot, ignore_errors=True)

    def _files(self) -> set[str]:
        return {str(path) for path in self.folder.rglob("*.nbc")}


def _snapshots() -> list[Path]:
    """Complete snapshots, the newest last."""
    with suppress(OSError):
        paths = [path for path in SNAPSHOTS.iterdir() if not path.name.startswith(".")]
        return sorted(paths, key=lambda path: path.stat().st_mtime)
    return []
