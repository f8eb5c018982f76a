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

OWN_THRESHOLD = "own threshold"
NOTHING: Entry = {"value": None, "low": None, "high": None}


def _entry(entry: Entry | None, shown: Any = percent) -> str:
    """A table cell with a figure and its interval."""
    entry = entry or NOTHING
    return number_cell(shown(entry["value"]) + tag("small", span_of(entry, shown)))


def nights_section(results: Mapping[str, Any]) -> str:
    nights = results["nights"]
    listeners = nights["listeners"]
    beds = ", ".join(nights["backgrounds"])
    equal = nights["equal_to"]
    text = (
        f"{nights['hours']:.1f} h over {len(nights['backgrounds'])} beds ({beds}) with twelve episodes an hour at +20, "
        "+10 and 0 dB, near and far, heard by studio, laptop and phone microphones; false alarms are counted over all "
        "of them. Dense nights beside them measure what is caught: the quiet room, and white noise, fan and television "
        "with every episode at 0 dB."
    )
    note = f"Each listener at its own threshold, and at the lowest that gives no more than the {equal['false_alarms']} "
    note += f"false alarms that {equal['listener']} gives at its own. Delays are of all caught episodes, dense nights "
    note += "included."
    rows = []
    for name, listener in listeners.items():
        for threshold, title in (("own", "own"), ("equal", "equal false alarms")):
            figures = listener[threshold]
            cells = tag("th", escape(name) + tag("small", f"{title}: {_start(figures)}"), scope="row")
            if figures is None:
                rows.append(tag("tr", cells + tag("td", "no threshold gives so few false alarms", colspan=7)))
                continue
            quiet = figures["dense"].get("quiet room, dense")
            for entry in (quiet and quiet["caught_share"], figures["noisy"] and figures["noisy"]["caught_share"]):
                drawn = svg.whisker(entry, width=100) if entry else ""
                cells += tag("td", figure(entry or NOTHING) + drawn, class_="v")
            cells += _entry(figures["all_beds"]["caught_share"])
            cells += number_cell(str(figures["all_beds"]["false_alarms"]))
            cells += _entry(figures["all_beds"]["false_alarms_per_night"], number)
            cells += _entry(figures["delay"]["median"], seconds) + _entry(figures["delay"]["p95"], seconds)
            rows.append(tag("tr", cells))
    heads = ("listener", "caught, quiet room", "caught, noise at 0 dB", "caught, all beds", "false alarms", "in 10 h")
    table = data_table(headings(*heads, "delay, median", "delay, 95 %"), rows, "Nights")
    rules = "; ".join(f"{name}: {listener['rule']}" for name, listener in listeners.items())
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
        + tag("p", "In the quiet room, which is quieter than any cry, 20 dB are added to each level.", class_="note")
        + _by_kind(nights)
    )


def _start(figures: Mapping[str, Any] | None) -> str:
    return "none" if figures is None else f"from {figures['start']:g}"


def _curve(nights: Mapping[str, Any]) -> str:
    """Episodes caught against false alarms in ten hours, with a dot where each listener alarms today."""
    floor = 0.1
    lines, dots = {}, {}
    for name, listener in nights["listeners"].items():
        lines[name] = [
            (max(row["false_per_10_hours"], floor), row["caught"])
            for row in listener["ladder"]
            if row["caught"] is not None
        ]
        own = listener["own"]["all_beds"]
        if own["caught_share"]:
            dots[name] = (max(own["false_alarms_per_night"]["value"], floor), own["caught_share"]["value"])
    ticks = [(0.1, "0"), (1 / 3, "⅓"), (1.0, "1"), (10.0, "10"), (100.0, "100"), (1000.0, "1000")]
    across = plots.Axis("false alarms in 10 h", floor, 1000.0, ticks, logarithmic=True)
    label = "Operating curves: episodes caught for each rate of false alarms, over all beds"
    plot = plots.curves(lines, across, plots.shares("episodes caught, %"), label, dots, (1 / 3, None))
    return tag("figure", tag("figcaption", "Over all beds; the dot is where it alarms today") + plot)


def _delays(nights: Mapping[str, Any]) -> str:
    lines = {name: listener["own"]["delay_curve"] for name, listener in nights["listeners"].items()}
    ticks = [(second, f"{second:g}") for second in (0, 1.2, 2.5, 5, 7.5, 10)]
    across = plots.Axis("seconds since the onset", 0.0, 10.0, ticks)
    plot = plots.curves(lines, across, plots.shares("episodes alerted, %"), "Delays from onset to alert")
    return tag("figure", tag("figcaption", "Share of all episodes of all nights alerted by then, as used today") + plot)


