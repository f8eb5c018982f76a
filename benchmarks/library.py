"""What a library of 10,000 clips costs to open, list, filter, change and export, beside the bare work of each.

    python -m benchmarks.library [--clips 10000] [--changed 500] [--rounds 5] [--folder DIR]

The clips are real FLACs of half a second with all their metadata. Each operation is compared with the same work without
a library: walking the folders, fetching the rows with sqlite3 alone, moving or copying the files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from babymonitor.core.library.clip import encoded, id_of, relative_path
from babymonitor.core.library.library import Library, LibraryClip
from babymonitor.core.library.transfer import export_folder
from benchmarks.measurement import median, note, print_machine, print_table, spread, take_turns, verdict

_LABELS = ("hungry", "pain", "tired", "sad", "happy", "natural", "background", "")
_GROUPS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--changed", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="on which disk (default: where temporary files go)")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as home:
        _measure(Path(home), arguments.clips, arguments.changed, arguments.rounds)


def make_files(folder: Path, count: int) -> None:
    """Write the files of `count` clips, without rows."""
    rng = np.random.default_rng(1)
    for number in range(count):
        samples = rng.integers(-2000, 2000, 8000).astype(np.int16)
        clip = LibraryClip(
            id=id_of(samples),
            label=_LABELS[number % len(_LABELS)],
            group=f"night-{number % _GROUPS:03}",
            baby="Emma",
            source="night",
            recorded=1.7e9 + 60.0 * number,
            seconds=0.5,
            level_db=-29.0,
            is_clipped=False,
            note=f"note {number}" if number % 10 == 0 else "",
            guess={label: 0.125 for label in _LABELS if label},
            origin=f"alert:{number}",
            added=1.7e9 + 60.0 * number,
        )
        path = folder / relative_path(clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(samples, clip))


def _milliseconds(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    action()
    return 1000.0 * (clock() - began)


def _of_cpu(action: Callable[[], object]) -> Callable[[], float]:
    """Time the CPU of an action that does not wait for a disk, so that a busy machine does not slow it down."""
    return partial(_milliseconds, action, time.process_time)


def _walk(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def _fetch(database: Path, condition: str = "1") -> int:
    connection = sqlite3.connect(database)
    try:
        return len(connection.execute(f"SELECT * FROM clips WHERE {condition} ORDER BY recorded DESC").fetchall())
    finally:
        connection.close()


def _open(folder: Path) -> None:
    Library(folder).close()


def _measure(home: Path, count: int, changed: int, rounds: int) -> None:
    folder, database = home / "library", home / "library.sqlite"
    note(f"Writing {count} clips …")
    make_files(folder, count)
    rows: list[list[str]] = []

    def report(name: str, ours: list[float], bare: list[float], bare_work: str, aim: float | None = None) -> None:
        ratio = median([own / bare_time for own, bare_time in zip(ours, bare, strict=True)])
        met = verdict(median(ours), aim) if aim else ""
        rows.append([name, spread(ours, 1), f"{ratio:.1f} × {bare_work} ({median(bare):.1f})", met])

    first_ms = _milliseconds(partial(_open, folder))
    rows.append([f"first opening: {count} rows made of the files", f"{first_ms:.0f}", "", ""])

    def side(action: Callable[[], object]) -> Callable[[], float]:
        return partial(_milliseconds, action)

    turns = take_turns({"ours": side(partial(_open, folder)), "bare": side(partial(_walk, folder))}, rounds)
    report("open", turns["ours"], turns["bare"], "walking the folders")
    library = Library(folder)
    turns = take_turns({"ours": _of_cpu(library.clips), "bare": _of_cpu(partial(_fetch, database))}, rounds)
    report(f"list all {count} (CPU)", turns["ours"], turns["bare"], "fetching the rows", 300)
    turns = take_turns(
        {
            "ours": _of_cpu(partial(library.clips, label="pain")),
            "bare": _of_cpu(partial(_fetch, database, "label = 'pain'")),
        },
        rounds,
    )
    report("one label (CPU)", turns["ours"], turns["bare"], "fetching the rows")
    turns = take_turns({"ours": _of_cpu(partial(library.clips, text="note 77"))}, rounds)
    rows.append(["search in the notes (CPU)", spread(turns["ours"], 1), "", ""])
    turns = take_turns({"ours": _of_cpu(library.health)}, rounds)
    rows.append(["what there is of each label (CPU)", spread(turns["ours"], 1), "", ""])
    note("Changing …")
    _changes(library, home, changed, rounds, report)
    note("Exporting …")
    turns = take_turns(
        {
            "ours": side(partial(_once, partial(export_folder, library, home / "out"), home / "out")),
            "bare": side(partial(_once, partial(shutil.copytree, folder, home / "copy"), home / "copy")),
        },
        max(1, rounds // 2),
    )
    report(f"export {count} (with taking it away)", turns["ours"], turns["bare"], "copying the folder")
    rng = np.random.default_rng(2)
    added = [
        _milliseconds(partial(library.add, rng.uniform(-0.2, 0.2, 160_000).astype(np.float32), "pain", group="new"))
        for _ in range(20)
    ]
    rows.append(["add a clip of 10 s", spread(added, 1), "", ""])
    library.close()
    print_table([f"{count} clips", "ms: median (least–greatest)", "beside the bare work (ms)", "aim (ms)"], rows)


def _once(action: Callable[[], object], output: Path) -> None:
    action()
    shutil.rmtree(output)


def _changes(
    library: Library,
    home: Path,
    changed: int,
    rounds: int,
    report: Callable[[str, list[float], list[float], str], None],
) -> None:
    """Relabel, annotate and delete clips, each undone again; beside moving and rewriting similar files."""
    ids = [clip.id for clip in library.clips()[:changed]]
    bare = home / "bare"
    for number in range(changed):
        (bare / "a").mkdir(parents=True, exist_ok=True)
        (bare / "b").mkdir(exist_ok=True)
        (bare / "a" / f"{number}.flac").write_bytes(bytes(12_000))

    def moved() -> float:
        def move() -> None:
            for number in range(changed):
                (bare / "a" / f"{number}.flac").replace(bare / "b" / f"{number}.flac")

        spent = _milliseconds(move)
        for number in range(changed):
            (bare / "b" / f"{number}.flac").replace(bare / "a" / f"{number}.flac")
        return spent

    def rewritten() -> float:
        def rewrite() -> None:
            for number in range(changed):
                path = bare / "a" / f"{number}.flac"
                with (bare / "new").open("wb") as file:
                    file.write(path.read_bytes())
                    file.flush()
                    os.fsync(file.fileno())
                (bare / "new").replace(path)

        return _milliseconds(rewrite)

    def change(**fields: str) -> float:
        before: list[LibraryClip] = []
        spent = _milliseconds(lambda: before.extend(library.change(ids, **fields)))
        library.restore_rows(before)
        return spent

    def delete() -> float:
        spent = _milliseconds(partial(library.delete, ids))
        library.undelete(ids)
        return spent

    turns = take_turns(
        {"label": partial(change, label="teething"), "note": partial(change, note="new"), "delete": delete,
         "moved": moved, "rewritten": rewritten},
        rounds,
    )  # fmt: skip
    report(f"{changed} other labels", turns["label"], turns["moved"], "moving the files")
    report(f"{changed} to the trash", turns["delete"], turns["moved"], "moving the files")
    report(f"{changed} other notes", turns["note"], turns["rewritten"], "writing the files anew, waiting for the disk")


if __name__ == "__main__":
    main()
