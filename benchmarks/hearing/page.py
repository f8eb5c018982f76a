"""The page: one self-contained file with the aims and what was measured at its head, and everything behind it below."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.hearing import plots
from benchmarks.hearing.sections import (
    HELD,
    alone_section,
    cost_section,
    honesty_section,
    invariance_section,
    nights_section,
)
from benchmarks.hearing.words import shown, verdict
from trainer.reports import svg
from trainer.reports.html_page import data_table, figure, headings, number_cell, page
from trainer.reports.svg import decimal, percent, span_of, tag

PAGE, VALUES = "default-model.html", "default-model.json"


_EXACT = ("thresholds", "start")
"""Not rounded: what is compared with a rounded threshold may end up on its other side."""


def write(folder: Path, results: Mapping[str, Any]) -> Path:
    """The page, and its values beside it → the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(name)}: {_compact(value)}" for name, value in results.items()]
    (folder / VALUES).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    path = folder / PAGE
    path.write_text(render(results), encoding="utf-8")
    return path


def _compact(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _rounded(value: Any) -> Any:
    """Five digits are more than any figure here is worth."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {name: one if name in _EXACT else _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, (list, tuple)) else value


def render(results: Mapping[str, Any]) -> str:
    """The whole document."""
    sections = [
        ("aims", "", _aims(results)),
        ("clips", "Single clips", _clips(results)),
        ("noise", "The same cries with something over them", _noise(results)),
        ("nights", "Whole nights", nights_section(results)),
        ("alone", "Played alone, and no cry", alone_section(results)),
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
    for one in results["aims"]:
        reached = one["met"]
        cells = tag("th", escape(one["measure"]), scope="row") + tag("td", escape(one["aim"]))
        cells += tag("td", shown(one))
        mark = "" if reached else ' style="color:var(--warn)"'
        cells += f"<td{mark}>{tag('b', verdict(reached))}</td>"
        rows.append(tag("tr", cells))
    head = "".join(tag("th", name, scope="col") for name in ("measure", "aim", "ours", ""))
    count = sum(one["met"] is True for one in results["aims"])
    missed = sum(one["met"] is False for one in results["aims"])
    unknown = len(results["aims"]) - count - missed
    told = f"{count} of {len(results['aims'])} aims are met, {missed} are not"
    told += f", {unknown} cannot be told." if unknown else "."
    told += " Met is said of the figure itself; the interval beside it says how sure that is."
    return tag("p", tag("b", escape(told))) + _warnings(results) + data_table(head, rows, "The aims")


def _warnings(results: Mapping[str, Any]) -> str:
    """What speaks against the figures, before them."""
    count = results["stretches_by_student"]
    whose = "" if count is None else ", and no model of ours settled anything there"
    if count:
        whose = f"; {count} stretches that it left open were settled by a model of ours, and lean our way"
    said = [
        "YAMNet and the pitch of the voice chose which uploads of donateacry are cries, and where in a clip of the "
        f"test side there is crying{whose}. What YAMNet named it finds by construction, and figures that rest on that "
        "lean its way; set (a′) are the cries that the pitch of the voice helped to tell."
    ]
    known = results["honesty"]["met"]
    if known is None:
        said.append("The model file does not say which groups it learnt from: that none is heard here was not checked.")
    elif known["train"]:
        said.append(f"The model has learnt from {known['train']} of the groups heard here: the figures are too good.")
    if known and known["validation"]:
        said.append(f"It was calibrated on {known['validation']} of the groups heard here.")
    some = results["clips"]["cries by people's word, test side"]["cries"]
    said.append(f"Only {some} held-out cries are such by people's word alone: read that row's interval, not its value.")
    hours = results["nights"]["hours"]
    said.append(
        f"{hours:.1f} h of nights were heard over all beds: without a single false alarm, up to {36.9 / hours:.1f} in "
        "10 h could still be true (95 %)."
    )
    if results["request"]["clips"]:
        said.append(f"A small run: at most {results['request']['clips']} clips of each kind.")
    listed = tag("ul", "".join(tag("li", escape(one)) for one in said))
    return tag("div", tag("h2", "Before reading on") + listed, class_="bad")


def _clips(results: Mapping[str, Any]) -> str:
    labels = {
        "test side": "(a) Test side: at least a second of crying, against clips known to hold none",
        "cries that the pitch helped to tell, test side": "(a′) Of (a), those with less than a second by YAMNet alone",
        "test side, against sounds of other origin": "(a″) The cries of (a) against clips of corpora never learnt from",
        "test side, against sounds of other origin by telephone": "(a‴) As (a″), and those sounds, too, through a "
        "telephone, as nearly all cries came: who knows the telephone shall not pass for who knows the cry",
        "cries by people's word, test side": "(b) Cries labelled by people, test side, against every other clip",
        "cries by people's word, validation side": "(b′) The same of the validation side, which calibrated our model",
    }
    parts = [
        tag(
            "p",
            "Found: the share of cries above the threshold that 1 % and 0.1 % of the other clips pass; where they are "
            "fewer than a thousand, 0.1 % means none. At its own threshold: as it alarms today, without waiting.",
            class_="note",
        )
    ]
    for name, told in labels.items():
        one = results["clips"][name]
        parts.append(tag("h3", escape(told)))
        groups = f"{one['cries']} cries of {one['cry_groups']} groups, {one['others']} others"
        parts.append(tag("p", groups, class_="note"))
        if not one["rows"]:
            continue
        rows = []
        for row in one["rows"]:
            cells = tag("th", escape(row["name"]), scope="row")
            cells += number_cell(decimal(row["auc"]["value"]) + tag("small", span_of(row["auc"], decimal)))
            for share in ("0.01", "0.001"):
                entry = row["found"][share]
                cells += tag("td", figure(entry) + svg.whisker(entry, width=110), class_="v")
            for key in ("found_at_start", "raised_at_start"):
                cells += number_cell(percent(row[key]["value"]) + tag("small", span_of(row[key])))
            rows.append(tag("tr", cells + number_cell(f"{row['start']:g}")))
        heads = ("score of a clip", "AUC", "found at 1 %", "found at 0.1 %", "found", "others raised", "own threshold")
        parts.append(data_table(headings(*heads), rows, told))
    parts.append(_roc(results))
    return "".join(parts)


def _roc(results: Mapping[str, Any]) -> str:
    """The left end of the ROC, where a monitor has to work, of both sets."""
    drawn = ""
    axis = plots.Axis(
        "false positives allowed", 0.001, 0.1, [(0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %")], logarithmic=True
    )
    names: list[str] = []
    for name, short in (("test side", "(a) test side"), ("cries by people's word, test side", "(b) by people's word")):
        rows = [row for row in results["clips"][name]["rows"] if not row["name"].endswith("window")]
        if not rows:
            continue
        names = [row["listener"] for row in rows]
        lines = {row["listener"]: row["roc_low"] for row in rows}
        plot = plots.curves(lines, axis, plots.shares("cries found, %"), f"ROC, {short}", limits=(0.01, None))
        drawn += tag("figure", tag("figcaption", escape(short)) + plot)
    return (
        tag("h3", "Cries found for what is let through") + plots.key(names) + tag("div", drawn, class_="side-by-side")
    )


def _noise(results: Mapping[str, Any]) -> str:
    noise = results["noise"]
    text = (
        f"The {noise['cries']} cries of set (a) with noise under them, their loud parts so many decibels above it; "
        "found at the threshold that 1 % of the clean other clips pass. Television and music are clips of the test "
        "side where there are any, else made. A cry that is lost here is one that a machine or a fan takes away."
    )
    ways = [name for name in noise["clean"] if not name.endswith("window")]
    names = [name.rsplit(",", 1)[0] for name in ways]
    kinds = list(dict.fromkeys(one["noise"] for one in noise["conditions"]))
    drawn, rows = "", []
    for kind in kinds:
        lines = {}
        for way, name in zip(ways, names, strict=True):
            steps = [row for one in noise["conditions"] if one["noise"] == kind for row in one["rows"]]
            lines[name] = [noise["clean"][way], *(row["found"] for row in steps if row["name"] == way)]
        ticks = ["clean", *(f"{one['snr_db']:g} dB" for one in noise["conditions"] if one["noise"] == kind)]
        plot = svg.decline(lines, [tick.replace("-", "−") for tick in ticks], 0.01, f"Cries found under {kind}")
        drawn += tag("figure", tag("figcaption", escape(f"under {kind}")) + plot)
    for one in noise["conditions"]:
        under = f"{one['noise']}, {one['snr_db']:g} dB".replace("-", "−")
        cells = tag("th", escape(under), scope="row", class_="family")
        for row in one["rows"]:
            own = f"{HELD}: {percent(row['found_at_start']['value'])}"
            below = tag("small", span_of(row["found"])) + tag("small", own)
            cells += number_cell(percent(row["found"]["value"]) + below)
        rows.append(tag("tr", cells))
    ways = [row["name"] for row in noise["conditions"][0]["rows"]] if noise["conditions"] else []
    heads = ["under", *ways]
    return (
        tag("p", escape(text), class_="note")
        + tag("div", drawn, class_="side-by-side")
        + data_table(headings(*heads), rows, "Cries found under noise")
    )


def _method(results: Mapping[str, Any]) -> str:
    voter = results.get("voter")
    listed = [
        "Held-out: no baby, speaker or recording of the test side was learnt from by the voter, nor by our model as "
        "far as its file says whom it has met (see the top); what may not be trained on was learnt from by neither. "
        "YAMNet learnt from AudioSet, which is not here.",
        "Who is on which side is written down in trainer/labelling/sides.csv and does not move with the labels. On "
        "the test side trainer label --sides lets YAMNet and the pitch of the voice say what no person says, and no "
        "model of ours.",
        "Intervals are 95 %, by drawing whole groups with replacement; where none or all of something were found, "
        "Clopper and Pearson's over groups; of episodes the wider of both; of false alarms Poisson, exact.",
        "Ours: the model file through the app's own Detector and AlertPolicy. A clip's score is its highest window, as "
        "“babymonitor predict” has it.",
        "YAMNet: a frame of 0.975 s every 0.48 s, class 20 (baby cry, infant cry); alarms at one frame of 0.3 or more, "
        "the use its peer table was measured in. A clip's score is its highest frame.",
        "SVM voter: mean of MFCC, zero-crossing rate, RMS, spectral centroid, bandwidth and roll-off over 5 s; five "
        "windows at 0 to 4 s of nine; radial kernel; three of five votes alarm; judged every second. Its score is the "
        "median of five squashed distances, which is 0.5 or more exactly where three vote for crying. A clip shorter "
        "than nine seconds is repeated. As in that project it learns from clips as they are, with no noise under them "
        "and at their own loudness, of which several of its features tell.",
        "Nights: composed of the test side alone by the night composer, the same seed for all; alarms replayed through "
        "AlertPolicy. At equal false alarms: each listener at the lowest threshold that gives no more of them than "
        "ours at its own.",
        "Played alone: six seconds of a quiet room, the sound, three seconds more.",
    ]
    if voter:
        listed.append(
            f"The voter was fitted to {voter['windows']} windows of {voter['groups']} groups of the training side, as "
            f"many crying as not: {voter['support_vectors']} support vectors, C {voter['C']:g}, gamma "
            f"{voter['gamma']:g}, balanced accuracy {percent(voter['balanced_accuracy_in_folds'])} over "
            "folds of groups."
        )
    skipped: Sequence[str] = results["skipped"]
    listed += [f"{one} is left out." for one in skipped]
    command = tag("pre", escape(results["command"]))
    return tag("ul", "".join(tag("li", escape(one)) for one in listed)) + command
