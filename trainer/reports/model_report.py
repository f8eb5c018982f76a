"""The report of one model as a self-contained HTML page, with the same values as JSON beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from babymonitor.core.labels import LABELS, two_sided
from trainer.errors import DataError, counted, existing
from trainer.reports import svg
from trainer.reports.family_report import write_comparison
from trainer.reports.html_page import (
    METHOD,
    data_table,
    figure,
    footer,
    headings,
    milliseconds,
    number_cell,
    page,
    size_of,
    write_report,
)
from trainer.reports.svg import Entry, decimal, percent, points, span_of, tag

Section = tuple[str, str, str]
"""Identifier, heading, markup; see `html_page.page`."""


def write(folder: Path, evaluation: Mapping[str, Any]) -> Path:
    """Write the report of an evaluation (`trainer.evaluation.evaluate.evaluate`); returns the path of the page."""
    main = evaluation["by_clip"] if evaluation["judged_by"] == "clips" else evaluation["by_window"]
    sections: list[Section] = [
        ("headline", "", _cards(evaluation, main) + _weaknesses(evaluation, main)),
        ("labels", "Each label", _labels_table(main)),
        ("confusion", "Confusions", _confusions(main)),
        ("roc", "Finding each label", _roc(main)),
        ("reliability", "How honest its confidence is", _reliability(main)),
    ]
    if evaluation.get("robustness"):
        sections.append(
            ("robustness", "Under difficult conditions", _robustness(evaluation["robustness"], main["chance"]))
        )
    if "clips_crying" in evaluation:
        sections.append(("crying", "Crying, as the monitor hears it", _crying(evaluation)))
    if evaluation.get("worst"):
        sections.append(("worst", "The worst clips", _worst(evaluation, folder)))
    sections.append(("cost", "What it costs", _cost(evaluation["cost"])))
    sections.append(("method", "How it was measured", _method(evaluation, main)))
    lead = tag(
        "p",
        f"{escape(evaluation['family'])} on {escape(evaluation['data_name'])}, side “{escape(evaluation['split'])}”: "
        f"{_size(evaluation)}, judged by {evaluation['judged_by']}",
        class_="lead",
    )
    return write_report(folder, page(evaluation["name"], lead, sections, footer(evaluation["created"])), evaluation)


def _size(measured: Mapping[str, Any]) -> str:
    return f"{counted(measured['clips'], 'clip')} of {counted(measured['groups'], 'group')}"


def render(files: Sequence[Path], folder: Path, title: str = "Families compared") -> Path:
    """Write a page again from its JSON: that of one evaluation, or of any number of comparisons; returns its path.

    Raises DataError for a file that is missing or holds neither.
    """
    comparisons: list[Mapping[str, Any]] = []
    for file in files:
        try:
            values = json.loads(existing(file).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise DataError(f"{file} cannot be read as JSON: {error}.") from error
        if isinstance(values, dict) and "by_window" in values:
            if len(files) > 1:
                raise DataError(f"{file} is the report of one model, which cannot be combined with others.")
            return write(folder, values)
        if isinstance(values, dict):
            values = values.get("comparisons", [values])
        if not isinstance(values, list) or not all(isinstance(value, dict) and "rows" in value for value in values):
            raise DataError(f"{file} holds neither a comparison nor the report of a model.")
        comparisons += values
    return write_comparison(folder, comparisons, title)


def _card(name: str, big: str, below: str = "", drawn: str = "", first: bool = False) -> str:
    content = tag("h3", escape(name)) + tag("div", big, class_="big") + tag("small", below) + drawn
    return tag("div", content, class_="card first" if first else "card")


def _cards(evaluation: Mapping[str, Any], main: Mapping[str, Any]) -> str:
    chance = main["chance"]
    cards = []
    for name, key, level in (
        ("Balanced accuracy", "balanced_accuracy", chance),
        ("Accuracy", "accuracy", None),
        ("Macro-F1", "macro_f1", None),
    ):
        below = span_of(main[key]) + (f"; chance {percent(level)}" if level is not None else "")
        drawn = svg.whisker(main[key], level)
        cards.append(_card(name, percent(main[key]["value"]), below, drawn, first=key == "balanced_accuracy"))
    area, error = main["macro_auc"], main["calibration_error"]
    cards.append(_card("Area under ROC, mean", decimal(area["value"]), span_of(area, decimal), svg.whisker(area, 0.5)))
    cards.append(_card("Calibration error", decimal(error["value"]), span_of(error, decimal)))
    clips = evaluation.get("clips_crying", {})
    if "model" in clips:
        recall = clips["model_as_alert"]["found_at_1_percent"]
        cards.append(_card("Cries found at 1 % false", percent(recall["value"]), span_of(recall), svg.whisker(recall)))
    cost = evaluation["cost"]
    total = cost["features_ms"]["median"] + cost["network_ms"]["median"]
    cards.append(_card("A window", f"{milliseconds(total)}\u202fms", "features and network, one thread"))
    parameters = f"{cost['parameters']:,} parameters" if cost["parameters"] else ""
    cards.append(_card("Model file", size_of(cost["file_bytes"]), parameters))
    return tag("div", "".join(cards), class_="cards")


def _weaknesses(evaluation: Mapping[str, Any], main: Mapping[str, Any]) -> str:
    """What speaks against the model or against the figures, as plainly as what speaks for them."""
    chance, head = main["chance"], main["balanced_accuracy"]
    sentences: list[str] = []
    overlap = evaluation.get("met") or {}
    if sum(overlap.values()):
        sentences.append(
            f"The model has learnt from {overlap['train']} of these groups and was calibrated on "
            f"{overlap['validation']}: the figures are too good."
        )
    if head["low"] is None or head["low"] <= chance:
        sentences.append(f"Its balanced accuracy cannot be told from guessing ({percent(chance)}).")
    if main["groups"] < 10:
        sentences.append(
            f"Only {counted(main['groups'], 'group')} stand{'s' * (main['groups'] == 1)} behind these figures; the "
            "next speaker may be quite different."
        )
    elif head["high"] is not None and head["high"] - head["low"] > 0.15:
        sentences.append(
            f"The interval is {100 * (head['high'] - head['low']):.0f} points wide: a larger test is needed."
        )
    sentences += [
        f"“{escape(row['label'])}” does not occur here: how well it is recognised is unknown."
        for row in main["per_label"]
        if not row["items"]
    ]
    occurring = [row for row in main["per_label"] if row["items"]]
    few = [row for row in occurring if row["groups"] < min(4, main["groups"])]
    lost = [row for row in occurring if row["recall"]["value"] <= chance]
    missed = [row for row in occurring if chance < row["recall"]["value"] < 0.5]
    for rows, text in (
        (few, "Too few groups for a figure: "),
        (lost, "Found no more often than by guessing: "),
        (missed, "More than half is missed of: "),
    ):
        if rows:
            named = (f"{escape(row['label'])} ({_reason_for(row, rows is few)})" for row in rows)
            sentences.append(text + ", ".join(named) + ".")
    if main["confusions"] and main["confusions"][0]["share"] >= 0.2:
        worst = main["confusions"][0]
        sentences.append(
            f"{percent(worst['share'])} of “{escape(worst['was'])}” is taken for “{escape(worst['said'])}”."
        )
    error, right = main["calibration_error"]["value"], main["accuracy"]["value"]
    if error > 0.08:
        tendency = "surer than it is right" if main["mean_confidence"] > right else "less sure than it could be"
        sentences.append(
            f"It is {tendency}: {percent(main['mean_confidence'])} confident on average, {percent(right)} right "
            f"(calibration error {decimal(error)})."
        )
    conditions = (evaluation.get("robustness") or {}).get("conditions", [])
    harmful = [condition for condition in conditions if (condition["lost"] or 0) >= 0.1]
    if harmful:
        named = (f"{escape(condition['name'])} ({100 * condition['lost']:.0f})" for condition in harmful)
        sentences.append("Points of balanced accuracy lost under difficult conditions: " + ", ".join(named) + ".")
    false = evaluation.get("clips_crying", {}).get("false_alarms", {})
    for kind, counts in sorted(false.items(), key=lambda item: -item[1]["above_start"])[:4]:
        if counts["above_start"] and kind != "crying":
            sentences.append(
                f"Without a cry, {counts['above_start']} of {counts['clips']} clips “{escape(kind)}” raise an alarm."
            )
    if not sentences:
        return ""
    listed = tag("ul", "".join(tag("li", sentence) for sentence in sentences))
    return tag("div", tag("h2", "What is bad") + listed, class_="bad")


def _reason_for(row: Mapping[str, Any], by_groups: bool) -> str:
    return counted(row["groups"], "group") if by_groups else percent(row["recall"]["value"])


def _labels_table(main: Mapping[str, Any]) -> str:
    rows = []
    for label in main["per_label"]:
        cells = [tag("th", escape(label["label"]), scope="row")]
        for key in ("precision", "recall", "f1"):
            shown = f"<b>{percent(label[key]['value'])}</b>{svg.bar(label[key])}{tag('small', span_of(label[key]))}"
            cells.append(tag("td", shown, class_="v b"))
        cells += [
            number_cell(decimal(label["auc"]["value"])),
            number_cell(str(label["items"])),
            number_cell(str(label["groups"])),
        ]
        rows.append(tag("tr", "".join(cells)))
    named = ("label", "precision", "recall", "F1", "AUC", "items", "groups")
    head = "".join(
        tag("th", name, scope="col", class_="n" if name in ("AUC", "items", "groups") else None) for name in named
    )
    return data_table(head, rows, "Figures of each label") + _legend(main["labels"])


def _legend(labels: Sequence[str]) -> str:
    if not two_sided(labels):
        return ""
    titles = ", ".join(f"{name}: {LABELS[name].title.lower()}" for name in labels if name in LABELS)
    return tag("p", escape(titles) + ".", class_="note")


def _confusions(main: Mapping[str, Any]) -> str:
    table = tag("div", svg.confusion(main["confusion"], main["labels"]), class_="scroll", tabindex=0)
    rows = [
        tag(
            "tr",
            tag("th", f"{escape(confusion['was'])} → {escape(confusion['said'])}", scope="row")
            + number_cell(str(confusion["items"]))
            + number_cell(percent(confusion["share"])),
        )
        for confusion in main["confusions"]
    ]
    most = tag("h3", "Most common") + data_table(
        headings("truth → predicted", "items", "share"), rows, "Confusions", ""
    )
    text = tag("p", "Rows are the truth, columns the prediction; the shade is the share of the row.", class_="note")
    return text + tag("div", tag("div", table) + (tag("div", most) if rows else ""), class_="side-by-side")


def _roc(main: Mapping[str, Any]) -> str:
    text = (
        "Upwards the recall of a label, to the right its false positive rate. The number is the area under the curve."
    )
    areas = [label["auc"] for label in main["per_label"]]
    return tag("p", text, class_="note") + svg.roc_grid(main["roc"], areas, main["labels"])


def _reliability(main: Mapping[str, Any]) -> str:
    def diagram(figures: Mapping[str, Any], name: str) -> str:
        caption = f"{name}: calibration error {svg.text_of(figures['calibration_error'], decimal)}"
        return tag("figure", tag("figcaption", escape(caption)) + svg.reliability(figures["reliability"], caption))

    text = "On the dashed line it would be right as often as it is confident; bars below: how often it is so confident."
    plots = diagram(main, "The predicted label")
    if "crying" in main:
        plots += diagram(main["crying"], "P(crying)")
    return tag("p", text, class_="note") + tag("div", plots, class_="side-by-side")


def _robustness(values: Mapping[str, Any], chance: float) -> str:
    conditions = values["conditions"]
    clean = conditions[0]
    lines: dict[str, list[Entry]] = {}
    for condition in conditions:
        if condition["level"] is not None:
            line = lines.setdefault(condition["kind"], [clean["balanced_accuracy"]])
            line.append(condition["balanced_accuracy"])
    levels = sorted({condition["level"] for condition in conditions if condition["level"] is not None}, reverse=True)
    ticks = ["clean", *(f"{level:g} dB" for level in levels)]
    plot = svg.decline(lines, ticks, chance, "Balanced accuracy by the level of what is mixed in") if lines else ""
    cries = clean["cries_found"] is not None
    head = [
        tag("th", "sound", scope="col"),
        tag("th", "balanced accuracy" + svg.whisker_axis(130), scope="col", class_="beside"),
    ]
    head += [
        tag("th", name, scope="col", class_="n") for name in ("change", *(("cries found", "others raised") * cries))
    ]
    rows = []
    for condition in conditions:
        entry = condition["balanced_accuracy"]
        lost = "" if condition["lost"] is None else points(-condition["lost"])
        cells = tag("th", escape(condition["name"]), scope="row")
        cells += tag("td", figure(entry) + svg.whisker(entry, chance, 130), class_="v")
        cells += number_cell(lost)
        if cries:
            cells += number_cell(percent(condition["cries_found"]))
            cells += number_cell(percent(condition["others_raised"]))
        rows.append(tag("tr", cells))
    table = data_table("".join(head), rows, "Figures under each condition", "")
    text = f"{_size(values)}, the same under every condition. {values['about']}"
    return tag("p", escape(text), class_="note") + tag("div", plot + table, class_="side-by-side")


def _crying(evaluation: Mapping[str, Any]) -> str:
    clips, parts = evaluation["clips_crying"], []
    text = f"{clips['cries']} clips with at least a second of crying, {clips['others']} known to have none."
    parts.append(tag("p", text, class_="note"))
    names = {"model": "highest window", "model_as_alert": "lasting as long as an alert needs", "yamnet": "YAMNet"}
    rows = []
    for key, name in names.items():
        if key not in clips:
            continue
        cells = tag("th", name, scope="row")
        for kind, entry in clips[key].items():
            shown = decimal if kind == "auc" else percent
            cells += number_cell(shown(entry["value"]) + tag("small", span_of(entry, shown)))
        rows.append(tag("tr", cells))
    if rows:
        figures = next(iter(clips[key] for key in names if key in clips))
        heads = [
            name.replace("found_at_", "at ").replace("_percent", " % false").replace("auc", "AUC") for name in figures
        ]
        parts.append(data_table(headings("score of a clip", *heads), rows, "Cries found"))
    noise = clips.get("in_white_noise", {})
    rows = [
        tag(
            "tr", tag("th", names[key], scope="row") + "".join(number_cell(percent(share)) for share in values.values())
        )
        for key, values in noise.items()
    ]
    if rows:
        heads = [name.replace("_db", " dB").replace("-", "−") for name in next(iter(noise.values()))]
        parts.append(tag("h3", "Cries found in white noise, at the threshold that 1 % of the clean others pass"))
        parts.append(data_table(headings("score of a clip", *heads), rows, "Cries found in noise", ""))
    if evaluation.get("delay"):
        rows = [
            tag(
                "tr",
                tag("th", escape(room), scope="row")
                + "".join(number_cell("—" if value is None else f"{value:g}") for value in values.values()),
            )
            for room, values in evaluation["delay"].items()
        ]
        heads = [name.replace("_", " ") for name in next(iter(evaluation["delay"].values()))]
        parts.append(tag("h3", "From the onset of a cry to the alert"))
        parts.append(data_table(headings("room", *heads), rows, "Delay of the alert", ""))
    false = {kind: counts for kind, counts in clips.get("false_alarms", {}).items() if kind != "crying"}
    if false:
        keys = list(next(iter(false.values())))
        total = {key: sum(counts[key] for counts in false.values()) for key in keys}
        rows = [
            tag("tr", tag("th", escape(kind), scope="row") + "".join(number_cell(str(counts[key])) for key in keys))
            for kind, counts in {"all of them": total, **false}.items()
        ]
        parts.append(tag("h3", "Clips without a cry that stay above the start threshold as long as an alert needs"))
        head = headings("sound", *(key.replace("_", " ") for key in keys))
        parts.append(data_table(head, rows[:1], "Clips above the threshold", ""))
        by_kind = data_table(head, rows[1:], "Clips above the threshold, by kind of sound", "")
        parts.append(tag("details", tag("summary", f"Each of {len(false)} kinds of sound") + by_kind))
    return "".join(parts)


def _worst(evaluation: Mapping[str, Any], folder: Path) -> str:
    rows = []
    for clip in evaluation["worst"]:
        file = Path(clip.get("file") or Path(evaluation["data"]) / clip["path"])  # older reports have no "file"
        try:
            link = quote(Path(os.path.relpath(file, folder)).as_posix())
        except ValueError:  # another drive
            link = file.resolve().as_uri()
        cells = tag("th", tag("a", escape(clip["path"]), href=link), scope="row")
        cells += "".join(tag("td", escape(clip[key])) for key in ("was", "said", "group"))
        rows.append(tag("tr", cells + number_cell(percent(clip["given"])) + number_cell(percent(clip["confidence"]))))
    head = headings("clip") + "".join(tag("th", name, scope="col") for name in ("truth", "predicted", "group"))
    head += "".join(
        tag("th", name, scope="col", class_="n") for name in ("probability of the truth", "of the prediction")
    )
    text = (
        "The clips whose true label got the lowest probability, worst first. Listen: some of them are labelled wrongly."
    )
    return tag("p", text, class_="note") + data_table(head, rows, "The worst clips")


def _cost(cost: Mapping[str, Any]) -> str:
    def timed(name: str) -> str:
        values = cost[name]
        return f"{milliseconds(values['median'])} ms, in the slowest twentieth {milliseconds(values['p95'])} ms"

    rows = [
        ("Features of a window", timed("features_ms")),
        ("Network, a window", timed("network_ms")),
        ("A window is", f"{cost['window_seconds']:.2f} s long, one every {cost['hop_seconds']:.3f} s"),
        ("Parameters", f"{cost['parameters']:,}"),
        ("Model file", size_of(cost["file_bytes"])),
    ]
    memory = cost.get("memory")
    if memory:
        before = size_of(memory["before_bytes"])
        text = f"{size_of(memory['peak_bytes'])} at most, {before} of it before the model is opened"
        rows.append(("Memory of a fresh process", text))
    return tag("dl", "".join(tag("dt", name) + tag("dd", escape(text)) for name, text in rows))


def _method(evaluation: Mapping[str, Any], main: Mapping[str, Any]) -> str:
    rows = [
        ("Model", f"{evaluation['model']} ({evaluation['family']}, made {evaluation['model_created']})"),
        ("Data", f"{evaluation['data_name']}: {', '.join(evaluation['sources'])}"),
        ("Side", evaluation["protocol"]),
        ("Size", f"{_size(evaluation)}, {counted(evaluation['windows'], 'window')}"),
        ("Intervals", f"95 %, {main['rounds']} rounds over groups"),
    ]
    shared = evaluation.get("shared_labels")
    if shared:
        text = f"{', '.join(shared['labels'])}; their probabilities are scaled to sum to one"
        if shared["only_model"]:
            text += f". The model also has {', '.join(shared['only_model'])}"
        if shared["only_data"]:
            text += f". Left out of the data: {', '.join(shared['only_data'])} ({shared['clips_left_out']} clips)"
        rows.append(("Shared labels only", text + "."))
    command = tag("pre", escape(evaluation["command"])) if evaluation["command"] else ""
    second_unit = "by_window" if evaluation["judged_by"] == "clips" else "by_clip"
    if evaluation.get(second_unit):
        text = svg.text_of(evaluation[second_unit]["balanced_accuracy"])
        rows.append(("Balanced accuracy " + second_unit.replace("_", " "), text))
    listed = tag("dl", "".join(tag("dt", name) + tag("dd", escape(text)) for name, text in rows))
    return listed + tag("p", METHOD, class_="note") + command