def _by_background(nights: Mapping[str, Any]) -> str:
    listeners = nights["listeners"]
    first = next(iter(listeners.values()))["own"]
    rows = []
    for part in ("by_background", "dense"):
        for name in first[part]:
            cells = tag("th", escape(name), scope="row") + number_cell(str(first[part][name]["episodes"]))
            for listener in listeners.values():
                figures = listener["own"][part][name]
                cells += _entry(figures["caught_share"]) + number_cell(str(figures["false_alarms"]))
            rows.append(tag("tr", cells))
    heads = [head for name in listeners for head in (f"{name}: caught", "false")]
    return data_table(headings("background", "episodes", *heads), rows, "Nights by background")


def _by_kind(nights: Mapping[str, Any]) -> str:
    listeners = nights["listeners"]
    rows = []
    for part, pattern in (("by_snr_db", "{} dB"), ("by_distance", "{}"), ("by_device", "{}")):
        for kind in next(iter(listeners.values()))["own"]["all_beds"][part]:
            cells = tag("th", escape(pattern.format(kind).replace("-", "−")), scope="row")
            for listener in listeners.values():
                counts = listener["own"]["all_beds"][part][kind]
                cells += number_cell(f"{counts['caught']} of {counts['episodes']}")
            rows.append(tag("tr", cells))
    return data_table(headings("episodes", *listeners), rows, "Nights by kind of episode", "")


def alone_section(results: Mapping[str, Any]) -> str:
    alone, names = results["alone"], list(results["listeners"])

    def table(part: str, label: str) -> str:
        rows = []
        for kind, sounds in alone[part].items():
            cells = tag("th", escape(kind), scope="row") + number_cell(str(sounds["sounds"]))
            for name in names:
                alarms = sounds["alarms"][name]
                count = f"{alarms}" + tag("small", span_of(sounds["share"][name]))
                cells += number_cell(tag("b", count) if alarms else count)
                cells += number_cell(decimal(sounds["highest"][name]))
            rows.append(tag("tr", cells))
        heads = [head for name in names for head in (f"{name}: alarms", "highest")]
        return data_table(headings("sound", "sounds", *heads), rows, label)

    text = (
        "Each sound in a quiet room, by every listener's own alert rule: how many raise an alarm (the interval is of "
        "the share). “adult nonverbal: crying” are grown-ups. Where no clip holds a kind that the aims name, sounds of "
        "the trainer's generator are used (singing: hummed tunes)."
    )
    worst = "".join(
        tag("li", escape(f"{sound['path']} ({sound['kind']}): {sound['highest']}")) for sound in alone["worst"]
    )
    listed = tag("details", tag("summary", f"What sets {escape(names[0])} off") + tag("ul", worst)) if worst else ""
    return (
        tag("p", escape(text), class_="note")
        + tag("h3", "Kinds that the aims name")
        + table("named", "Named kinds of sound")
        + tag("h3", "By origin")
        + table("origins", "By origin")
        + tag("h3", "Synthetic sounds: wideband noises and others")
        + table("made", "Synthetic sounds")
        + listed
        + tag("details", tag("summary", "Every kind of real clip") + table("kinds", "Kinds of real clips"))
    )


def honesty_section(results: Mapping[str, Any]) -> str:
    honesty = results["honesty"]
    if honesty["crying"] is None:
        return tag("p", "The model's labels do not allow these figures.", class_="note")
    crying, reasons = honesty["crying"], honesty["reasons"]

    def diagram(figures: Mapping[str, Any], name: str) -> str:
        caption = f"{name}: calibration error {svg.text_of(figures['calibration_error'], decimal)}"
        return tag("figure", tag("figcaption", escape(caption)) + svg.reliability(figures["reliability"], caption))

    text = f"{honesty['windows']} windows of the test side, {percent(honesty['prior'])} of them crying."
    diagrams = diagram(crying, "P(crying)")
    reasons_part = ""
    if reasons:
        diagrams += diagram(reasons, "The reason, given that a child cries")
        level = reasons["chance"]
        rows = []
        for key, name in (("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro-F1")):
            entry = reasons[key]
            cells = tag("th", name, scope="row") + tag("td", figure(entry) + svg.whisker(entry, level), class_="v")
            rows.append(tag("tr", cells))
        note = f"{reasons['items']} windows of crying of {reasons['groups']} babies; the dashed line is chance "
        note += f"({percent(level)}). Mean confidence {percent(reasons['mean_confidence'])}, right in "
        note += f"{percent(reasons['accuracy']['value'])}."
        head = tag("th", "reasons", scope="col") + tag(
            "th", "by baby" + svg.whisker_axis(), scope="col", class_="beside"
        )
        reasons_part = tag("h3", "Reasons") + tag("p", escape(note), class_="note")
        reasons_part += data_table(head, rows, "Reasons", "")
        reasons_part += tag("div", svg.confusion(reasons["confusion"], reasons["labels"]), class_="scroll", tabindex=0)
    return tag("p", escape(text), class_="note") + tag("div", diagrams, class_="side-by-side") + reasons_part


