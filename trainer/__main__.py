"""`python -m trainer …`: the trainer's command line. Bad input is one sentence on standard error and exit status 2."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

# Before numpy is imported: its matrices here are small, and threads that wait for each other take longer than the work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main(argv: list[str] | None = None) -> int:
    """Run one command; → the exit status."""
    arguments = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    from babymonitor.core.audio import AudioError
    from babymonitor.core.classifier import ModelError
    from trainer.corpora import DataError

    try:
        status: int = arguments.command(arguments)
    except (DataError, ModelError, AudioError) as error:
        return _refuse(arguments, str(error))
    except OSError as error:
        return _refuse(arguments, f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.")
    except KeyboardInterrupt:
        print("Stopped; --resume goes on from the last whole epoch.", file=sys.stderr)
        return 130
    return status


def _keep_memory() -> None:
    """Tell glibc to keep what is freed: arrays of a window's size would else be mapped and unmapped for every window,
    which costs five times as long as the arithmetic on them. Where there is no glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in ((-3, 1 << 25), (-1, 1 << 28), (-2, 1 << 24)):  # mmap threshold, trim threshold, top pad
        mallopt(parameter, value)


def _refuse(arguments: argparse.Namespace, sentence: str) -> int:
    print(sentence, file=sys.stderr)
    if getattr(arguments, "json", False):
        _event({"event": "failed", "error": sentence})
    return 2


def _event(values: dict[str, Any]) -> None:
    print(json.dumps(values, ensure_ascii=False), flush=True)


