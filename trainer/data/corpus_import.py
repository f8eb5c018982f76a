"""Import a published corpus as a data set: a `manifest.csv` and the sound files.

Labels and groups come from the file names, see `published_corpora`. Files are hard-linked if the file system allows it,
and copied otherwise.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from babymonitor.core.labels import canonical
from babymonitor.core.sound.files import sound_files
from trainer.data.published_corpora import CORPORA
from trainer.data.readers import Notice
from trainer.errors import DataError

_MARK = ".unfinished"
"""Marks a folder TARGET.part as begun by an import, so that the next import may remove it."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A line of the manifest.

    use: all of these corpora allow research, so all clips may be trained on. Whether a model may be passed on depends
    on the licence, which training writes into the model's card.
    """

    path: str
    label: str
    group: str
    source: str
    detail: str
    licence: str
    use: str = "train"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import. copies: number of duplicate files. misfits: files whose names do not match."""

    rows: tuple[ManifestRow, ...]
    copies: int
    misfits: tuple[str, ...]

    @property
    def groups(self) -> int:
        return len({row.group for row in self.rows})

    @property
    def licences(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.licence for row in self.rows if row.licence))

    @property
    def labels(self) -> dict[str, int]:
        """Number of files of each label, the most frequent first."""
        return dict(Counter(row.label for row in self.rows).most_common())


def import_corpus(name: str, source: Path, target: Path, notice: Notice, keep_classes: bool = False) -> ImportResult:
    """Turn the corpus under `source` into a data set at `target`, completely or not at all.

    The data set is built beside its place and moved there when it is complete. name: a key of `CORPORA`. notice: called
    with a sentence for each file that is left out. keep_classes: for ESC-50, keep all fifty classes instead of the
    monitor's two. Raises DataError if no file fits, or if `target` exists and is not empty.
    """
    if name not in CORPORA:
        raise DataError(f"There is no importer '{name}'; there is {', '.join(CORPORA)}.")
    if keep_classes and name != "esc50":
        raise DataError(f"Only esc50 has classes to keep, not {name}: leave out --keep-classes.")
    if not source.is_dir():
        problem = "is a file: unpack it and name the folder" if source.is_file() else "does not exist"
        raise DataError(f"The corpus folder {source} {problem}.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise DataError(f"{target} is there already: name a folder that is new or empty.")
    if target.resolve().is_relative_to(source.resolve()):
        raise DataError(f"{target} lies inside the corpus {source}: name a folder outside it.")
    result = _read_names(name, source, keep_classes)
    for path in result.misfits:
        notice(f"Skipped {path}: it is not named as in {name}, such as {CORPORA[name].example}.")
    _build(result.rows, source, target)
    if name == "folders" and result.groups == len(result.rows) > len(result.labels):
        notice("Each file counts as a voice of its own; if one is heard in several, sort them as LABEL/WHO/FILE.")
    return result


def _read_names(name: str, source: Path, keep_classes: bool) -> ImportResult:
    corpus = CORPORA[name]
    parse = corpus.parser(source, keep_classes)
    rows: list[ManifestRow] = []
    misfits: list[str] = []
    seen: set[str] = set()
    copies = 0
    # Files nearer to the top come first, because some archives contain a second copy of the corpus further down.
    paths = [file.relative_to(source) for file in sound_files(source)]
    paths = sorted((path for path in paths if not _is_hidden(path)), key=lambda path: (len(path.parts), path))
    for path in paths:
        shown = path.as_posix().encode(errors="replace").decode()
        facts = parse(path) if shown == path.as_posix() else None  # a manifest can only hold names that are valid text
        if facts is None:
            misfits.append(shown)
        elif facts.recording in seen:
            copies += 1
        else:
            seen.add(facts.recording)
            licence = facts.licence or corpus.licence
            rows.append(ManifestRow(path.as_posix(), canonical(facts.label), facts.group, name, facts.detail, licence))
    if not paths:
        raise DataError(f"{source} holds no sound file.")
    if not rows:
        raise DataError(f"No sound file in {source} is named as in {name}, such as {corpus.example}.")
    return ImportResult(tuple(rows), copies, tuple(misfits))


def _is_hidden(path: Path) -> bool:
    """Whether the system, not the corpus, created a file: macOS adds a "._" file for each file of an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _build(rows: tuple[ManifestRow, ...], source: Path, target: Path) -> None:
    from tqdm import tqdm

    target = Path(os.path.abspath(target))
    part = target.with_name(target.name + ".part")
    if part.exists():
        if not (part / _MARK).is_file():
            raise DataError(f"{part} is in the way: move it, or name another folder than {target}.")
        shutil.rmtree(part)
    part.mkdir(parents=True)
    try:
        (part / _MARK).touch()
        for row in tqdm(rows, desc="importing", unit="file", file=sys.stderr, disable=None):
            file = part / row.path
            file.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(source / row.path, file)
        with (part / "manifest.csv").open("w", newline="", encoding="utf-8") as manifest:
            writer = csv.DictWriter(manifest, [field.name for field in fields(ManifestRow)])
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)
        (part / _MARK).unlink()
        if target.is_dir():
            target.rmdir()  # empty, as checked before; not every system can move a folder onto another
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        # Resolved, because a link to a relative symbolic link would point nowhere from its new place.
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)
