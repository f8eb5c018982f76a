"""A file is there whole, the old one or the new one, whatever happens while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from babymonitor.core.whole_file import whole_file, write_whole


def test_a_full_disk_keeps_the_old_file_and_no_half_of_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    write_whole(path, b"old")

    def refuse(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"

    def write_half() -> None:
        with whole_file(path, suffix=".part.onnx") as temporary:
            temporary.write_bytes(b"half")
            assert temporary.name == "model.onnx.part.onnx"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert not list(tmp_path.iterdir())


def test_text_is_written_as_utf_8_and_no_line_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "alerts.csv"
    write_whole(path, "Müde\r\nümüde\n", flush_to_disk=False)
    assert path.read_bytes() == "Müde\r\nümüde\n".encode()
