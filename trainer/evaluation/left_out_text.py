"""The figures of `left_out` as text, and as files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.evaluation.left_out_material import HOLD_CRYING

CAUTIONS = (
    "Cries of 'third' were checked by YAMNet before they were labelled: they flatter YAMNet, which cannot miss what it "
    "was asked to find. So do pooled figures, in part.",
    "Babies that laugh, babble or fuss count as neither cries nor other sounds, and so do clips that hold crying by "
    f"another name ({', '.join(HOLD_CRYING)}).",
    "The best rule at a rate was chosen on the nights that it is judged by, for every listener alike: all are a little "
    "too good.",
)

_SHOWN_RATES = ("0.1", "0.3", "1")
"""Those at which the text says how each bed fares; the JSON file has all."""


def readable(report: Mapping[str, Any]) -> str:
    """The report as text for a terminal."""
    return "\n".join([*_head(report), *_clips(report["clips"]), *_nights(report["nights"]), *_alone(report["alone"])])


def write(report: Mapping[str, Any], folder: Path) -> None:
    """Write the report as ``left-out.json`` and ``left-out.txt``, making the folder where needed."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**report, "cautions": CAUTIONS}, ensure_ascii=False, indent=1)
    (folder / "left-out.json").write_text(text + "\n", encoding="utf-8")
    (folder / "left-out.txt").write_text(readable(report) + "\n", encoding="utf-8")


def _head(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"Left out of {report['data']}: {' '.join(report['leave_out']) or 'what is for evaluation only'}"
    for listener in report["listeners"]:
        met = sum((listener.get("cries_met") or {}).values())
        text = f"; it has met {met} of these babies: its figures are too good" if met else ""
        yield f"{listener['name']}: alarms from {listener['start']:g}, held for {listener['minimum_seconds']:g} s{text}"
    yield from ("", *CAUTIONS)


def _clips(clips: Mapping[str, Any]) -> Iterator[str]:
    for title, figures in clips["sets"].items():
        yield ""
        yield f"clips, {title}: {figures['corpora']['all']['cries']} cries against {figures['others']} other sounds"
        rows = [
            [
                corpus,
                f"{counts['cries']} of {counts['babies']}",
                listener,
                _figure(by_corpus[corpus]["auc"], "decimal"),
                *(_figure(entry) for entry in by_corpus[corpus]["found"].values()),
            ]
            for corpus, counts in figures["corpora"].items()
            for listener, by_corpus in figures["listeners"].items()
        ]
        yield from _table(["corpus", "cries of babies", "listener", "AUC", "found at 1 %", "found at 0.1 %"], rows)


def _nights(nights: Mapping[str, Any]) -> Iterator[str]:
    hours = sum(bed["hours"] for bed in nights["beds"] if not bed["at_0_db"])
    yield ""
    yield f"nights: {hours:g} h over all beds, with the best rule tried at each rate of false alarms"
    rows = []
    for listener, figures in nights["listeners"].items():
        points = {"as shipped": figures["shipped"]} | {f"≤ {rate}": point for rate, point in figures["at_rate"].items()}
        rows += [[listener, name, *_point_cells(point)] for name, point in points.items()]
    heads = ["listener", "an hour", "rule", "from", "false an hour", "caught", "at 0 dB", "delay: median", "95 %"]
    yield from _table(heads, rows)
    for rate in ("shipped", *_SHOWN_RATES):
        title = "as shipped" if rate == "shipped" else f"at no more than {rate} false alarms an hour over all beds"
        yield ""
        yield f"{title}: caught, and false alarms"
        rows = []
        for bed in nights["beds"]:
            row = [bed["name"], str(bed["episodes"])]
            for figures in nights["listeners"].values():
                point = figures["shipped"] if rate == "shipped" else figures["at_rate"][rate]
                entry = point and point["by_bed"][bed["name"]]
                row += [_figure(entry["caught_share"]), str(entry["false_alarms"])] if entry else ["—", "—"]
            rows.append(row)
        heads = [head for listener in nights["listeners"] for head in (listener, "false")]
        yield from _table(["bed", "episodes", *heads], rows)
    yield ""
    yield "caught by corpus, as shipped"
    corpora = next(iter(nights["listeners"].values()))["shipped"]["by_corpus"]
    rows = [
        [corpus, str(corpora[corpus]["episodes"])]
        + [str(figures["shipped"]["by_corpus"][corpus]["caught"]) for figures in nights["listeners"].values()]
        for corpus in corpora
    ]
    yield from _table(["corpus", "episodes", *nights["listeners"]], rows)


def _point_cells(point: Mapping[str, Any] | None) -> list[str]:
    if point is None:
        return ["—"] * 7
    delay = point["all"]["delay_seconds"]
    delays = ["—" if delay[part] is None else f"{delay[part]:.2f} s" for part in ("median", "p95")]
    at_0_db = point["at_0_db"] and point["at_0_db"]["caught_share"]
    rate = point["all"]["false_alarms_per_hour"]
    return [
        point["rule"],
        f"{point['start']:.4g}",
        _figure(rate, "rate"),
        _figure(point["all"]["caught_share"]),
        _figure(at_0_db),
        *delays,
    ]


def _alone(alone: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "played alone in a quiet room: how many wake, as shipped / at as many false alarms as the first as shipped"
    listeners = list(alone["rules"])
    rows = []
    for kind, entry in alone["kinds"].items():
        cells = [entry["wake"][listener] for listener in listeners]
        counts = [f"{cell['shipped']} / {'—' if cell['equal'] is None else cell['equal']}" for cell in cells]
        rows.append([kind, str(entry["sounds"]), *counts])
    yield from _table(["sound", "sounds", *listeners], rows)


def _figure(entry: Mapping[str, float | None] | None, unit: str = "share") -> str:
    """A figure with its interval."""
    if entry is None or entry["value"] is None:
        return "—"

    def shown(value: float) -> str:
        return {"share": f"{100 * value:.0f}", "decimal": f"{value:.3f}", "rate": f"{value:.2f}"}[unit]

    low, high = entry["low"], entry["high"]
    span = "" if low is None or high is None else f" [{shown(low)}–{shown(high)}]"
    return f"{shown(entry['value'])}{' %' if unit == 'share' else ''}{span}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    for row in [heads, *rows]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
