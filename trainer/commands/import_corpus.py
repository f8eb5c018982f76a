"""`trainer import`: make a data set from a published corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from trainer.commands import console

NAME = "import"
SUMMARY = "make a data set from a published corpus"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    corpora = "ravdess, cremad, tess, emodb, donateacry, esc50, or folders (one per label)"
    parser.add_argument("corpus", metavar="CORPUS", help=corpora)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder that holds the unpacked corpus")
    parser.add_argument("target", type=Path, metavar="TARGET", help="the data set folder to make")
    text = "esc50: keep all fifty classes instead of crying and background"
    parser.add_argument("--keep-classes", action="store_true", help=text)
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    from trainer.data.corpus_import import import_corpus
    from trainer.data.published_corpora import CORPORA
    from trainer.errors import counted

    try:
        done = import_corpus(arguments.corpus, arguments.source, arguments.target, console.warn, arguments.keep_classes)
    except KeyboardInterrupt:
        return console.interrupted("Stopped; nothing was imported.")
    note = CORPORA[arguments.corpus].note
    if arguments.json:
        counts = {"clips": len(done.rows), "groups": done.groups, "labels": done.labels, "copies": done.copies}
        words = {"skipped": done.misfits, "licences": done.licences, "note": note}
        console.print_event({"event": "imported", "target": str(arguments.target), **counts, **words})
        return 0
    labels = ", ".join(f"{name} {count}" for name, count in done.labels.items())
    print(f"{arguments.target}: {counted(len(done.rows), 'clip')} of {counted(done.groups, 'group')}; {labels}")
    if done.copies:
        print(f"{done.copies} copies of files that were taken already were left out.")
    if done.licences:
        print(f"Licence: {'; '.join(done.licences)}.")
    if note:
        print(note)
    return 0
