"""How honest our model's confidence is, what each listener costs, and whether the aims of hearing are met."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label, two_sided
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.sound.wave import SAMPLE_RATE
from benchmarks.hearing.material import Material
from benchmarks.measurement import take_turns
from resources import synthesise
from trainer.errors import DataError
from trainer.evaluation.judgements import judge, training_overlap
from trainer.evaluation.listeners import Listener, Ours
from trainer.evaluation.model_cost import cost_of
from trainer.evaluation.summary import balanced_calibration_error, figures_of

STILL_A_CRY = 0.05
"""The largest share of the cries found when clean that a wideband noise under them may bring below the threshold."""
_TURNS, _WARM = 40, 1
"""Turns that count, and turns before them, after which even the voter has its nine seconds of sound."""


def honesty(classifier: Classifier, material: Material, most: int | None = None) -> dict[str, Any]:
    """The calibration of P(crying) over windows of the test side, and how well reasons for crying are recognised.

    Reasons are judged on windows that are crying, given that they are; groups are babies' app instances.
    """
    clips = material.test if most is None else material.test[:: max(1, len(material.test) // (4 * most))]
    report: dict[str, Any] = {"met": training_overlap(classifier.card, material.test), "crying": None, "reasons": None}
    if not two_sided(classifier.labels):
        return report
    try:
        judged = judge(classifier, clips, material.waves)
    except (DataError, ValueError):  # labels that the model does not have
        return report
    by_window = judged.by_window()
    report["windows"] = len(judged.rows)
    report["prior"] = round(float(np.mean([label(judged.labels[index]).crying for index in judged.truth])), 4)
    report["crying"] = by_window["crying"]
    crying = np.array([label(name).crying for name in judged.labels])
    columns, members = np.flatnonzero(crying), np.flatnonzero(crying[judged.truth])
    if len(columns) < 2 or not members.size:
        return report
    shares = judged.rows[np.ix_(members, columns)].astype(np.float64) + 1e-9
    shares /= shares.sum(1, keepdims=True)
    names = [judged.labels[column] for column in columns]
    truth, groups = np.searchsorted(columns, judged.truth[members]), judged.groups[members]
    figures = figures_of(shares, truth, groups, names)
    fields = ("items", "groups", "balanced_accuracy", "macro_f1", "chance", "calibration_error", "mean_confidence")
    more_fields = ("accuracy", "per_label", "confusion", "labels", "reliability")
    report["reasons"] = {name: figures[name] for name in (*fields, *more_fields)}
    report["reasons"]["calibration_error_alike"] = balanced_calibration_error(shares, truth, groups)
    return report


def cost(listeners: Sequence[Listener]) -> dict[str, Any]:
    """The CPU time of listening as the app does: hop by hop, reusing what can be reused from hop to hop.

    Listeners take turns, so that a busy machine slows all of them alike. Two are compared turn by turn. Of each, the
    fastest turn is reported beside the median, since only the machine makes a turn longer than that. A turn is the demo
    recording, nearly four tenths of which are crying. A listener that works harder where it suspects crying costs less
    in most nights, and more while a child cries, which is reported separately.
    """
    demo = np.asarray(synthesise.demo(), np.float32)
    cries = np.concatenate(
        [
            demo[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            for kind, _, start, end in synthesise.DEMO_SECTIONS
            if kind == "crying"
        ]
    )
    streams = {listener.name: _stream(listener, demo) for listener in listeners}
    crying = {listener.name: _stream(listener, cries) for listener in listeners}
    take_turns(streams, _WARM)
    take_turns(crying, _WARM)
    turns, while_crying = take_turns(streams, _TURNS), take_turns(crying, _TURNS)
    report: dict[str, Any] = {"load": round(os.getloadavg()[0], 2), "turns": _TURNS, "listeners": {}}
    hours = {
        listener.name: np.array(turns[listener.name]) * 3600 * SAMPLE_RATE / listener.hop for listener in listeners
    }
    first = hours[listeners[0].name]
    for listener in listeners:
        spent, ratios = 1e3 * np.array(turns[listener.name]), first / hours[listener.name]
        report["listeners"][listener.name] = entry = {
            "milliseconds_a_judgement": round(float(spent.min()), 4),
            "milliseconds_median": round(float(np.median(spent)), 4),
            "milliseconds_while_crying": round(1e3 * min(while_crying[listener.name]), 4),
            "hop_seconds": listener.hop / SAMPLE_RATE,
            "cpu_seconds_an_hour": round(float(hours[listener.name].min()), 2),
            "cpu_seconds_an_hour_median": round(float(np.median(hours[listener.name])), 2),
            "first_to_this": dict(zip(("value", "low", "high"), _middle(ratios), strict=True)),
            "file_bytes": listener.file.stat().st_size,
        }
        if isinstance(listener, Ours):
            entry["parts"] = cost_of(listener.classifier, memory=False)
    return report


def _middle(values: npt.NDArray[np.float64]) -> list[float]:
    """The median and the two ends of the middle 95 %."""
    return [round(float(value), 3) for value in np.percentile(values, (50, 2.5, 97.5))]


def _stream(listener: Listener, sound: npt.NDArray[np.float32]) -> Callable[[], float]:
    """A call that plays the sound once more, in an endless loop; returns the mean CPU seconds per judgement."""
    session, count, position = listener.begin(), -(-sound.size // listener.hop), 0

    def run_turn() -> float:
        nonlocal position
        hops = [
            np.take(sound, np.arange(start, start + listener.hop), mode="wrap")
            for start in range(position, position + count * listener.hop, listener.hop)
        ]
        position = (position + count * listener.hop) % sound.size
        began = time.process_time()
        for hop in hops:
            session.push(hop)
        return (time.process_time() - began) / count

    return run_turn


def aims(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The aims of hearing: what is wanted, what our model gives, and whether that meets it (None: unknown)."""
    rows: list[dict[str, Any]] = []

    def row(measure: str, aim: str, ours: Any, reached: bool | None, unit: str) -> None:
        rows.append({"measure": measure, "aim": aim, "ours": ours, "met": reached, "unit": unit})

    def least(entry: Any, limit: float) -> bool | None:
        return None if entry is None or entry["value"] is None else bool(entry["value"] >= limit)

    def most(entry: Any, limit: float) -> bool | None:
        return None if entry is None or entry["value"] is None else bool(entry["value"] <= limit)

    table = results["clips"]["test side"]["rows"]
    for share, limit in (("0.01", 0.97), ("0.001", 0.90)):
        entry = table[0]["found"][share] if table else None
        name = f"clips: cries found at {100 * float(share):g} % false positives"
        row(name, f"≥ {100 * limit:g} %", entry, least(entry, limit), "share")
    name = next(iter(results["nights"]["listeners"]))
    own = results["nights"]["listeners"][name]["own"]
    quiet = own["dense"].get("quiet room, dense")
    entry = quiet and quiet["caught_share"]
    row("nights: episodes caught, quiet room", "≥ 99 %", entry, least(entry, 0.99), "share")
    entry = own["noisy"] and own["noisy"]["caught_share"]
    row("nights: caught with white noise, fan, television at 0 dB", "≥ 95 %", entry, least(entry, 0.95), "share")
    entry = own["all_beds"]["false_alarms_per_night"]
    row("nights: false alarms in 10 h, all beds", "≤ 0.33", entry, most(entry, 1 / 3), "count")
    for kind, sounds in results["alone"]["named"].items():
        count, share = sounds["alarms"][name], sounds["share"][name]
        ours = {"value": count, "low": None, "high": None, "of": sounds["sounds"], "share": share}
        row(f"played alone: {kind}", "none", ours, count == 0, "alarms")
    for part, limit in (("median", 1.2), ("p95", 2.5)):
        entry = own["delay"][part]
        called = "median" if part == "median" else "95 %"
        row(f"delay from onset to alert, {called}", f"≤ {limit:g} s", entry, most(entry, limit), "seconds")
    crying = results["honesty"]["crying"]
    entry = crying and crying["calibration_error"]
    row("calibration error of P(crying)", "≤ 0.03", entry, most(entry, 0.03), "decimal")
    reasons = results["honesty"]["reasons"]
    for key, called in (("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro-F1")):
        entry = reasons and reasons[key]
        chance = f"chance {100 * reasons['chance']:.0f} %" if reasons else "chance"
        above = None if entry is None or entry["low"] is None else bool(entry["low"] > reasons["chance"])
        row(f"reasons, by baby: {called}", f"above {chance}", entry, above, "share")
    # Reasons are calibrated as if all were equally frequent ("each alike"): a data set's frequencies are not a home's.
    for key, called in (("calibration_error_alike", "each reason alike"), ("calibration_error", "as they come")):
        entry = reasons and reasons[key]
        row(f"reasons: calibration error, {called}", "≤ 0.05", entry, most(entry, 0.05), "decimal")
    spent = results["cost"]["listeners"]
    for key, called, limit, unit in (
        ("milliseconds_a_judgement", "cost: a window with features", 1.0, "milliseconds"),
        ("milliseconds_while_crying", "cost: a window with features, while it cries", 1.0, "milliseconds"),
        ("file_bytes", "cost: size of the file", 2e6, "bytes"),
    ):
        entry = {"value": spent[name][key], "low": None, "high": None}
        row(called, "≤ 1 ms" if unit == "milliseconds" else "≤ 2 MB", entry, most(entry, limit), unit)
    if "YAMNet" in spent:
        entry = spent["YAMNet"]["first_to_this"]
        row("cost: an hour of sound, ours / YAMNet's", "≤ 1", entry, most(entry, 1.0), "ratio")
    tables = results["invariance"]["listeners"].get(name)
    if tables:
        condition_rows = [row for row in tables["rows"] if "within" in row]
        entry = {
            "value": sum(condition["within"] for condition in condition_rows),
            "low": None,
            "high": None,
            "of": len(condition_rows),
        }
        tolerance = results["invariance"]["tolerance"]
        wanted = f"score moves ≤ {tolerance['mean_change']:g}, ≤ {100 * tolerance['flips']:g} % of verdicts flip"
        row(
            "invariance: conditions within tolerance",
            wanted,
            entry,
            entry["value"] == len(condition_rows),
            "conditions",
        )
    wide = [sounds for kind, sounds in results["alone"]["made"].items() if kind in results["wideband"]]
    if wide:
        count, of = sum(sounds["alarms"][name] for sounds in wide), sum(sounds["sounds"] for sounds in wide)
        ours = {"value": count, "low": None, "high": None, "of": of}
        row("wideband noise alone is no cry", "none", ours, count == 0, "alarms")
    clean = table[0]["found_at_start"] if table else None
    under = next(condition for condition in results["noise"]["conditions"] if condition["noise"] == "white noise")
    entry = under["rows"][0]["found_at_start"]
    if clean and clean["value"] is not None:
        limit = clean["value"] - STILL_A_CRY
        wanted = f"clips over the threshold: {100 * clean['value']:.1f} % as when clean, less {100 * STILL_A_CRY:g}"
        row(f"a cry under white noise at {under['snr_db']:g} dB stays one", wanted, entry, least(entry, limit), "share")
    return rows
