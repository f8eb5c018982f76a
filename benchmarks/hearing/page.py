"""The benchmark's page: one self-contained file, the aims and what was reached first, all measurements below."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.hearing import plots
from benchmarks.hearing.sections import (
    OWN_THRESHOLD,
    alone_section,
    cost_section,
    honesty_section,
    invariance_section,
    nights_section,
)
from benchmarks.hearing.words import aim_status, figure_markup
from trainer.reports import svg
from trainer.reports.html_page import data_table, figure, headings, number_cell, page
from trainer.reports.svg import decimal, percent, span_of, tag

PAGE, VALUES = "default-model.html", "default-model.json"


_EXACT = ("thresholds", "start")
"""Not rounded: a score compared with a rounded threshold may end up on its other side."""


def write(folder: Path, results: Mapping[str, Any]) -> Path:
    """Write the page and, beside it, its values as JSON; returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(name)}: {_compact(value)}" for name, value in results.items()]
    (folder / VALUES).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    path = folder / PAGE
    path.write_text(render(results), encoding="utf-8")
    return path


def _compact(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _rounded(value: Any) -> Any:
    """Five digits are more than any figure here deserves."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {name: entry if name in _EXACT else _rounded(entry) for name, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def render(results: Mapping[str, Any]) -> str:
    """The page as HTML."""
    sections = [
        ("aims", "", _aims(results)),
        ("clips", "Single clips", _clips(results)),
        ("noise", "The same cries in noise", _noise(results)),
        ("nights", "Whole nights", nights_section(results)),
        ("alone", "Other sounds, played alone", alone_section(results)),
        ("honesty", "How honest its confidence is", honesty_section(results)),
        ("invariance", "The same sound, the same answer", invariance_section(results)),
        ("cost", "What it costs", cost_section(results)),
        ("method", "How it was measured", _method(results)),
    ]
    listeners = ", ".join(results["listeners"])
    text = f"{listeners}: the same sound in one run. {results['model']['name']} ({results['model']['family']}), "
    text += f"file {results['model']['sha256'][:12]}."
    created = f"Measured {results['created'][:16].replace('T', ' ')} UTC. Written by benchmarks.hearing; "
    foot = created + f"the same values are in {tag('a', VALUES, href=VALUES)}."
    return page("How well it hears", tag("p", escape(text), class_="lead"), sections, foot)


def _aims(results: Mapping[str, Any]) -> str:
    rows = []
    for aim in results["aims"]:
        cells = tag("th", escape(aim["measure"]), scope="row") + tag("td", escape(aim["aim"]))
        cells += tag("td", figure_markup(aim))
        mark = "" if aim["met"] else ' style="color:var(--warn)"'
        cells += f"<td{mark}>{tag('b', aim_status(aim['met']))}</td>"
        rows.append(tag("tr", cells))
    head = "".join(tag("th", name, scope="col") for name in ("measure", "aim", "ours", ""))
    count = sum(aim["met"] is True for aim in results["aims"])
    missed = sum(aim["met"] is False for aim in results["aims"])
    unknown = len(results["aims"]) - count - missed
    text = f"{count} of {len(results['aims'])} aims are met, {missed} are not"
    text += f", {unknown} are unknown." if unknown else "."
    text += " Whether an aim is met is decided by the figure itself; the interval beside it says how sure that is."
    return tag("p", tag("b", escape(text))) + _warnings(results) + data_table(head, rows, "The aims")


def _warnings(results: Mapping[str, Any]) -> str:
    """What speaks against the figures, put before them."""
    count = results["stretches_by_student"]
    by_student = "" if count is None else ", and no model of ours decided anything there"
    if count:
        by_student = f"; {count} stretches that it left open were decided by a model of ours, which favours us"
    warnings = [
        "YAMNet and the pitch of the voice decided which uploads of donateacry are cries, and where in a clip of the "
        f"test side there is crying{by_student}. YAMNet finds the cries that it named itself by construction, so that "
        "these figures favour it; set (a′) holds the cries that the pitch of the voice helped to label."
    ]
    known = results["honesty"]["met"]
    if known is None:
        warnings.append(
            "The model file does not say which groups it learnt from, so that an overlap with these was not checked."
        )
    elif known["train"]:
        warnings.append(f"The model has learnt from {known['train']} of these groups: the figures are too good.")
    if known and known["validation"]:
        warnings.append(f"It was calibrated on {known['validation']} of these groups.")
    by_people = results["clips"]["cries by people's word, test side"]["cries"]
    warnings.append(
        f"Only {by_people} held-out cries are labelled by people alone: read the interval of that row, not its value."
    )
    hours = results["nights"]["hours"]
    warnings.append(
        f"{hours:.1f} h of nights were played over all beds: even without a single false alarm, the true rate could be "
        f"up to {36.9 / hours:.1f} in 10 h (95 %)."
    )
    if results["request"]["clips"]:
        warnings.append(f"A small run: at most {results['request']['clips']} clips of each kind.")
    listed = tag("ul", "".join(tag("li", escape(warning)) for warning in warnings))
    return tag("div", tag("h2", "Before reading on") + listed, class_="bad")


def _clips(results: Mapping[str, Any]) -> str:
    labels = {
        "test side": "(a) Test side: at least a second of crying, against clips known to hold none",
        "cries that the pitch helped to tell, test side": "(a′) Of (a), cries with less than a second by YAMNet alone",
        "test side, against sounds of other origin": "(a″) The cries of (a) against clips of corpora never learnt from",
        "test side, against sounds of other origin by telephone": "(a‴) As (a″), with those sounds sent "
        "through a telephone, as nearly all cries were: recognising a telephone must not pass for recognising a cry",
        "cries by people's word, test side": "(b) Cries labelled by people, test side, against every other clip",
        "cries by people's word, validation side": "(b′) As (b), validation side, on which our model was calibrated",
    }
    parts = [
        tag(
            "p",
            "Found: the share of cries above the threshold that 1 % and 0.1 % of the other clips pass; with fewer than "
            "a thousand of those, 0.1 % means none. At its own threshold: as it alarms today, without waiting.",
            class_="note",
        )
    ]
    for name, heading in labels.items():
        clip_set = results["clips"][name]
        parts.append(tag("h3", escape(heading)))
        size = f"{clip_set['cries']} cries of {clip_set['cry_groups']} groups, {clip_set['others']} others"
        parts.append(tag("p", size, class_="note"))
        if not clip_set["rows"]:
            continue
        rows = []
        for row in clip_set["rows"]:
            cells = tag("th", escape(row["name"]), scope="row")
            cells += number_cell(decimal(row["auc"]["value"]) + tag("small", span_of(row["auc"], decimal)))
            for share in ("0.01", "0.001"):
                entry = row["found"][share]
                cells += tag("td", figure(entry) + svg.whisker(entry, width=110), class_="v")
            for key in ("found_at_start", "raised_at_start"):
                cells += number_cell(percent(row[key]["value"]) + tag("small", span_of(row[key])))
            rows.append(tag("tr", cells + number_cell(f"{row['start']:g}")))
        heads = ("score of a clip", "AUC", "found at 1 %", "found at 0.1 %", "found", "others raised", "own threshold")
        parts.append(data_table(headings(*heads), rows, heading))
    parts.append(_roc(results))
    return "".join(parts)


def _roc(results: Mapping[str, Any]) -> str:
    """The left end of the ROC curve, where a monitor has to work, for both sets."""
    drawn = ""
    axis = plots.Axis(
        "false positive rate", 0.001, 0.1, [(0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %")], logarithmic=True
    )
    names: list[str] = []
    for name, short in (
        ("test side", "(a) test side"),
        ("cries by people's word, test side", "(b) labelled by people"),
    ):
        rows = [row for row in results["clips"][name]["rows"] if not row["name"].endswith("window")]
        if not rows:
            continue
        names = [row["listener"] for row in rows]
        lines = {row["listener"]: row["roc_low"] for row in rows}
        plot = plots.curves(lines, axis, plots.shares("cries found, %"), f"ROC, {short}", limits=(0.01, None))
        drawn += tag("figure", tag("figcaption", escape(short)) + plot)
    return (
        tag("h3", "Cries found at each false positive rate")
        + plots.key(names)
        + tag("div", drawn, class_="side-by-side")
    )


def _noise(results: Mapping[str, Any]) -> str:
    noise = results["noise"]
    text = (
        f"The {noise['cries']} cries of set (a) with noise under them, at the given ratio of their loud parts to it; "
        "found at the threshold that 1 % of the clean other clips pass. Television and music are clips of the test "
        "side where there are any, otherwise synthetic. A cry lost here is one that a fan or a machine would hide."
    )
    scorings = [name for name in noise["clean"] if not name.endswith("window")]
    names = [name.rsplit(",", 1)[0] for name in scorings]
    kinds = list(dict.fromkeys(condition["noise"] for condition in noise["conditions"]))
    drawn, rows = "", []
    for kind in kinds:
        lines = {}
        conditions = [condition for condition in noise["conditions"] if condition["noise"] == kind]
        for scoring, name in zip(scorings, names, strict=True):
            steps = [row for condition in conditions for row in condition["rows"] if row["name"] == scoring]
            lines[name] = [noise["clean"][scoring], *(row["found"] for row in steps)]
        ticks = ["clean", *(f"{condition['snr_db']:g} dB" for condition in conditions)]
        plot = svg.decline(lines, [tick.replace("-", "−") for tick in ticks], 0.01, f"Cries found under {kind}")
        drawn += tag("figure", tag("figcaption", escape(f"under {kind}")) + plot)
    for condition in noise["conditions"]:
        under = f"{condition['noise']}, {condition['snr_db']:g} dB".replace("-", "−")
        cells = tag("th", escape(under), scope="row", class_="family")
        for row in condition["rows"]:
            own = f"{OWN_THRESHOLD}: {percent(row['found_at_start']['value'])}"
            below = tag("small", span_of(row["found"])) + tag("small", own)
            cells += number_cell(percent(row["found"]["value"]) + below)
        rows.append(tag("tr", cells))
    heads = ["under", *(row["name"] for row in noise["conditions"][0]["rows"])] if noise["conditions"] else ["under"]
    return (
        tag("p", escape(text), class_="note")
        + tag("div", drawn, class_="side-by-side")
        + data_table(headings(*heads), rows, "Cries found under noise")
    )


def _method(results: Mapping[str, Any]) -> str:
    voter = results.get("voter")
    listed = [
        "Held out: the voter learnt from no baby, speaker or recording of the test side, and neither did our model as "
        "far as its file says what it learnt from (see the top). Clips that must not be trained on were used by "
        "neither. YAMNet learnt from AudioSet, which is not used here.",
        "Which group is on which side is fixed in trainer/labelling/sides.csv and does not change with the labels. On "
        "the test side, trainer label --sides lets YAMNet and the pitch of the voice label what no person has "
        "labelled, and no model of ours.",
        "Intervals are 95 %, by drawing whole groups with replacement; for shares of 0 and 1, Clopper and Pearson's "
        "over groups; for episodes the wider of the two; for false alarms exact Poisson.",
        "Ours: the model file on the app's own grid and alert policy. A clip's score is its highest window, as in "
        "“babymonitor predict”.",
        "YAMNet: a frame of 0.975 s every 0.48 s, class 20 (baby cry, infant cry); it alarms at one frame of 0.3 or "
        "more, the use in which its peer table was measured. A clip's score is its highest frame.",
        "SVM voter: means of MFCC, zero-crossing rate, RMS, spectral centroid, bandwidth and roll-off over 5 s; five "
        "windows beginning at 0 to 4 s of nine; radial kernel; three of five votes alarm; judged every second. Its "
        "score is the median of the five squashed distances, which is 0.5 or more exactly where three vote for crying. "
        "A clip shorter than nine seconds is repeated. As in that project it learns from unaltered clips, without "
        "noise and at their own loudness, which several of its features depend on.",
        "Nights: composed of the test side alone by the night composer, with the same seed for all; alarms are "
        "replayed through AlertPolicy. At equal false alarms: each listener at the lowest threshold that gives no more "
        "of them than ours at its own.",
        "Played alone: six seconds of a quiet room, the sound, then three seconds of the room.",
    ]
    if voter:
        listed.append(
            f"The voter was fitted to {voter['windows']} windows of {voter['groups']} groups of the training side, "
            f"half of them crying: {voter['support_vectors']} support vectors, C {voter['C']:g}, gamma "
            f"{voter['gamma']:g}, balanced accuracy {percent(voter['balanced_accuracy_in_folds'])} over "
            "folds of groups."
        )
    skipped: Sequence[str] = results["skipped"]
    listed += [f"{name} is left out." for name in skipped]
    command = tag("pre", escape(results["command"]))
    return tag("ul", "".join(tag("li", escape(text)) for text in listed)) + command
