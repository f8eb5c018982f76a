"""`python -m trainer …`: the trainer's command line. Bad input is one sentence on standard error and exit status 2."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from trainer.commands import options, personal

# Before numpy is imported: its matrices here are small, and threads that wait for each other take longer than the work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main(argv: list[str] | None = None) -> int:
    """Run one command; → the exit status."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(words)
    arguments.words = words
    from babymonitor.core.model.classifier import ModelError
    from babymonitor.core.sound.wave import AudioError
    from trainer.errors import DataError

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


def _refuse(arguments: argparse.Namespace, sentence: str) -> int:
    print(sentence, file=sys.stderr)
    if getattr(arguments, "json", False):
        _event({"event": "failed", "error": sentence})
    return 2


def _event(values: dict[str, Any]) -> None:
    print(json.dumps(values, ensure_ascii=False), flush=True)


def _families(arguments: argparse.Namespace) -> int:
    import torch

    from babymonitor.core.labels import LABELS
    from trainer.networks import FAMILIES
    from trainer.training.train import recipe_of

    rows: list[dict[str, Any]] = []
    for family in FAMILIES.values():
        published = {} if "/" in family.weights else "random"  # {}: the base configuration
        known: tuple[Any, ...] = (published,) if family.weights else ()
        with torch.device("meta"):  # counted, not filled: nothing is fetched, and no memory taken
            network = family.build(tuple(LABELS), family.front, *known)
        front, recipe = family.front, recipe_of(family.name)
        rows.append(
            {
                "name": family.name,
                "parameters": sum(values.numel() for values in network.parameters()),
                "input": f"{front.features.kind} {front.features.rows} × {front.window_frames} ({front.seconds:.1f} s)",
                "needs": family.needs or "nothing more",
                "recipe": {name: getattr(recipe, name) for name in recipe.__slots__},
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
            if row["parameters"]:
                told = row["recipe"]
                text = f"{told['epochs']} epochs, batches of {told['batch']}, learning rate {told['learning_rate']:g}"
                print(f"{'':18} {text}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from trainer.training.train import default_output, train

    _prepare_arithmetic(arguments)
    request = _request(arguments, arguments.family, arguments.output or Path("unnamed.onnx"))
    if arguments.output is None:
        request = replace(request, output=default_output(request))
    metrics = train(request, _teller(arguments))
    if not metrics:
        return 0  # one of several processes, and not the one that speaks
    if arguments.rehearsal:
        personal.rehearse(arguments, request.output, _teller(arguments))
    if arguments.json:
        _event({"event": "finished", "model": str(request.output), "metrics": metrics})
    else:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in metrics.items())
        print(f"{request.output}: on validation groups {figures}")
    return 0


def _prepare_arithmetic(arguments: argparse.Namespace) -> None:
    import torch

    from trainer.training.distributed import keep_memory

    keep_memory()
    torch.set_num_threads(arguments.threads)


def _teller(arguments: argparse.Namespace) -> Any:
    """What is told while it trains: JSON lines, or who stands where and (where no bar is drawn) a line an epoch."""

    def tell(values: dict[str, Any]) -> None:
        if arguments.json:
            _event(values)
        elif values["event"] == "started":
            sides = ", ".join(f"{side} {count}" for side, count in values["groups"].items())
            text = f"{values['family']}: labels {', '.join(values['labels'])}; groups {sides}"
            print(text, file=sys.stderr, flush=True)
        elif values["event"] == "epoch" and not sys.stderr.isatty():
            left = {name: value for name, value in values.items() if name not in ("event", "epoch", "epochs")}
            told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in left.items())
            print(f"epoch {values['epoch']} of {values['epochs']}: {told}", file=sys.stderr, flush=True)

    return tell


def _request(arguments: argparse.Namespace, family: str, output: Path) -> Any:
    """The training that the options describe, of one family."""
    from trainer.errors import DataError
    from trainer.networks import FAMILIES
    from trainer.training.train import Request, recipe_of

    if family not in FAMILIES:
        raise DataError(f"There is no family '{family}'; there is {', '.join(FAMILIES)}.")
    names = (
        "epochs epoch_windows batch learning_rate weight_decay schedule patience balance mixup overlay noise mask "
        "smoothing precision average reuse seed workers lesson_weight elder_share"
    )
    weights = dict(arguments.weights)
    unknown = [name for name in weights if name not in FAMILIES or not FAMILIES[name].weights]
    if unknown:
        raise DataError(f"The family '{unknown[0]}' takes no weights; --weights wants FAMILY=FROM.")
    begin_from = getattr(arguments, "begin_from", None)
    if begin_from and not begin_from.is_file():
        raise DataError(f"There is no file {begin_from} to begin from.")
    return Request(
        data=arguments.data,
        family=family,
        output=output,
        recipe=recipe_of(family, **{name: getattr(arguments, name, None) for name in names.split()}),
        cache=arguments.cache,
        segments=arguments.segments,
        merged=dict(arguments.merge),
        division=options.division(arguments),
        augmentation=arguments.augment,
        begin_from=begin_from,
        weights=weights.get(family),
        teacher=getattr(arguments, "teacher", None),
        elder=getattr(arguments, "elder", None),
        members=getattr(arguments, "members", 1),
        resume=getattr(arguments, "resume", False),
        codecs=not arguments.no_codecs,
        device=arguments.device,
        licence=arguments.licence,
        name=getattr(arguments, "name", ""),
    )


def _compare(arguments: argparse.Namespace) -> int:
    from trainer.errors import DataError
    from trainer.networks import FAMILIES
    from trainer.reports.family_report import write_comparison
    from trainer.training.compare_families import compare

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise DataError("A comparison is one process; start `train` with torchrun instead.")
    _prepare_arithmetic(arguments)
    named = [tuple(name.split("+")) for name in arguments.families.split(",")]
    families = list(FAMILIES) if arguments.families == "all" else dict.fromkeys(sum(named, ()))
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
    work, together = arguments.work or arguments.report / "work", [one for one in named if len(one) > 1]
    told = compare(requests, work, arguments.title, command, _teller(arguments), together)
    page = write_comparison(arguments.report, [told], arguments.title)
    rows = sorted(told["rows"], key=lambda row: -row[row["judged_by"]]["balanced_accuracy"]["value"])
    if arguments.json:
        _event({"event": "finished", "report": str(page), "best": rows[0]["family"]})
    else:
        print(f"balanced accuracy [95 % interval]; chance is {told['chance']:.3f}")
        for row in rows:
            entry = row[row["judged_by"]]["balanced_accuracy"]
            span = "[one group]" if entry["low"] is None else f"[{entry['low']:.3f}–{entry['high']:.3f}]"
            text = "  random split: too good" if row["protocol"] == "random split" else ""
            print(f"{row['family']:18} {entry['value']:.3f} {span}{text}")
        for one in told["left_out"]:
            print(f"{one['family']:18} left out: {one['why']}")
        print(page)
    return 0


def _tune(arguments: argparse.Namespace) -> int:
    from trainer.training.tune import tune

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
    from trainer.evaluation.evaluate import evaluate, readable

    report = evaluate(
        arguments.model,
        arguments.data,
        split_name=arguments.split,
        segments=arguments.segments,
        cache=arguments.cache,
        yamnet=arguments.yamnet,
        division=options.division(arguments),
        merged=dict(arguments.merge),
        shared_labels=arguments.shared_labels,
        robustness_clips=arguments.robustness_clips,
        command=f"python -m trainer {shlex.join(arguments.words)}",
    )
    if arguments.report:
        from trainer.reports.model_report import write

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
    from trainer.reports.model_report import render

    print(render(arguments.files, arguments.output, arguments.title))
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from trainer.data.corpus_import import import_corpus
    from trainer.data.published_corpora import CORPORA
    from trainer.errors import counted

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
    print(f"{arguments.target}: {counted(len(done.rows), 'clip')} of {counted(done.groups, 'group')}; {labels}")
    if done.copies:
        print(f"{done.copies} copies of files that were taken already were left out.")
    if done.licences:
        print(f"Licence: {'; '.join(done.licences)}.")
    if note:
        print(note)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from trainer.model_file.torch_file import export

    suffix = f".int8.{arguments.format}" if arguments.int8 else f".{arguments.format}"
    output = arguments.output or arguments.file.with_suffix(suffix)
    export(arguments.file, arguments.format, output, arguments.int8)
    print(output)
    return 0


def _combine(arguments: argparse.Namespace) -> int:
    from trainer.model_file.ensemble import combine

    card = combine(arguments.models, arguments.output, arguments.name, arguments.suspect, arguments.bits)
    print(f"{arguments.output}: {card.name}")
    return 0


def _nights(arguments: argparse.Namespace) -> int:
    from trainer.evaluation.nights import Wish, best_start, nights, readable, write
    from trainer.model_file.export import rewrite_card
    from trainer.training.calibration import with_end
    from trainer.training.distributed import keep_memory

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

    keep_memory()
    report = nights(
        arguments.model,
        arguments.data,
        wish,
        arguments.segments,
        arguments.cache,
        progress,
        options.division(arguments),
        dict(arguments.merge),
        arguments.tell_model or arguments.set_thresholds,
    )
    if arguments.report:
        write(report, arguments.report)
    told: dict[str, Any] = {}
    if arguments.set_thresholds:
        told["thresholds"] = with_end(best_start(report["operating_curve"]))
        print("start threshold {start:g}, end {end:g}".format(**told["thresholds"]), file=sys.stderr)
    if arguments.tell_model:
        told["operating_curve"] = report["operating_curve"]
    if told:
        rewrite_card(arguments.model, **told)
    if arguments.json:
        _event(report)
    else:
        print(readable(report))
    return 0


def _label(arguments: argparse.Namespace) -> int:
    from trainer.labelling.cry_segments import label_corpus

    totals = label_corpus(
        arguments.data, arguments.yamnet, arguments.output, arguments.student, arguments.cache, arguments.sides
    )
    for name, seconds in sorted(totals.items()):
        print(f"{name:12} {seconds:8.0f} s")
    print(arguments.output)
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from babymonitor.core.model.classifier import Classifier
    from babymonitor.core.model.score_file import entry_of
    from babymonitor.core.sound.files import sound_files
    from babymonitor.core.whole_file import write_whole

    classifier = Classifier(arguments.model)
    found = (file for path in arguments.paths for file in sound_files(path))
    entries = [entry_of(file, classifier) for file in found]
    told = {"files": entries}
    if arguments.output:
        write_whole(arguments.output, json.dumps(told, indent=2, ensure_ascii=False).encode(errors="backslashreplace"))
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


class _Parser(argparse.ArgumentParser):
    """What is wrong, in one sentence, and not the usage before it: of forty options that fills a screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="trainer", description="Trains and examines the models of Baby Monitor.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.set_defaults(command=run)
        return sub

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
    options.add_data(train)
    options.add_recipe(train)
    train.add_argument("--family", required=True, metavar="NAME", help="see `trainer families`")
    train.add_argument("--output", type=Path, metavar="FILE.onnx", help="default: by the family's name in models/")
    train.add_argument("--name", default="", help="what the model calls itself")
    train.add_argument("--teacher", type=Path, metavar="FILE.tflite", help="learn YAMNet's word on what is heard, too")
    train.add_argument("--elder", type=options.model_file, metavar="FILE.onnx",
                       help="learn the answers of a model of the same labels, a combined one say")  # fmt: skip
    train.add_argument(
        "--elder-share", type=float, metavar="SHARE", help="of its answers in the targets (default: 0.7)"
    )
    train.add_argument("--lesson-weight", type=float, metavar="N", help="of the teacher's word (default: 0.1)")
    train.add_argument("--from", dest="begin_from", type=Path, metavar="FILE",
                       help="begin with the weights of a model file or of a checkpoint")  # fmt: skip
    train.add_argument(
        "--rehearsal", action="store_true", help="write what it rehearses when it is taught, too (see `teach`)"
    )
    train.add_argument("--resume", action="store_true", help="go on after the last whole epoch of the same command")

    compare = command("compare", _compare, "train families on the same sides and set them side by side")
    options.add_data(compare)
    options.add_recipe(compare)
    compare.add_argument("--families", default="all", metavar="A,B,C+D,…", help="default: all; C+D: also together")
    compare.add_argument(
        "--beside-random-split", action="store_true", help="each family on a split by clips too: what leakage is worth"
    )
    compare.add_argument("--report", type=Path, required=True, metavar="DIR", help="where the page goes")
    compare.add_argument(
        "--work", type=Path, metavar="DIR", help="where finished runs are kept (default: work in --report)"
    )
    compare.add_argument("--title", default="Families compared", help="of the page")

    tune = command("tune", _tune, "search for a family's best settings; many workers may share one study")
    options.add_data(tune)
    options.add_recipe(tune, searched=True)
    tune.add_argument("--family", required=True, metavar="NAME", help="see `trainer families`")
    tune.add_argument("--study", type=Path, required=True, metavar="FILE.sqlite", help="kept, and gone on with")
    tune.add_argument("--trials", type=options.positive, default=20, metavar="N", help="of this worker (default: 20)")

    evaluate = command("evaluate", _evaluate, "how good a model is on groups it never met")
    options.add_data(evaluate)
    evaluate.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    evaluate.add_argument("--split", default="test", choices=options.SPLITS, help="the side (default: test)")
    options.add_division(evaluate)
    evaluate.add_argument("--shared-labels", action="store_true", help="compare on the labels that both know only")
    evaluate.add_argument("--robustness-clips", type=options.not_negative, default=100, metavar="N",
                          help="clips to judge in noise, through codecs and so on (default: 100; 0: none)")  # fmt: skip
    evaluate.add_argument("--report", type=Path, metavar="DIR", help="write a page with plots there, and its values")
    evaluate.add_argument("--yamnet", type=Path, metavar="FILE.tflite", help="the peer, measured on the same clips")

    nights = command("nights", _nights, "whole nights through detector and alarm: cries caught, delay, false alarms")
    options.add_data(nights)
    options.add_division(nights)
    nights.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    nights.add_argument("--split", default="test", choices=options.SPLITS, help="the side (default: test)")
    nights.add_argument(
        "--hours", type=options.above_zero, default=10.0, metavar="N", help="of each background (default: 10)"
    )
    nights.add_argument(
        "--episodes", type=options.above_zero, default=12.0, metavar="N", help="of crying, an hour (default: 12)"
    )
    nights.add_argument(
        "--snr",
        type=float,
        nargs="+",
        default=[20.0, 10.0, 0.0],
        metavar="DB",
        help="cries above the background (default: 20 10 0)",
    )
    nights.add_argument("--backgrounds", nargs="+", default=[], metavar="NAME", help="only these")
    nights.add_argument(
        "--seed", type=int, default=1, metavar="N", help="another one composes other nights (default: 1)"
    )
    nights.add_argument("--report", type=Path, metavar="DIR", help="where nights.json and nights.txt are written")

    nights.add_argument("--set-thresholds", action="store_true",
                        help="let the model's card have the thresholds that do best here")  # fmt: skip
    nights.add_argument(
        "--tell-model", action="store_true", help="write the operating curve into the model's card: the app shows it"
    )

    report = command("report", _report, "write the page of a comparison again, or of several as one")
    report.add_argument("files", nargs="+", type=Path, metavar="FILE.json", help="what compare or evaluate wrote")
    report.add_argument("--output", type=Path, required=True, metavar="DIR")
    report.add_argument("--title", default="Families compared", help="of the page")

    label = command("label", _label, "who is heard when, in recordings that only promise a baby")
    label.add_argument("--data", type=Path, required=True, metavar="DIR")
    label.add_argument("--yamnet", type=Path, required=True, metavar="FILE.tflite", help="the teacher")
    label.add_argument("--student", type=Path, metavar="FILE.onnx", help="a model of ours, for a second round")
    label.add_argument("--sides", type=Path, metavar="FILE.csv",
                       help="columns group,split: whoever tests is labelled by the teacher alone")  # fmt: skip
    label.add_argument("--output", type=Path, required=True, metavar="FILE.csv")
    label.add_argument("--cache", type=Path, metavar="DIR", help="where the teacher's scores are kept between rounds")

    export = command("export", _export, "a .pt file as a model file, a model file as .pt or with 8-bit matrices")
    export.add_argument("file", type=Path, metavar="FILE", help="a .pt, or an .onnx with its .pt beside it")
    export.add_argument("--format", required=True, choices=("pt", "onnx"))
    export.add_argument("--output", type=Path, metavar="FILE", help="without it FILE.pt, FILE.onnx or FILE.int8.onnx")
    export.add_argument("--int8", action="store_true", help="smaller and quicker: matrices in 8 bits")

    personal.add_commands(command)

    combining = command("combine", _combine, "one model file of several: it answers with the mean of what they say")
    combining.add_argument("models", nargs="+", type=options.model_file, metavar="FILE.onnx", help="that see the same")
    combining.add_argument("--output", type=options.model_file, required=True, metavar="FILE.onnx")
    combining.add_argument("--name", default="", help="what the model calls itself")
    combining.add_argument("--suspect", type=options.chance, metavar="P",
                           help="ask the others only where the first gives crying P or more")  # fmt: skip
    combining.add_argument(
        "--bits", type=int, choices=(8, 16), help="keep weights in so many: a quarter or half the size"
    )

    predict = command("predict", _predict, "what a model says of files")
    predict.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    predict.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    predict.add_argument("--json", action="store_true", help="one JSON object instead of words")
    predict.add_argument("--output", type=Path, metavar="FILE", help="write the JSON there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