def _families(arguments: argparse.Namespace) -> int:
    from trainer.networks import FAMILIES

    rows = []
    for family in FAMILIES.values():
        from babymonitor.core.labels import LABELS

        network = family.network(tuple(LABELS), "random" if family.weights else None)  # nothing is fetched for it
        front = family.front
        rows.append(
            {
                "name": family.name,
                "parameters": sum(values.numel() for values in network.parameters()),
                "input": f"{front.features.kind} {front.features.rows} × {front.window_frames} ({front.seconds:.1f} s)",
                "needs": family.needs or "nothing more",
                "about": family.about,
            }
        )
    if arguments.json:
        _event({"families": rows})
    else:
        for row in rows:
            print(f"{row['name']:14} {row['parameters']:>9,} parameters  {row['input']}  needs {row['needs']}")
            print(f"{'':14} {row['about']}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    import torch

    from trainer.corpora import DataError
    from trainer.fit import Recipe
    from trainer.networks import FAMILIES
    from trainer.run import Request, train

    if arguments.family not in FAMILIES:
        raise DataError(f"There is no family '{arguments.family}'; there is {', '.join(FAMILIES)}.")
    _keep_memory()
    torch.set_num_threads(arguments.threads)
    recipe = Recipe(
        epochs=arguments.epochs,
        epoch_windows=arguments.epoch_windows,
        batch=min(arguments.batch, arguments.epoch_windows),
        reuse=arguments.reuse,
        seed=arguments.seed,
        workers=arguments.workers,
    )
    request = Request(
        data=arguments.data,
        family=arguments.family,
        output=arguments.output,
        recipe=recipe,
        cache=arguments.cache,
        segments=arguments.segments,
        resume=arguments.resume,
        codecs=not arguments.no_codecs,
        licence=arguments.licence,
        name=arguments.name,
    )

    def tell(values: dict[str, Any]) -> None:
        if arguments.json:
            _event(values)
        elif values["event"] == "epoch" and not sys.stderr.isatty():
            print(" ".join(f"{name}={value}" for name, value in values.items()), file=sys.stderr, flush=True)

    metrics = train(request, tell)
    if arguments.json:
        _event({"event": "finished", "model": str(arguments.output), "metrics": metrics})
    else:
        print(f"{arguments.output}: " + ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from trainer.evaluate import evaluate, readable

    report = evaluate(
        arguments.model,
        arguments.data,
        split_name=arguments.split,
        segments=arguments.segments,
        cache=arguments.cache,
        yamnet=arguments.yamnet,
    )
    if arguments.json:
        _event(report)
    else:
        print(readable(report))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from trainer.torch_file import export

    suffix = f".int8.{arguments.format}" if arguments.int8 else f".{arguments.format}"
    output = arguments.output or arguments.file.with_suffix(suffix)
    export(arguments.file, arguments.format, output, arguments.int8)
    print(output)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from trainer.importers import CORPORA, import_corpus

    def notice(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    try:
        done = import_corpus(arguments.corpus, arguments.source, arguments.target, notice, arguments.keep_classes)
    except KeyboardInterrupt:
        print("Stopped; nothing was imported.", file=sys.stderr)
        return 130
    note = CORPORA[arguments.corpus].note
    if arguments.json:
        counts = {"clips": len(done.rows), "groups": done.groups, "labels": done.labels, "copies": done.copies}
        words = {"skipped": done.misfits, "licences": done.licences, "note": note}
        _event({"event": "imported", "target": str(arguments.target), **counts, **words})
        return 0
    labels = ", ".join(f"{name} {count}" for name, count in done.labels.items())
    print(f"{arguments.target}: {len(done.rows)} clips of {done.groups} groups; {labels}")
    if done.copies:
        print(f"{done.copies} copies of files that were taken already were left out.")
    if done.licences:
        print(f"Licence: {'; '.join(done.licences)}.")
    if note:
        print(note)
    return 0


def _label(arguments: argparse.Namespace) -> int:
    from trainer.label import label_corpus

    totals = label_corpus(arguments.data, arguments.yamnet, arguments.output, arguments.student, arguments.cache)
    for name, seconds in sorted(totals.items()):
        print(f"{name:12} {seconds:8.0f} s")
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from trainer.evaluate import predict

    broken = 0
    for entry in predict(arguments.model, arguments.paths):
        broken += "error" in entry
        if arguments.json:
            _event(entry)
        elif "error" in entry:
            print(entry["error"], file=sys.stderr)
        else:
            print(f"{entry['path']}: {entry['label']} {entry['confidence']:.0%} (crying {entry['crying']:.0%})")
    return 2 if broken else 0


def _default_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("babymonitor", appauthor=False)) / "waves"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trainer", description="Trains and examines the models of Baby Monitor.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=run)
        return sub

    def data_options(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--data", type=Path, required=True, metavar="DIR", help="a data set folder")
        sub.add_argument("--segments", type=Path, metavar="FILE.csv", help="who is heard when; decides about labels")
        sub.add_argument(
            "--cache", type=Path, default=_default_cache(), metavar="DIR", help="where decoded sound is kept"
        )
        sub.add_argument("--json", action="store_true", help="one JSON object a line on standard output")

    families = command("families", _families, "every family: name, parameters, input, what it needs")
    families.add_argument("--json", action="store_true", help="as JSON")

    importing = command("import", _import, "make a data set of a published corpus")
    importing.add_argument(
        "corpus", metavar="CORPUS", help="ravdess, cremad, tess, emodb, donateacry, esc50, or folders (one a label)"
    )
    importing.add_argument("source", type=Path, metavar="SOURCE", help="the folder that the corpus was unpacked into")
    importing.add_argument("target", type=Path, metavar="TARGET", help="the data set folder to make")
    importing.add_argument(
        "--keep-classes", action="store_true", help="esc50: all fifty classes, not crying and background"
    )
    importing.add_argument("--json", action="store_true", help="as JSON")

    train = command("train", _train, "train a model file from a data set")
    data_options(train)
    train.add_argument("--family", required=True, metavar="NAME", help="see `trainer families`")
    train.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    train.add_argument("--epochs", type=_positive, default=12)
    train.add_argument("--epoch-windows", type=_positive, default=24576, help="windows of one epoch")
    train.add_argument("--batch", type=_positive, default=128)
    train.add_argument("--reuse", type=_positive, default=3, help="epochs that share the windows drawn")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--resume", action="store_true", help="go on after the last whole epoch of the same command")
    train.add_argument("--no-codecs", action="store_true", help="leave out the copies through phone codecs")
    train.add_argument("--threads", type=_positive, default=1, help="threads of the network's arithmetic")
    train.add_argument("--workers", type=_positive, default=1, help="processes that draw windows")
    train.add_argument("--name", default="", help="what the model calls itself")
    train.add_argument("--licence", default="as the data it was trained on")

    evaluate = command("evaluate", _evaluate, "how good a model is on groups it never met")
    data_options(evaluate)
    evaluate.add_argument("--model", type=Path, required=True, metavar="FILE.onnx")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test", "evaluation-only", "all"))
    evaluate.add_argument("--yamnet", type=Path, metavar="FILE.tflite", help="the peer, measured on the same clips")

    label = command("label", _label, "who is heard when, in recordings that only promise a baby")
    label.add_argument("--data", type=Path, required=True, metavar="DIR")
    label.add_argument("--yamnet", type=Path, required=True, metavar="FILE.tflite", help="the teacher")
    label.add_argument("--student", type=Path, metavar="FILE.onnx", help="a model of ours, for a second round")
    label.add_argument("--output", type=Path, required=True, metavar="FILE.csv")
    label.add_argument("--cache", type=Path, metavar="DIR", help="where the teacher's scores are kept between rounds")

    export = command("export", _export, "a .pt file as a model file, a model file as .pt or with 8-bit matrices")
    export.add_argument("file", type=Path, metavar="FILE", help="a .pt, or an .onnx with its .pt beside it")
    export.add_argument("--format", required=True, choices=("pt", "onnx"))
    export.add_argument("--output", type=Path, metavar="FILE", help="without it FILE.pt, FILE.onnx or FILE.int8.onnx")
    export.add_argument("--int8", action="store_true", help="smaller and quicker: matrices in 8 bits")

    predict = command("predict", _predict, "what a model says of files")
    predict.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    predict.add_argument("--model", type=Path, required=True, metavar="FILE.onnx")
    predict.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
