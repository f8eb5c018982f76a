"""How good a model is on clips of groups it never learnt from, beside its peer YAMNet where that is available."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.labels import label, two_sided
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.replay import clip_scores
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import synthetic
from trainer.audio.augment import add
from trainer.data.dataset import Clip, DataSet
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.readers import Roots, load
from trainer.data.split import Division
from trainer.errors import DataError, counted, existing
from trainer.evaluation.alert_delay import onset_delays
from trainer.evaluation.judgements import Judgements, clips_of_side, judge, training_overlap
from trainer.evaluation.metrics import ClusterBootstrap, rounded
from trainer.evaluation.model_cost import cost_of
from trainer.evaluation.robustness import robustness
from trainer.evaluation.summary import figures_of, mean_over_clips
from trainer.labelling.yamnet_teacher import BABY_CRY, Teacher

FALSE_SHARES = (0.02, 0.01, 0.003, 0.001)
"""False positive rates at which the recall of cries is reported."""


def evaluate(
    model: Path,
    data: Roots,
    split_name: str = "test",
    segments: Path | None = None,
    cache: Path | None = None,
    yamnet: Path | None = None,
    *,
    division: Division | None = None,
    merged: Mapping[str, str] | None = None,
    shared_labels: bool = False,
    robustness_clips: int = 100,
    command: str = "",
) -> dict[str, Any]:
    """Evaluate a model on one side of a data set, as plain values fit for JSON.

    The figures over clips and over windows are under ``by_clip`` and ``by_window``; those that count most for these
    labels (windows for the monitor's, clips for any other) are repeated at the top. shared_labels: leave out labels
    that only the model or only the data has. robustness_clips: 0 leaves out altered sound. yamnet: the peer's file.
    Raises DataError where the side is empty or has labels that the model lacks, ModelError for an unusable model.
    """
    if yamnet is not None:
        existing(yamnet)  # before hours of decoding
    classifier = Classifier(model)
    division = division or Division()
    data_set = load(data, segments, merged)
    waves = DecodedAudio(data_set, cache or Path(model.parent), codecs=False)
    clips = clips_of_side(data_set, waves, split_name, division)
    labels, shared = classifier.labels, None
    foreign = {span.label for clip in clips for span in clip.spans} - set(classifier.labels)
    if shared_labels:
        clips, shared = _shared_spans(clips, classifier.labels, model, data_set)
        labels = tuple(shared["labels"])
    elif foreign:
        raise DataError(
            f"{model.name} does not know the label{'s' * (len(foreign) > 1)} {', '.join(sorted(foreign))} of "
            f"{data_set}; --shared-labels compares on those that both have."
        )
    judged = judge(classifier, clips, waves, labels)
    by_window, by_clip = judged.by_window(), judged.by_clip()
    main = "windows" if two_sided(labels) or by_clip is None else "clips"
    head = by_window if main == "windows" or by_clip is None else by_clip
    cost = cost_of(classifier)
    report: dict[str, Any] = {
        "event": "evaluated",
        "name": classifier.card.name,
        "family": classifier.card.family,
        "model": str(model),
        "model_created": classifier.card.created,
        "data": str(data_set),
        "data_name": data_set.title,
        "sources": sorted({clip.source or "folders" for clip in clips}),
        "split": split_name,
        "protocol": _protocol(split_name, division),
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "clips": len(clips),
        "groups": len({clip.group for clip in clips}),
        "windows": len(judged.rows),
        "labels": list(labels),
        "judged_by": main,
        **{name: head[name] for name in ("accuracy", "balanced_accuracy", "macro_f1", "per_label", "confusion")},
        "by_clip": by_clip,
        "by_window": by_window,
        "shared_labels": shared,
        "met": training_overlap(classifier.card, clips),
        "worst": _worst(judged, data_set),
        "cost": cost,
        "milliseconds_per_window": cost["milliseconds_per_window"],
    }
    if two_sided(labels):
        report["reasons"] = _of_reasons(judged, np.array([label(name).crying for name in labels]))
        report["clips_crying"] = _of_clips(classifier, clips, waves, yamnet)
        report["delay"] = onset_delays(classifier, clips, waves)
    if robustness_clips:
        report["robustness"] = robustness(classifier, clips, waves, labels, robustness_clips)
    return report


def _protocol(side: str, division: Division) -> str:
    """How the clips were chosen, for a person."""
    if side in ("all", "evaluation-only"):
        return {"all": "every clip", "evaluation-only": "clips that must not be trained on"}[side]
    if division.by_clip:
        return f"{side}: clips divided at random, so that a speaker may be on every side: too good"
    if division.sides is not None:
        return f"{side}, as {division.sides.name} says; no group on two sides"
    if division.folds:
        return f"{side} of fold {division.fold} of {division.folds}; no group on two sides"
    return f"{side} of {' / '.join(f'{share:.0%}' for share in division.shares)}; no group on two sides"


def _shared_spans(
    clips: Sequence[Clip], known: tuple[str, ...], model: Path, data: DataSet
) -> tuple[list[Clip], dict[str, Any]]:
    """The clips with only those spans that the model has a label for, and what that leaves out.

    Raises DataError where fewer than two labels are shared.
    """
    occurring = {span.label for clip in clips for span in clip.spans}
    both = [name for name in known if name in occurring]
    if len(both) < 2:
        count = "only one label" if both else "no label"
        raise DataError(f"{model.name} and {data} share {count}; at least two are needed.")
    cut = (replace(clip, spans=tuple(span for span in clip.spans if span.label in both)) for clip in clips)
    remaining = [clip for clip in cut if clip.spans]
    return remaining, {
        "labels": both,
        "only_model": [name for name in known if name not in occurring],
        "only_data": sorted(occurring - set(known)),
        "clips_left_out": len(clips) - len(remaining),
    }


def _worst(judged: Judgements, data: DataSet, most: int = 20) -> list[dict[str, Any]]:
    """The misclassified clips whose true label got the lowest probability."""
    rows, truth, groups, clips = mean_over_clips(judged.rows, judged.truth, judged.groups, judged.clips)
    truth_shares, predicted = rows[np.arange(len(rows)), truth], rows.argmax(1)
    order = [int(index) for index in np.argsort(truth_shares, kind="stable") if predicted[index] != truth[index]]
    return [
        {
            "path": str(clips[index]),
            "file": str(data.file(str(clips[index]))),
            "group": str(groups[index]),
            "was": judged.labels[truth[index]],
            "said": judged.labels[predicted[index]],
            "given": rounded(truth_shares[index]),
            "confidence": rounded(rows[index].max()),
        }
        for index in order[:most]
    ]


def _of_reasons(judged: Judgements, crying: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """How well crying labels are told apart on windows that are crying, and how honest the confidence in them is."""
    members, columns = np.flatnonzero(crying[judged.truth]), np.flatnonzero(crying)
    if len(columns) < 2 or not members.size:
        return {}
    shares = judged.rows[np.ix_(members, columns)] + 1e-9
    shares = shares / shares.sum(1, keepdims=True)
    names = [judged.labels[column] for column in columns]
    figures = figures_of(shares, np.searchsorted(columns, judged.truth[members]), judged.groups[members], names)
    fields = ("balanced_accuracy", "macro_f1", "chance", "mean_confidence", "labels")
    return {**{name: figures[name] for name in fields}, "highest_confidence": rounded(shares.max())}


def _of_clips(
    classifier: Classifier, clips: Sequence[Clip], waves: DecodedAudio, yamnet: Path | None
) -> dict[str, Any]:
    """Whole clips as the monitor would hear them from their beginning: the highest P(crying) of any window on its grid,
    beside the peer's highest frame.

    Positive: at least a second of crying. Negative: no crying, and nothing left open. Then the cries again in noise.
    """
    teacher = Teacher(yamnet) if yamnet else None
    truth, groups, kinds = [], [], []
    scores: dict[str, list[float]] = {}
    for clip in clips:
        cry_seconds = _cry_seconds(clip)
        clip_seconds = waves.samples(clip.path) / SAMPLE_RATE
        if 0 < cry_seconds < 1 or (cry_seconds == 0 and clip.seconds() < 0.9 * clip_seconds):
            continue
        wave = waves.read(clip.path)
        truth.append(cry_seconds > 0)
        groups.append(clip.group)
        kinds.append("crying" if cry_seconds else _kind(clip))
        for name, score in _clip_scores(classifier, teacher, wave).items():
            scores.setdefault(name, []).append(score)
    positive = np.array(truth, bool)
    report: dict[str, Any] = {"cries": int(positive.sum()), "others": int((~positive).sum())}
    if not positive.any() or positive.all():
        report["false_alarms"] = _false_alarms(classifier, scores, kinds)
        return report
    bootstrap = ClusterBootstrap(np.array(groups))
    for name, values in scores.items():
        array = np.array(values)
        report[name] = {"auc": bootstrap.estimate(bootstrap.roc_area(array, positive))}
        for share in FALSE_SHARES:
            recall = bootstrap.recall_at(array, positive, share)
            report[name][f"found_at_{share * 100:g}_percent"] = bootstrap.estimate(recall)
    report["false_alarms"] = _false_alarms(classifier, scores, kinds)
    report["in_white_noise"] = _in_noise(classifier, teacher, clips, waves, scores, positive)
    return report


def _cry_seconds(clip: Clip) -> float:
    return sum(span.end - span.start for span in clip.spans if label(span.label).crying)


def _clip_scores(classifier: Classifier, teacher: Teacher | None, wave: Wave) -> dict[str, float]:
    """Scores of a clip, (samples,): the model's highest P(crying), the highest that lasts as long as an alert needs,
    and the peer's highest frame.
    """
    crying = [score.crying for score in clip_scores(wave, classifier)]
    scores = {
        "model": max(crying),
        "model_as_alert": AlertRules.of_card(classifier.card).held_up(crying, classifier.card.hop_seconds),
    }
    if teacher is not None:
        # Its usual hop: 0.48 s.
        scores["yamnet"] = float(teacher.scores(wave, hop=7680)[:, BABY_CRY].max())
    return scores


def _false_alarms(classifier: Classifier, scores: dict[str, list[float]], kinds: Sequence[str]) -> dict[str, Any]:
    """Per kind of sound: clips, and how many stay above the model's start threshold as long as an alert needs."""
    start = classifier.card.thresholds["start"]
    table: dict[str, Any] = {}
    for kind in sorted(set(kinds)):
        members = [index for index, clip_kind in enumerate(kinds) if clip_kind == kind]
        alarms = sum(scores["model_as_alert"][index] >= start for index in members)
        table[kind] = {"clips": len(members), "above_start": alarms}
        if "yamnet" in scores:
            table[kind]["yamnet_above_0.3"] = sum(scores["yamnet"][index] >= 0.3 for index in members)
    return table


def _in_noise(
    classifier: Classifier,
    teacher: Teacher | None,
    clips: Sequence[Clip],
    waves: DecodedAudio,
    clean: dict[str, list[float]],
    positive: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    """The share of cries found in white noise, at the threshold that 1 % of the clean other clips pass."""
    report: dict[str, Any] = {}
    rng = np.random.default_rng(3)
    for snr_db in (10.0, 0.0, -5.0):
        noisy: dict[str, list[float]] = {}
        for clip in clips:
            if _cry_seconds(clip) < 1:
                continue
            wave = waves.read(clip.path)
            mixed = add(wave, synthetic.coloured(rng, wave.size, 0.0), snr_db)
            mixed = np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)
            for name, score in _clip_scores(classifier, teacher, mixed).items():
                noisy.setdefault(name, []).append(score)
        for name, values in noisy.items():
            negatives = np.sort(np.array(clean[name])[~positive])[::-1]
            threshold = negatives[int(0.01 * negatives.size)]
            report.setdefault(name, {})[f"{snr_db:g}_db"] = rounded(np.mean(np.array(values) > threshold))
    return report


def _kind(clip: Clip) -> str:
    """What a clip without crying is: its source, and what the source says about it."""
    detail = clip.detail.split(";")[0].split("=")[0] if "=" in clip.detail else clip.detail
    return f"{clip.source}: {detail}" if detail and clip.source.startswith(("esc", "deeply", "animal")) else clip.source


def readable(report: dict[str, Any]) -> str:
    """The report as text for a terminal."""

    def shown(entry: dict[str, float | None]) -> str:
        if entry["value"] is None:
            return "—"
        low, high = entry["low"], entry["high"]
        span = f" [{low:.3f}–{high:.3f}]" if low is not None and high is not None else ""
        return f"{entry['value']:.3f}{span}"

    cost, unit = report["cost"], report["judged_by"]
    lines = [
        f"{report['model']} on {report['data']}, {report['protocol']}: {counted(report['clips'], 'clip')} of "
        f"{counted(report['groups'], 'group')}, {counted(report['windows'], 'window')}",
        f"balanced accuracy {shown(report['balanced_accuracy'])}   macro-F1 {shown(report['macro_f1'])}   "
        f"accuracy {shown(report['accuracy'])}, by {unit}",
        f"{cost['features_ms']['median']} + {cost['network_ms']['median']} ms per window (features, network), "
        f"{cost['parameters']:,} parameters, {cost['file_bytes'] / 1e6:.2f} MB",
        "",
        f"{'label':12} {'precision':>22} {'recall':>22} {'F1':>22} {unit:>8}  groups",
    ]
    shared = report["shared_labels"]
    if shared:
        lines.insert(1, f"only labels that both have: {', '.join(shared['labels'])}")
    for name, entry in zip(report["labels"], report["per_label"], strict=True):
        cells = " ".join(f"{shown(entry[part]):>22}" for part in ("precision", "recall", "f1"))
        lines.append(f"{name:12} {cells} {entry['items']:8} {entry['groups']:7}")
    lines += ["", "confusion (rows: truth, columns: predicted)"]
    lines += [
        f"{name:12} " + " ".join(f"{n:6}" for n in row)
        for name, row in zip(report["labels"], report["confusion"], strict=True)
    ]
    if "robustness" in report:
        lines += ["", f"balanced accuracy of {counted(report['robustness']['clips'], 'clip')}"]
        lines += [
            f"  {condition['name']:20} {shown(condition['balanced_accuracy'])}"
            for condition in report["robustness"]["conditions"]
        ]
    parts = {name: report.get(name) for name in ("reasons", "clips_crying", "delay")}
    if "crying" in report["by_window"]:
        fields = ("auc", "found_at_1_percent", "calibration_error")
        parts = {"crying, by window": {name: report["by_window"]["crying"][name] for name in fields}, **parts}
    for part, values in parts.items():
        if values is not None:
            lines += ["", part, *_indented(values, shown)]
    if report["met"] and sum(report["met"].values()):
        lines += ["", f"The model has learnt from {report['met']['train']} of these groups and was calibrated on "
                  f"{report['met']['validation']}: the figures are too good."]  # fmt: skip
    return "\n".join(lines)


def _indented(values: dict[str, Any], shown: Callable[[Any], str], depth: int = 1) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and "low" in value:
            yield f"{'  ' * depth}{name}: {shown(value)}"
        elif isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()):
            yield f"{'  ' * depth}{name}"
            yield from _indented(value, shown, depth + 1)
        else:
            yield f"{'  ' * depth}{name}: {value}"
