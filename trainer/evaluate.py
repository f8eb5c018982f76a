"""How good a model is on clips of groups it never met, beside its peer where that is at hand."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.audio import SAMPLE_RATE, AudioError, read_wave
from babymonitor.core.classifier import Classifier
from babymonitor.core.features import Wave, fit_frames, front_end
from babymonitor.core.labels import label
from trainer import metrics, synthetic
from trainer.augment import add
from trainer.batches import Windows, fixed_windows
from trainer.corpora import Clip, DataError, Waves, closed, load, split
from trainer.delay import onset_delays
from trainer.label import Teacher
from trainer.networks import Front

FALSE_SHARES = (0.02, 0.01, 0.003, 0.001)
_STEP_SECONDS = 0.256


def window_probabilities(classifier: Classifier, wave: Wave) -> npt.NDArray[np.float32]:
    """(samples,) → (windows, labels): every hop, as the detector would; one row for a sound shorter than a window."""
    card = classifier.card
    if wave.size < card.features.n_fft:
        wave = np.pad(wave, (card.features.n_fft - wave.size, 0))
    mel = front_end(wave, card.features)
    if mel.shape[1] <= card.window_frames:
        return classifier.probabilities(fit_frames(mel, card.window_frames))[None]
    starts = range(0, mel.shape[1] - card.window_frames + 1, card.hop_frames)
    return np.stack([classifier.probabilities(mel[:, start : start + card.window_frames]) for start in starts])


def predict(model: Path, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Per file: the mean of its windows' probabilities, the loudest label, and the highest P(crying) of any window."""
    classifier = Classifier(model)
    for path in paths:
        try:
            rows = window_probabilities(classifier, read_wave(path))
        except AudioError as error:
            yield {"path": str(path), "error": str(error)}
            continue
        mean = rows.mean(axis=0)
        crying = max(classifier.crying(row) for row in rows)
        best = int(mean.argmax())
        yield {
            "path": str(path),
            "label": classifier.labels[best],
            "confidence": float(mean[best]),
            "probabilities": dict(zip(classifier.labels, map(float, mean), strict=True)),
            "crying": crying,
        }


def evaluate(
    model: Path,
    data: Path,
    split_name: str = "test",
    segments: Path | None = None,
    cache: Path | None = None,
    yamnet: Path | None = None,
) -> dict[str, Any]:
    """Everything that is said of a model on one side of a data set, as plain values fit for JSON."""
    classifier = Classifier(model)
    whole = load(data, segments)
    waves = Waves(whole, cache or Path(model.parent), codecs=cache is not None)
    decoded = closed(whole.clips, waves)
    if split_name == "evaluation-only":
        clips = [clip for clip in decoded if not clip.usable]
    elif split_name == "all":
        clips = [clip for clip in decoded if clip.usable]
    else:
        usable = replace(whole, clips=tuple(clip for clip in decoded if clip.usable))
        clips = list(split(usable).side(split_name))
    if not clips:
        raise DataError(f"{data} holds no clip on the side '{split_name}'.")
    foreign = {span.label for clip in clips for span in clip.spans} - set(classifier.labels)
    if foreign:
        raise DataError(f"{model.name} does not know the label {', '.join(sorted(foreign))} of {data}.")
    card = classifier.card
    front = Front(card.features, card.window_frames, card.hop_frames)
    windows = fixed_windows(clips, waves, classifier.labels, front)
    rows = np.stack([classifier.probabilities(np.ascontiguousarray(mel)) for mel in windows.mels])
    report: dict[str, Any] = {
        "event": "evaluated",
        "model": str(model),
        "split": split_name,
        "clips": len(clips),
        "groups": len({clip.group for clip in clips}),
        "windows": len(rows),
        "labels": list(classifier.labels),
    }
    report |= _of_labels(windows, rows, len(classifier.labels))
    crying = np.array([label(name).crying for name in classifier.labels])
    if crying.any() and not crying.all():
        report["crying_windows"] = _of_crying(windows, rows, crying)
        report["reasons"] = _of_reasons(windows, rows, crying, classifier.labels)
        report["clips_crying"] = _of_clips(classifier, clips, waves, yamnet)
        report["delay"] = onset_delays(classifier, clips, waves)
    report["milliseconds_per_window"] = _speed(classifier)
    return report


