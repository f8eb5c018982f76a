"""Files written whole: whatever happens, either the old file is there or the new one, never a part of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = ".part"
"""The end of a temporary file's name. What a killed program left under such a name may be deleted."""


def write_whole(path: Path, content: bytes | str, *, flush_to_disk: bool = True) -> None:
    """Write bytes, or text as UTF-8, into a file; see `whole_file`."""
    with whole_file(path, flush_to_disk=flush_to_disk) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def whole_file(path: Path, *, suffix: str = TEMPORARY, flush_to_disk: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; move it into place at the end, delete it if that failed.

    suffix: the end of the temporary name, for writers that go by a file's suffix. flush_to_disk: wait until the disk
    has the content, so that a power cut does not leave an empty file under the right name. OSError.
    """
    temporary = path.with_name(path.name + suffix)
    try:
        yield temporary
        if flush_to_disk:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        # Half a file would keep a full disk full.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
