"""The page's longer sections: nights, sounds played alone, honesty, invariance, cost."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from benchmarks.hearing import plots
from benchmarks.hearing.words import number, seconds
from trainer.reports import svg
from trainer.reports.html_page import data_table, figure, headings, milliseconds, number_cell, size_of
from trainer.reports.svg import Entry, decimal, percent, span_of, tag

HELD = "own threshold"
NOTHING: Entry = {"value": None, "low": None, "high": None}


def _entry(entry: Entry | None, shown: Any = percent) -> str:
    some = entry or NOTHING
    return number_cell(shown(some["value"]) + tag("small", span_of(some, shown)))


def nights_section(results: Mapping[str, Any]) -> str:
    nights = results["nights"]
    listeners = nights["listeners"]
    beds = ", ".join(nights["backgrounds"])
    equal = nights["equal_to"]
    text = (
        f"{nights['hours']:.1f} h over {len(nights['backgrounds'])} beds ({beds}) with twelve episodes an hour at +20, "
        "+10 and 0 dB, near and far, heard by studio, laptop and phone microphones; false alarms are counted over all "
        "of them. Beside them dense nights tell what is caught: the quiet room, and white noise, fan and television "
        "with every episode at 0 dB."
    )
    note = f"Each at its own threshold, and at the lowest that gives no more than the {equal['false_alarms']} false "
    note += f"alarms that {equal['listener']} gives at its own. Delays are of every episode caught, dense nights too."
    rows = []
    for name, one in listeners.items():
        for way, called in (("own", "own"), ("equal", "equal false alarms")):
            said = one[way]
            cells = tag("th", escape(name) + tag("small", f"{called}: {_start(said)}"), scope="row")
            if said is None:
                rows.append(tag("tr", cells + tag("td", "no threshold gives so few false alarms", colspan=7)))
                continue
            quiet = said["dense"].get("quiet room, dense")
            for entry in (quiet and quiet["caught_share"], said["noisy"] and said["noisy"]["caught_share"]):
                drawn = svg.whisker(entry, width=100) if entry else ""
                cells += tag("td", figure(entry or NOTHING) + drawn, class_="v")
            cells += _entry(said["all_beds"]["caught_share"])
            cells += number_cell(str(said["all_beds"]["false_alarms"]))
            cells += _entry(said["all_beds"]["false_alarms_per_night"], number)
            cells += _entry(said["delay"]["median"], seconds) + _entry(said["delay"]["p95"], seconds)
            rows.append(tag("tr", cells))
    heads = ("listener", "caught, quiet room", "caught, noise at 0 dB", "caught, all beds", "false alarms", "in 10 h")
    table = data_table(headings(*heads, "delay, median", "delay, 95 %"), rows, "Nights")
    rules = "; ".join(f"{name}: {one['rule']}" for name, one in listeners.items())
    return (
        tag("p", escape(text), class_="note")
        + tag("p", escape(note), class_="note")
        + table
        + tag("p", escape(f"Alert rules. {rules}."), class_="note")
        + plots.key(list(listeners))
        + tag("div", _curve(nights) + _delays(nights), class_="side-by-side")
        + tag("h3", "By background")
        + _by_background(nights)
        + tag("h3", "By loudness, distance and device, over all beds")
        + tag("p", "In the quiet room, which is quieter than any cry, 20 dB are added.", class_="note")
        + _by_kind(nights)
    )


def _start(said: Mapping[str, Any] | None) -> str:
    return "none" if said is None else f"from {said['start']:g}"


def _curve(nights: Mapping[str, Any]) -> str:
    """Episodes caught against false alarms in ten hours, a dot where each listener stands today."""
    floor = 0.1
    lines, dots = {}, {}
    for name, one in nights["listeners"].items():
        points = [
            (max(row["false_per_10_hours"], floor), row["caught"]) for row in one["ladder"] if row["caught"] is not None
        ]
        lines[name] = points
        own = one["own"]["all_beds"]
        if own["caught_share"]:
            dots[name] = (max(own["false_alarms_per_night"]["value"], floor), own["caught_share"]["value"])
    ticks = [(0.1, "0"), (1 / 3, "⅓"), (1.0, "1"), (10.0, "10"), (100.0, "100"), (1000.0, "1000")]
    across = plots.Axis("false alarms in 10 h", floor, 1000.0, ticks, logarithmic=True)
    label = "Operating curves: episodes caught for each rate of false alarms, over all beds"
    plot = plots.curves(lines, across, plots.shares("episodes caught, %"), label, dots, (1 / 3, None))
    return tag("figure", tag("figcaption", "Over all beds; the dot is where it alarms today") + plot)


def _delays(nights: Mapping[str, Any]) -> str:
    lines = {name: one["own"]["delay_curve"] for name, one in nights["listeners"].items()}
    across = plots.Axis("seconds since the onset", 0.0, 10.0, [(at, f"{at:g}") for at in (0, 1.2, 2.5, 5, 7.5, 10)])
    plot = plots.curves(lines, across, plots.shares("episodes alerted, %"), "Delays from onset to alert")
    return tag("figure", tag("figcaption", "Alerted by then, of all episodes of all nights, as used today") + plot)


def _by_background(nights: Mapping[str, Any]) -> str:
    listeners = nights["listeners"]
    first = next(iter(listeners.values()))["own"]
    rows = []
    for part in ("by_background", "dense"):
        for name in first[part]:
            cells = tag("th", escape(name), scope="row") + number_cell(str(first[part][name]["episodes"]))
            for one in listeners.values():
                said = one["own"][part][name]
                cells += _entry(said["caught_share"]) + number_cell(str(said["false_alarms"]))
            rows.append(tag("tr", cells))
    heads = [head for name in listeners for head in (f"{name}: caught", "false")]
    return data_table(headings("background", "episodes", *heads), rows, "Nights by background")


def _by_kind(nights: Mapping[str, Any]) -> str:
    listeners = nights["listeners"]
    rows = []
    for part, called in (("by_snr_db", "{} dB"), ("by_distance", "{}"), ("by_device", "{}")):
        for kind in next(iter(listeners.values()))["own"]["all_beds"][part]:
            cells = tag("th", escape(called.format(kind).replace("-", "−")), scope="row")
            for one in listeners.values():
                said = one["own"]["all_beds"][part][kind]
                cells += number_cell(f"{said['caught']} of {said['episodes']}")
            rows.append(tag("tr", cells))
    return data_table(headings("episodes", *listeners), rows, "Nights by kind of episode", "")


def alone_section(results: Mapping[str, Any]) -> str:
    alone, names = results["alone"], list(results["listeners"])

    def table(part: str, label: str) -> str:
        rows = []
        for kind, one in alone[part].items():
            cells = tag("th", escape(kind), scope="row") + number_cell(str(one["sounds"]))
            for name in names:
                alarms = one["alarms"][name]
                told = f"{alarms}" + tag("small", span_of(one["share"][name]))
                cells += number_cell(tag("b", told) if alarms else told) + number_cell(decimal(one["highest"][name]))
            rows.append(tag("tr", cells))
        heads = [head for name in names for head in (f"{name}: alarms", "highest")]
        return data_table(headings("sound", "sounds", *heads), rows, label)

    text = (
        "Each sound in a quiet room, through every listener's own alert rule: how many raise an alarm (the interval is "
        "of the share). “adult nonverbal: crying” are grown-up people. Of a kind that the aims name and no clip holds, "
        "sounds made by the trainer's generator are taken (singing: hummed tunes)."
    )
    worst = "".join(tag("li", escape(f"{one['path']} ({one['kind']}): {one['highest']}")) for one in alone["worst"])
    listed = tag("details", tag("summary", f"What sets {escape(names[0])} off") + tag("ul", worst)) if worst else ""
    return (
        tag("p", escape(text), class_="note")
        + tag("h3", "What the aims name")
        + table("named", "Named kinds of sound")
        + tag("h3", "By origin")
        + table("origins", "By origin")
        + tag("h3", "Made sounds: wideband noises and others")
        + table("made", "Made sounds")
        + listed
        + tag("details", tag("summary", "Every kind of real clip") + table("kinds", "Kinds of real clips"))
    )


def honesty_section(results: Mapping[str, Any]) -> str:
    honesty = results["honesty"]
    if honesty["crying"] is None:
        return tag("p", "The model's labels do not allow it.", class_="note")
    crying, reasons = honesty["crying"], honesty["reasons"]

    def drawn(of: Mapping[str, Any], name: str) -> str:
        told = f"{name}: calibration error {svg.text_of(of['calibration_error'], decimal)}"
        return tag("figure", tag("figcaption", escape(told)) + svg.reliability(of["reliability"], told))

    text = f"{honesty['windows']} windows of the test side, {percent(honesty['prior'])} of them crying."
    plots_ = drawn(crying, "P(crying)")
    told = ""
    if reasons:
        plots_ += drawn(reasons, "The reason, given that it cries")
        level = reasons["chance"]
        rows = []
        for key, name in (("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro-F1")):
            entry = reasons[key]
            cells = tag("th", name, scope="row") + tag("td", figure(entry) + svg.whisker(entry, level), class_="v")
            rows.append(tag("tr", cells))
        said = f"{reasons['items']} windows of crying of {reasons['groups']} babies; the dashed line is chance "
        said += f"({percent(level)}). Mean confidence {percent(reasons['mean_confidence'])}, right "
        said += f"{percent(reasons['accuracy']['value'])}."
        head = tag("th", "reasons", scope="col") + tag(
            "th", "by baby" + svg.whisker_axis(), scope="col", class_="beside"
        )
        told = tag("h3", "Reasons") + tag("p", escape(said), class_="note") + data_table(head, rows, "Reasons", "")
        told += tag("div", svg.confusion(reasons["confusion"], reasons["labels"]), class_="scroll", tabindex=0)
    return tag("p", escape(text), class_="note") + tag("div", plots_, class_="side-by-side") + told


def invariance_section(results: Mapping[str, Any]) -> str:
    values = results["invariance"]
    limit = values["tolerance"]
    text = (
        f"{values['clips']} clips ({values['cries']} cries) of {values['groups']} groups, as a 16 kHz file and once "
        f"more under each condition. The same answer means: the score moves by {limit['mean_change']:g} or less on "
        f"average, and {percent(limit['flips'])} or fewer of the verdicts at the start threshold flip. +20 dB is cut "
        "off at full scale; hum is 10 dB below the loud parts; near and far are made-up rooms (tail 8 to 15 dB below "
        "the direct sound, and up to 6 dB above it)."
    )
    parts = [tag("p", escape(text), class_="note")]
    for name, one in values["listeners"].items():
        rows = []
        for row in one["rows"]:
            cells = tag("th", escape(row["name"]), scope="row")
            if "within" in row:
                cells += _entry(row["mean_change"], decimal) + number_cell(decimal(row["p95_change"]))
                cells += _entry(row["flips"])
            else:
                cells += number_cell("") * 3
            cells += _entry(row["cries_found"]) + _entry(row["others_raised"])
            held = "" if "within" not in row else "yes" if row["within"] else tag("b", "NO")
            rows.append(tag("tr", cells + tag("td", held)))
        parts.append(tag("h3", escape(f"{one['score']}, threshold {one['start']:g}")))
        heads = ("condition", "mean change", "95 % change", "verdicts flipped", "cries found", "others raised", "same")
        parts.append(data_table(headings(*heads), rows, f"Invariance of {name}"))
    parts.append(_wideband(results))
    return "".join(parts)


def _wideband(results: Mapping[str, Any]) -> str:
    """A wideband noise must not be "not a cry" because it is wideband: cries under it, at each start threshold."""
    clean = {row["name"]: row["found_at_start"] for row in results["clips"]["test side"]["rows"]}
    wide = [one for one in results["noise"]["conditions"] if one["noise"] in ("white noise", "fan")]
    rows = []
    for name, first in clean.items():
        cells = tag("th", escape(name), scope="row") + _entry(first)
        for one in wide:
            cells += _entry(next(row["found_at_start"] for row in one["rows"] if row["name"] == name))
        rows.append(tag("tr", cells))
    heads = [f"{one['noise']}, {one['snr_db']:g} dB".replace("-", "−") for one in wide]
    title = tag("h3", "Wideband noise under a cry: still a cry?")
    text = "Cries of set (a) at or above each listener's own start threshold. Wideband noises by themselves are above, "
    text += "under “made sounds”."
    table = data_table(headings("score of a clip", "clean", *heads), rows, "Cries under wideband noise")
    return title + tag("p", text, class_="note") + table


def cost_section(results: Mapping[str, Any]) -> str:
    cost, first = results["cost"], results["listeners"][0]
    rows = []
    for name, one in cost["listeners"].items():
        cells = tag("th", escape(name), scope="row") + number_cell(f"{one['hop_seconds']:.3f}\u202fs")
        spent = milliseconds(one["milliseconds_a_judgement"]) + "\u202fms"
        cells += number_cell(spent + tag("small", f"median {milliseconds(one['milliseconds_median'])}\u202fms"))
        cells += number_cell(milliseconds(one["milliseconds_while_crying"]) + "\u202fms")
        hour = f"{one['cpu_seconds_an_hour']:.1f}\u202fs"
        cells += number_cell(hour + tag("small", f"median {one['cpu_seconds_an_hour_median']:.1f}\u202fs"))
        cells += _entry(one["first_to_this"], number) if name != first else number_cell("")
        rows.append(tag("tr", cells + number_cell(size_of(one["file_bytes"]))))
    text = (
        "CPU time of one thread, listening without end to the demo recording (nearly four tenths of it crying), and to "
        "its crying alone, as the app does: sound comes hop by hop, and what can be kept from hop to hop is kept. "
        f"The least of {cost['turns']} turns, which a busy machine (load {cost['load']:.1f}) "
        f"decides least. {first} to others turn by turn: the median, and what 95 % of the turns lie between."
    )
    heads = (
        "listener",
        "judges every",
        "a judgement",
        "while it cries",
        "an hour of sound",
        f"{first} to this",
        "file",
    )
    return tag("p", escape(text), class_="note") + data_table(headings(*heads), rows, "Cost", "")
