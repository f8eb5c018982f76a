"""Episodes as a file: CSV for a spreadsheet, JSON for a program, or a page to print."""

from __future__ import annotations

import csv
import html
import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication

from babymonitor.core.history.review import Episode
from babymonitor.core.whole_file import write_whole
from babymonitor.ui.parts.alerts_model import duration_seconds, episode_title, near_miss_sentences, verdict_text
from babymonitor.ui.parts.wording import clock_text, day_text, duration_text, level_text, reason_hint

_FIRST_FIELDS = ("id", "kind", "began", "raised", "ended", "seconds", "peak_db", "peak_crying", "reasons", "clip")
FIELDS = (*_FIRST_FIELDS, "verdict", "label", "reviewed", "heard", "threshold")
"""The columns of the CSV file. New ones go to the end, because people have sheets that count columns."""

_PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 11pt system-ui, sans-serif; color: #111; margin: 2em; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid #bbb; }}
thead {{ display: table-header-group; }} tr {{ break-inside: avoid; }}
</style></head><body>
<h1>{title}</h1>
<p>{summary}</p>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>
</body></html>
"""


def write_alerts(path: Path, alerts: Sequence[Episode], precision: tuple[int, int] = (0, 0)) -> None:
    """Write episodes as JSON (".json"), as a page to print (".html") or, for any other suffix, as CSV.

    precision: how many reviewed alerts of the week were right, and how many wrong; for JSON and the page. Raises
    OSError if the file cannot be written; a file that was there before is then untouched.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        text = alerts_json(alerts, precision)
    elif suffix in (".html", ".htm"):
        text = alerts_html(alerts, precision)
    else:
        text = alerts_csv(alerts)
    write_whole(path, text)


def alerts_json(alerts: Sequence[Episode], precision: tuple[int, int] = (0, 0)) -> str:
    """Return episodes and precision as JSON."""
    right, wrong = precision
    content = {"alerts": [_record(alert) for alert in alerts], "precision": {"right": right, "wrong": wrong}}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def alerts_csv(alerts: Sequence[Episode]) -> str:
    """Return a table with a row for each episode.

    Reasons are written as "hungry=0.41 tired=0.30", and the seconds of what was heard in a near miss as "dog=3.120".
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\r\n")
    writer.writeheader()
    for alert in alerts:
        record = _record(alert)
        for name, values in (("reasons", alert.reasons), ("heard", record["heard"])):
            record[name] = " ".join(f"{key}={value:.3f}" for key, value in values.items())
        writer.writerow(record)
    return out.getvalue()


def alerts_html(alerts: Sequence[Episode], precision: tuple[int, int] = (0, 0)) -> str:
    """Return a self-contained page in the person's language."""
    head = [_tr("Day"), _tr("Began"), _tr("Length"), _tr("Kind"), _tr("Loudest"), _tr("Maybe"), _tr("Review")]
    rows = []
    for alert in alerts:
        lasted = duration_seconds(alert)
        cells = (
            day_text(alert.began),
            clock_text(alert.began, with_seconds=True),
            "" if lasted is None else duration_text(lasted),
            episode_title(alert.kind),
            level_text(alert.peak_db),
            " ".join(near_miss_sentences(alert)) or reason_hint(alert.reasons),
            verdict_text(alert),
        )
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    right, wrong = precision
    summary = _tr("{n} episodes.").format(n=len(alerts))
    if right + wrong:
        summary += " " + _tr("This week {right} of {all} reviewed alerts were right.").format(
            right=right, all=right + wrong
        )
    return _PAGE.format(
        title=html.escape(_tr("Nights")),
        summary=html.escape(summary),
        head="".join(f"<th>{html.escape(cell)}</th>" for cell in head),
        rows="\n".join(rows),
    )


def _tr(text: str) -> str:
    return QCoreApplication.translate("Alerts", text)


def _record(alert: Episode) -> dict[str, Any]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "began": _moment(alert.began),
        "raised": None if alert.raised is None else _moment(alert.raised),
        "ended": None if alert.ended is None else _moment(alert.ended),
        "seconds": None if alert.ended is None else round(alert.ended - alert.began, 1),
        "peak_db": round(alert.peak_db, 1),
        "peak_crying": round(alert.peak_crying, 4),
        "reasons": {name: round(share, 4) for name, share in alert.reasons.items()},
        "clip": alert.clip,
        "verdict": alert.verdict,
        "label": alert.label,
        "reviewed": None if alert.reviewed is None else _moment(alert.reviewed),
        "heard": {name or "other": round(seconds, 3) for name, seconds in alert.sounds.items()},
        "threshold": None if alert.threshold is None else round(alert.threshold, 4),
    }


def _moment(unix_seconds: float) -> str:
    """Return local time with its offset from UTC, as 2026-11-21T02:40:00+0100."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(unix_seconds))
