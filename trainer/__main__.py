"""`python -m trainer …`: the trainer's command line. Bad input is one sentence on standard error and exit status 2."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

# Before numpy is imported: its matrices here are small, and threads that wait for each other take longer than the work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main(argv: list[str] | None = None) -> int:
    """Run one command; → the exit status."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(words)
    arguments.words = words
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
        resumable = arguments.command is _train
        print("Stopped; --resume goes on from the last whole epoch." if resumable else "Stopped.", file=sys.stderr)
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
    from babymonitor.core.labels import LABELS
    from trainer.networks import FAMILIES

    rows: list[dict[str, Any]] = []
    for family in FAMILIES.values():
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
            size = f"{row['parameters']:>11,} parameters" if row["parameters"] else f"{'fitted at once':>22}"
            print(f"{row['name']:18} {size}  {row['input']}  needs {row['needs']}")
            print(f"{'':18} {row['about']}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from trainer.run import default_output, train

    _prepare_arithmetic(arguments)
    request = _request(arguments, arguments.family, arguments.output or Path("unnamed.onnx"))
    if arguments.output is None:
        request = replace(request, output=default_output(request))
    metrics = train(request, _teller(arguments))
    if not metrics:
        return 0  # one of several processes, and not the one that speaks
    if arguments.json:
        _event({"event": "finished", "model": str(request.output), "metrics": metrics})
    else:
        print(f"{request.output}: " + ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return 0


def _prepare_arithmetic(arguments: argparse.Namespace) -> None:
    import torch

    _keep_memory()
    torch.set_num_threads(arguments.threads)


def _teller(arguments: argparse.Namespace) -> Any:
    """What is told while it trains: JSON lines, or (where no bar is drawn) a line for each epoch."""

    def tell(values: dict[str, Any]) -> None:
        if arguments.json:
            _event(values)
        elif values["event"] == "epoch" and not sys.stderr.isatty():
            print(" ".join(f"{name}={value}" for name, value in values.items()), file=sys.stderr, flush=True)

    return tell


def _division(arguments: argparse.Namespace) -> Any:
    from trainer.corpora import Division

    return Division(
        shares=arguments.shares,
        sides=arguments.sides,
        folds=arguments.folds,
        fold=arguments.fold,
        by_clip=arguments.split_by_clip,
    )


def _request(arguments: argparse.Namespace, family: str, output: Path) -> Any:
    """The training that the options describe, of one family."""
    from trainer.corpora import DataError
    from trainer.networks import FAMILIES
    from trainer.run import Request, recipe_of

    if family not in FAMILIES:
        raise DataError(f"There is no family '{family}'; there is {', '.join(FAMILIES)}.")
    names = (
        "epochs epoch_windows batch learning_rate weight_decay schedule patience balance mixup mask smoothing "
        "precision average reuse seed workers"
    )
    weights = dict(arguments.weights)
    unknown = [name for name in weights if name not in FAMILIES or not FAMILIES[name].weights]
    if unknown:
        raise DataError(f"The family '{unknown[0]}' takes no weights; --weights wants FAMILY=FROM.")
    return Request(
        data=arguments.data,
        family=family,
        output=output,
        recipe=recipe_of(family, **{name: getattr(arguments, name, None) for name in names.split()}),
        cache=arguments.cache,
        segments=arguments.segments,
        merged=dict(arguments.merge),
        division=_division(arguments),
        augmentation=arguments.augment,
        begin_from=getattr(arguments, "begin_from", None),
        weights=weights.get(family),
        resume=getattr(arguments, "resume", False),
        codecs=not arguments.no_codecs,
        device=arguments.device,
        licence=arguments.licence,
        name=getattr(arguments, "name", ""),
    )


def _compare(arguments: argparse.Namespace) -> int:
    from trainer.compare import compare
    from trainer.comparison import write_comparison
    from trainer.corpora import DataError
    from trainer.networks import FAMILIES

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise DataError("A comparison is one process; start `train` with torchrun instead.")
    _prepare_arithmetic(arguments)
    families = list(FAMILIES) if arguments.families == "all" else arguments.families.split(",")
    requests = [_request(arguments, family, Path("unnamed.onnx")) for family in families]
    if arguments.folds:
        requests = [
            replace(request, division=replace(request.division, fold=fold))
            for request in requests
            for fold in range(max(2, arguments.folds))
        ]
    if arguments.beside_random_split:
        requests += [replace(one, division=replace(one.division, by_clip=True, sides=None)) for one in requests]
    words = " ".join(shlex.quote(word) for word in arguments.words)
    command = f"python -m trainer {words}"
    told = compare(requests, arguments.work or arguments.report / "work", arguments.title, command, _teller(arguments))
    page = write_comparison(arguments.report, [told], arguments.title)
    rows = sorted(told["rows"], key=lambda row: -row[row["judged_by"]]["balanced_accuracy"]["value"])
    if arguments.json:
        _event({"event": "finished", "report": str(page), "best": rows[0]["family"]})
    else:
        for row in rows:
            entry = row[row["judged_by"]]["balanced_accuracy"]
            print(f"{row['family']:18} {entry['value']:.3f} [{entry['low']}, {entry['high']}]")
        for one in told["left_out"]:
            print(f"{one['family']:18} left out: {one['why']}")
        print(page)
    return 0


def _tune(arguments: argparse.Namespace) -> int:
    from trainer.tune import tune

    _prepare_arithmetic(arguments)

    def tell(values: dict[str, Any]) -> None:
        if arguments.json:
            _event(values)
        else:
            print(f"trial {values['number']}: {values['figure']}", file=sys.stderr, flush=True)

    request = _request(arguments, arguments.family, Path("unnamed.onnx"))
    best = tune(request, arguments.study, arguments.trials, tell)
    if arguments.json:
        _event({"event": "finished", **best})
    else:
        print(f"best of {best['trials']} trials: {best['figure']}")
        for name, value in best["settings"].items():
            print(f"  {name} = {value:.4g}")
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
        division=_division(arguments),
        merged=dict(arguments.merge),
        shared_labels=arguments.shared_labels,
        robustness_clips=arguments.robustness_clips,
        command=f"python -m trainer {shlex.join(arguments.words)}",
    )
    if arguments.report:
        from trainer.report import write

        page = write(arguments.report, report)
        report["report"] = str(page)
    if arguments.json:
        _event(report)
    else:
        print(readable(report))
        if arguments.report:
            print(f"\n{page}")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from trainer.report import render

    print(render(arguments.files, arguments.output, arguments.title))
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


def _export(arguments: argparse.Namespace) -> int:
    from trainer.torch_file import export

    suffix = f".int8.{arguments.format}" if arguments.int8 else f".{arguments.format}"
    output = arguments.output or arguments.file.with_suffix(suffix)
    export(arguments.file, arguments.format, output, arguments.int8)
    print(output)
    return 0


def _nights(arguments: argparse.Namespace) -> int:
    from trainer.nights import Wish, nights, readable, write

    wish = Wish(
        split_name=arguments.split,
        hours=arguments.hours,
        seed=arguments.seed,
        snrs_db=tuple(arguments.snr),
        episodes_per_hour=arguments.episodes,
        backgrounds=tuple(arguments.backgrounds),
    )

    def progress(name: str) -> None:
        print(f"{arguments.hours:g} h of {name} …", file=sys.stderr, flush=True)

    _keep_memory()
    report = nights(
        arguments.model,
        arguments.data,
        wish,
        arguments.segments,
        arguments.cache,
        progress,
        _division(arguments),
        dict(arguments.merge),
    )
    if arguments.report:
        write(report, arguments.report)
    if arguments.json:
        _event(report)
    else:
        print(readable(report))
    return 0


def _label(arguments: argparse.Namespace) -> int:
    from trainer.label import label_corpus

    totals = label_corpus(arguments.data, arguments.yamnet, arguments.output, arguments.student, arguments.cache)
    for name, seconds in sorted(totals.items()):
        print(f"{name:12} {seconds:8.0f} s")
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from babymonitor.core.audio import sound_files
    from babymonitor.core.classifier import Classifier
    from babymonitor.core.settings import replace_file
    from babymonitor.core.verdict import entry_of

    classifier = Classifier(arguments.model)
    found = (file for path in arguments.paths for file in sound_files(path))
    entries = [entry_of(file, classifier) for file in found]
    told = {"files": entries}
    if arguments.output:
        replace_file(arguments.output, json.dumps(told, indent=2, ensure_ascii=False).encode(errors="backslashreplace"))
    if arguments.json:
        _event(told)
    else:
        for entry in entries:
            if "error" in entry:
                print(entry["error"], file=sys.stderr)
            else:
                word = f"{entry['label']} {entry['confidence']:.0%} (crying {entry['crying']:.0%})"
                print(f"{entry['path']}: {word}")
    return 0 if any("error" not in entry for entry in entries) else 2


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

    def division_options(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--merge", action="append", default=[], type=_pair, metavar="LABEL=AS", help="count as another"
        )
        sub.add_argument("--shares", type=_shares, default="70,15,15", help="of training, validation and test")
        sub.add_argument("--sides", type=Path, metavar="FILE.csv", help="group,split: where groups stand")
        sub.add_argument("--folds", type=int, default=0, help="divide the groups into so many parts")
        sub.add_argument("--fold", type=int, default=0, help="the part that is the test side, from 0")
        sub.add_argument("--split-by-clip", action="store_true", help="let one speaker stand on all sides: too good")

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

    def training_options(sub: argparse.ArgumentParser, searched: bool = False) -> None:
        """searched: those that a search tries out are left away."""
        division_options(sub)
        sub.add_argument("--epochs", type=_positive, help="how often (default: the family's)")
        sub.add_argument("--epoch-windows", type=_positive, help="windows of one epoch (default: four for each clip)")
        sub.add_argument("--augment", default="", metavar="NAME[,THING=SHARE…]", help="night, speech or none, changed")
        if not searched:
            sub.add_argument("--batch", type=_positive)
            sub.add_argument("--learning-rate", type=float)
            sub.add_argument("--weight-decay", type=float)
            sub.add_argument("--mixup", type=float, metavar="SHARE")
            sub.add_argument("--mask", type=float, metavar="SHARE", help="SpecAugment")
            sub.add_argument("--smoothing", type=float, help="of the labels")
        sub.add_argument("--schedule", choices=("one_cycle", "plateau", "constant"))
        sub.add_argument("--patience", type=int, help="epochs without a better validation before it ends; 0: never")
        sub.add_argument("--balance", choices=("sampling", "weights", "none"), help="how rare labels are made to count")
        sub.add_argument("--precision", choices=("float32", "bfloat16", "auto"), help="of the products while training")
        sub.add_argument("--average", type=float, help="how slowly the averaged weights follow")
        sub.add_argument("--reuse", type=_positive, help="epochs that share the windows drawn")
        sub.add_argument("--seed", type=int)
        where = "a hub name, a folder, a file, or 'random', for a family with pretrained weights"
        sub.add_argument("--weights", action="append", default=[], type=_pair, metavar="FAMILY=FROM", help=where)
        sub.add_argument("--no-codecs", action="store_true", help="leave out the copies through phone codecs")
        sub.add_argument("--threads", type=_positive, default=1, help="threads of the network's arithmetic")
        sub.add_argument("--workers", type=int, help="processes that draw windows")
        sub.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
        sub.add_argument("--licence", default="as the data it was trained on")

    train = command("train", _train, "train a model file from a data set")
    data_options(train)
    training_options(train)
    train.add_argument("--family", required=True, metavar="NAME", help="see `trainer families`")
    train.add_argument("--output", type=Path, metavar="FILE.onnx", help="default: by the family's name in models/")
    train.add_argument("--name", default="", help="what the model calls itself")
    train.add_argument("--from", dest="begin_from", type=Path, metavar="FILE", help="begin with its weights")
    train.add_argument("--resume", action="store_true", help="go on after the last whole epoch of the same command")

    compare = command("compare", _compare, "train families on the same sides and set them side by side")
    data_options(compare)
    training_options(compare)
    compare.add_argument("--families", default="all", metavar="A,B,…", help="default: all of them")
    compare.add_argument(
        "--beside-random-split", action="store_true", help="each family on a split by clips too: what leakage is worth"
    )
    compare.add_argument("--report", type=Path, required=True, metavar="DIR")
    compare.add_argument("--work", type=Path, metavar="DIR", help="where models and judgements are kept")
    compare.add_argument("--title", default="Families compared")

    tune = command("tune", _tune, "search for a family's best settings; many workers may share one study")
    data_options(tune)
    training_options(tune, searched=True)
    tune.add_argument("--family", required=True, metavar="NAME", help="see `trainer families`")
    tune.add_argument("--study", type=Path, required=True, metavar="FILE.sqlite", help="kept, and gone on with")
    tune.add_argument("--trials", type=_positive, default=20, help="of this worker")

    evaluate = command("evaluate", _evaluate, "how good a model is on groups it never met")
    data_options(evaluate)
    evaluate.add_argument("--model", type=Path, required=True, metavar="FILE.onnx")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test", "evaluation-only", "all"))
    division_options(evaluate)
    evaluate.add_argument("--shared-labels", action="store_true", help="compare on the labels that both know only")
    evaluate.add_argument("--robustness-clips", type=_not_negative, default=100, metavar="N",
                          help="clips to judge in noise, through codecs and so on; 0: none")  # fmt: skip
    evaluate.add_argument("--report", type=Path, metavar="DIR", help="write a page with plots there, and its values")
    evaluate.add_argument("--yamnet", type=Path, metavar="FILE.tflite", help="the peer, measured on the same clips")

    nights = command("nights", _nights, "whole nights through detector and alarm: cries caught, delay, false alarms")
    data_options(nights)
    division_options(nights)
    nights.add_argument("--model", type=Path, required=True, metavar="FILE.onnx")
    nights.add_argument("--split", default="test", choices=("train", "validation", "test", "evaluation-only", "all"))
    nights.add_argument("--hours", type=_above_zero, default=10.0, help="of each background")
    nights.add_argument("--episodes", type=_above_zero, default=12.0, metavar="N", help="of crying, an hour")
    nights.add_argument(
        "--snr", type=float, nargs="+", default=[20.0, 10.0, 0.0], metavar="DB", help="cries above the background"
    )
    nights.add_argument("--backgrounds", nargs="+", default=[], metavar="NAME", help="only these")
    nights.add_argument("--seed", type=int, default=1)
    nights.add_argument("--report", type=Path, metavar="DIR", help="where nights.json and nights.txt are written")

    report = command("report", _report, "write the page of a comparison again, or of several as one")
    report.add_argument("files", nargs="+", type=Path, metavar="FILE.json", help="what compare or evaluate wrote")
    report.add_argument("--output", type=Path, required=True, metavar="DIR")
    report.add_argument("--title", default="Families compared")

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
    predict.add_argument("--json", action="store_true", help="one JSON object instead of words")
    predict.add_argument("--output", type=Path, metavar="FILE", help="write the JSON there")
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, _, other = text.partition("=")
    if not other:
        raise argparse.ArgumentTypeError("it must read LABEL=AS")
    return name, other


def _shares(text: str) -> tuple[float, ...]:
    shares = tuple(float(part) / 100 for part in text.split(","))
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise argparse.ArgumentTypeError("it must be three numbers that add up to 100, such as 70,15,15 or 80,10,10")
    return shares


def _not_negative(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("it must not be negative")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return value


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("it must be above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