def invariance_section(results: Mapping[str, Any]) -> str:
    values = results["invariance"]
    limit = values["tolerance"]
    text = (
        f"{values['clips']} clips ({values['cries']} cries) of {values['groups']} groups, as a 16 kHz file and once "
        f"more under each condition. The answer counts as the same if the score changes by {limit['mean_change']:g} or "
        f"less on average, and {percent(limit['flips'])} or fewer of the verdicts at the start threshold flip. +20 dB "
        "is clipped at full scale; hum is 10 dB below the loud parts; near and far are synthetic rooms (reverberation "
        "8 to 15 dB below the direct sound, and up to 6 dB above it)."
    )
    parts = [tag("p", escape(text), class_="note")]
    for name, listener in values["listeners"].items():
        rows = []
        for row in listener["rows"]:
            cells = tag("th", escape(row["name"]), scope="row")
            if "within" in row:
                cells += _entry(row["mean_change"], decimal) + number_cell(decimal(row["p95_change"]))
                cells += _entry(row["flips"])
            else:
                cells += number_cell("") * 3
            cells += _entry(row["cries_found"]) + _entry(row["others_raised"])
            same = "" if "within" not in row else "yes" if row["within"] else tag("b", "NO")
            rows.append(tag("tr", cells + tag("td", same)))
        parts.append(tag("h3", escape(f"{listener['score']}, threshold {listener['start']:g}")))
        heads = ("condition", "mean change", "95 % change", "verdicts flipped", "cries found", "others raised", "same")
        parts.append(data_table(headings(*heads), rows, f"Invariance of {name}"))
    parts.append(_wideband(results))
    return "".join(parts)


def _wideband(results: Mapping[str, Any]) -> str:
    """Cries under wideband noise at each start threshold: being wideband must not make a sound "not a cry"."""
    clean = {row["name"]: row["found_at_start"] for row in results["clips"]["test side"]["rows"]}
    wideband = [
        condition for condition in results["noise"]["conditions"] if condition["noise"] in ("white noise", "fan")
    ]
    rows = []
    for name, first in clean.items():
        cells = tag("th", escape(name), scope="row") + _entry(first)
        for condition in wideband:
            cells += _entry(next(row["found_at_start"] for row in condition["rows"] if row["name"] == name))
        rows.append(tag("tr", cells))
    heads = [f"{condition['noise']}, {condition['snr_db']:g} dB".replace("-", "−") for condition in wideband]
    title = tag("h3", "A cry under wideband noise: still a cry?")
    text = "Cries of set (a) at or above each listener's own start threshold. Wideband noises by themselves are above, "
    text += "under “Synthetic sounds”."
    table = data_table(headings("score of a clip", "clean", *heads), rows, "Cries under wideband noise")
    return title + tag("p", text, class_="note") + table


def cost_section(results: Mapping[str, Any]) -> str:
    cost, first = results["cost"], results["listeners"][0]
    rows = []
    for name, entry in cost["listeners"].items():
        cells = tag("th", escape(name), scope="row") + number_cell(f"{entry['hop_seconds']:.3f}\u202fs")
        spent = milliseconds(entry["milliseconds_a_judgement"]) + "\u202fms"
        cells += number_cell(spent + tag("small", f"median {milliseconds(entry['milliseconds_median'])}\u202fms"))
        cells += number_cell(milliseconds(entry["milliseconds_while_crying"]) + "\u202fms")
        hour = f"{entry['cpu_seconds_an_hour']:.1f}\u202fs"
        cells += number_cell(hour + tag("small", f"median {entry['cpu_seconds_an_hour_median']:.1f}\u202fs"))
        cells += _entry(entry["first_to_this"], number) if name != first else number_cell("")
        rows.append(tag("tr", cells + number_cell(size_of(entry["file_bytes"]))))
    text = (
        "CPU time of one thread, listening in an endless loop to the demo recording (nearly four tenths of it crying), "
        "and to its crying alone, as the app does: hop by hop, reusing what can be reused from hop to hop. The fastest "
        f"of {cost['turns']} turns, which a busy machine (load {cost['load']:.1f}) affects least. {first} against "
        "others turn by turn: the median, and the range of the middle 95 %."
    )
    heads = (
        "listener",
        "judges every",
        "a judgement",
        "while crying",
        "an hour of sound",
        f"{first} / this",
        "file",
    )
    return tag("p", escape(text), class_="note") + data_table(headings(*heads), rows, "Cost", "")