def _of_labels(windows: Windows, rows: npt.NDArray[np.float32], count: int) -> dict[str, Any]:
    guess = rows.argmax(1)

    def figures(chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
        table = metrics.confusion(windows.labels[chosen], guess[chosen], count)
        head = [metrics.balanced_accuracy(table), metrics.macro_f1(table)]
        return np.concatenate((head, *metrics.per_label(table)))

    values = figures(np.arange(len(guess)))
    low, high = metrics.intervals(windows.groups, figures)
    told = [
        {"value": _round(v), "low": _round(a), "high": _round(b)} for v, a, b in zip(values, low, high, strict=True)
    ]
    table = metrics.confusion(windows.labels, guess, count)
    per_label = []
    for at in range(count):
        entry = {name: told[2 + part * count + at] for part, name in enumerate(("precision", "recall", "f1"))}
        members = windows.labels == at
        per_label.append({**entry, "windows": int(members.sum()), "groups": len(set(windows.groups[members]))})
    return {"balanced_accuracy": told[0], "macro_f1": told[1], "per_label": per_label, "confusion": table.tolist()}


def _of_crying(
    windows: Windows, rows: npt.NDArray[np.float32], crying: npt.NDArray[np.bool_]
) -> dict[str, dict[str, float | None]]:
    cries, scores = crying[windows.labels], rows[:, crying].sum(1)

    def figures(chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
        some, truth = scores[chosen], cries[chosen]
        return np.array(
            [
                metrics.roc_area(some, truth),
                metrics.found_at(some, truth, 0.01),
                metrics.calibration_error(some, truth),
            ]
        )

    return _told(("auc", "found_at_1_percent", "calibration_error"), figures, windows.groups)


def _of_reasons(
    windows: Windows, rows: npt.NDArray[np.float32], crying: npt.NDArray[np.bool_], labels: tuple[str, ...]
) -> dict[str, Any]:
    """Of the windows that are crying: how well the reason is told, and how honest its confidence is."""
    members = np.flatnonzero(crying[windows.labels])
    columns = np.flatnonzero(crying)
    if len(columns) < 2 or not members.size:
        return {}
    given = rows[np.ix_(members, columns)] / rows[np.ix_(members, columns)].sum(1, keepdims=True)
    truth = np.searchsorted(columns, windows.labels[members])
    guess, sure = given.argmax(1), given.max(1)

    def figures(chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
        table = metrics.confusion(truth[chosen], guess[chosen], len(columns))
        return np.array([metrics.balanced_accuracy(table), metrics.macro_f1(table)])

    told = _told(("balanced_accuracy", "macro_f1"), figures, windows.groups[members])
    return {
        **told,
        "chance": round(1 / len(np.unique(truth)), 3),
        "mean_confidence": _round(sure.mean()),
        "highest_confidence": _round(sure.max()),
        "labels": [labels[at] for at in columns],
    }


def _told(names: Sequence[str], figures: Any, groups: npt.NDArray[np.str_]) -> dict[str, dict[str, float | None]]:
    values = figures(np.arange(len(groups)))
    low, high = metrics.intervals(groups, figures)
    return {
        name: {"value": _round(value), "low": _round(a), "high": _round(b)}
        for name, value, a, b in zip(names, values, low, high, strict=True)
    }


def _of_clips(classifier: Classifier, clips: Sequence[Clip], waves: Waves, yamnet: Path | None) -> dict[str, Any]:
    """Whole clips as the monitor would hear them: highest P(crying) of any window, beside the peer's highest frame.

    Positive: at least a second of crying. Negative: no crying, and nothing left open. Then the cries again in noise.
    """
    teacher = Teacher(yamnet) if yamnet else None
    truth, groups, kinds = [], [], []
    scores: dict[str, list[float]] = {}
    for clip in clips:
        cries = sum(span.end - span.start for span in clip.spans if label(span.label).crying)
        length = waves.samples(clip.path) / SAMPLE_RATE
        if 0 < cries < 1 or (cries == 0 and clip.seconds() < 0.9 * length):
            continue
        wave = waves.read(clip.path)
        truth.append(cries > 0)
        groups.append(clip.group)
        kinds.append("crying" if cries else _kind(clip))
        for name, score in _clip_scores(classifier, teacher, wave).items():
            scores.setdefault(name, []).append(score)
    positive, group_names = np.array(truth), np.array(groups)
    report: dict[str, Any] = {"cries": int(positive.sum()), "others": int((~positive).sum())}
    if not positive.any():
        report["false_alarms"] = _false_alarms(classifier, scores, kinds)
        return report
    for name, values in scores.items():
        some = np.array(values)

        def figures(chosen: npt.NDArray[np.int64], some: Any = some) -> npt.NDArray[np.floating]:
            judged, cry = some[chosen], positive[chosen]
            found = [metrics.found_at(judged, cry, share) for share in FALSE_SHARES]
            return np.array([metrics.roc_area(judged, cry), *found])

        names = ("auc", *(f"found_at_{share * 100:g}_percent" for share in FALSE_SHARES))
        report[name] = _told(names, figures, group_names)
    report["false_alarms"] = _false_alarms(classifier, scores, kinds)
    report["in_white_noise"] = _in_noise(classifier, teacher, clips, waves, scores, positive)
    return report


def _clip_scores(classifier: Classifier, teacher: Teacher | None, wave: Wave) -> dict[str, float]:
    rows = window_probabilities(classifier, wave)
    scores = {"model": max(classifier.crying(row) for row in rows)}
    # What an alert needs: to stay up for half a second, which is three windows in a row.
    each = [classifier.crying(row) for row in rows]
    held = min(3, len(each))
    scores["model_as_alert"] = max(min(each[at : at + held]) for at in range(len(each) - held + 1))
    if teacher is not None:
        # Its usual hop: 0.48 s.
        scores["yamnet"] = float(teacher.scores(wave, hop=7680)[:, 20].max())
    return scores


def _false_alarms(classifier: Classifier, scores: dict[str, list[float]], kinds: Sequence[str]) -> dict[str, Any]:
    """Per kind of sound: clips, and how many stay three windows in a row above the model's own start threshold."""
    start = classifier.card.thresholds["start"]
    table: dict[str, Any] = {}
    for kind in sorted(set(kinds)):
        members = [at for at, one in enumerate(kinds) if one == kind]
        alarms = sum(scores["model_as_alert"][at] >= start for at in members)
        table[kind] = {"clips": len(members), "above_start": alarms}
        if "yamnet" in scores:
            table[kind]["yamnet_above_0.3"] = sum(scores["yamnet"][at] >= 0.3 for at in members)
    return table


def _in_noise(
    classifier: Classifier,
    teacher: Teacher | None,
    clips: Sequence[Clip],
    waves: Waves,
    clean: dict[str, list[float]],
    positive: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    """The share of cries found under white noise, at the threshold that 1 % of the clean other clips pass."""
    report: dict[str, Any] = {}
    rng = np.random.default_rng(3)
    for snr_db in (10.0, 0.0, -5.0):
        noisy: dict[str, list[float]] = {}
        for clip in clips:
            if sum(span.end - span.start for span in clip.spans if label(span.label).crying) < 1:
                continue
            wave = waves.read(clip.path)
            under = synthetic.coloured(rng, wave.size, 0.0)
            mixed = add(wave, under, snr_db)
            mixed = np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)
            for name, score in _clip_scores(classifier, teacher, mixed).items():
                noisy.setdefault(name, []).append(score)
        for name, values in noisy.items():
            negatives = np.sort(np.array(clean[name])[~positive])[::-1]
            threshold = negatives[int(0.01 * negatives.size)]
            report.setdefault(name, {})[f"{snr_db:g}_db"] = _round(np.mean(np.array(values) > threshold))
    return report


def _kind(clip: Clip) -> str:
    """A word for what a clip without crying is: its source, and what the source says of it."""
    detail = clip.detail.split(";")[0].split("=")[0] if "=" in clip.detail else clip.detail
    return f"{clip.source}: {detail}" if detail and clip.source.startswith(("esc", "deeply", "animal")) else clip.source


def _speed(classifier: Classifier) -> float:
    """Milliseconds one window costs the network, one thread: the median of many."""
    window = np.zeros((classifier.card.features.rows, classifier.card.window_frames), np.float32)
    spent = []
    for _ in range(200):
        began = time.perf_counter()
        classifier.probabilities(window)
        spent.append(time.perf_counter() - began)
    return round(1e3 * float(np.median(spent)), 3)


def _round(value: Any) -> float | None:
    number = float(value)
    return None if np.isnan(number) else round(number, 4)


def readable(report: dict[str, Any]) -> str:
    """The report as a page of text."""

    def shown(entry: dict[str, float | None]) -> str:
        if entry["value"] is None:
            return "—"
        low, high = entry["low"], entry["high"]
        return f"{entry['value']:.3f} [{low:.3f}–{high:.3f}]" if low is not None and high is not None else "—"

    lines = [
        f"{report['model']} on the side '{report['split']}': {report['clips']} clips of {report['groups']} groups, "
        f"{report['windows']} windows",
        f"balanced accuracy {shown(report['balanced_accuracy'])}   macro-F1 {shown(report['macro_f1'])}   "
        f"{report['milliseconds_per_window']} ms a window",
        "",
        f"{'label':12} {'precision':>22} {'recall':>22} {'F1':>22}  windows  groups",
    ]
    for name, entry in zip(report["labels"], report["per_label"], strict=True):
        cells = " ".join(f"{shown(entry[part]):>22}" for part in ("precision", "recall", "f1"))
        lines.append(f"{name:12} {cells}  {entry['windows']:7} {entry['groups']:7}")
    lines += ["", "confusion (rows: what it was)"]
    lines += [
        f"{name:12} " + " ".join(f"{n:6}" for n in row)
        for name, row in zip(report["labels"], report["confusion"], strict=True)
    ]
    for part in ("crying_windows", "reasons", "clips_crying", "delay"):
        if part in report:
            lines += ["", part, *_indented(report[part], shown)]
    return "\n".join(lines)


def _indented(values: dict[str, Any], shown: Any, depth: int = 1) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and "low" in value:
            yield f"{'  ' * depth}{name}: {shown(value)}"
        elif isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()):
            yield f"{'  ' * depth}{name}"
            yield from _indented(value, shown, depth + 1)
        else:
            yield f"{'  ' * depth}{name}: {value}"
