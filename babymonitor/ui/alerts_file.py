"""Alerts as a file for a spreadsheet or a program: CSV or JSON, written beside and then moved into place."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from babymonitor.core.history import AlertRow
from babymonitor.core.settings import replace_file

FIELDS = ("id", "kind", "began", "raised", "ended", "seconds", "peak_db", "peak_crying", "reasons", "clip")


def write_alerts(path: Path, alerts: Sequence[AlertRow]) -> None:
    """``.json`` gets JSON, everything else CSV. OSError when it cannot be written; then what was there is untouched."""
    text = alerts_json(alerts) if path.suffix.lower() == ".json" else alerts_csv(alerts)
    replace_file(path, text.encode("utf-8"))


def alerts_json(alerts: Sequence[AlertRow]) -> str:
    return json.dumps({"alerts": [_record(alert) for alert in alerts]}, indent=2, ensure_ascii=False) + "\n"


def alerts_csv(alerts: Sequence[AlertRow]) -> str:
    """One row an alert; the reasons as ``hungry=0.41 tired=0.30``."""
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\r\n")
    writer.writeheader()
    for alert in alerts:
        record = _record(alert)
        record["reasons"] = " ".join(f"{name}={share:.3f}" for name, share in alert.reasons.items())
        writer.writerow(record)
    return out.getvalue()


def _record(alert: AlertRow) -> dict[str, Any]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "began": _moment(alert.began),
        "raised": _moment(alert.raised),
        "ended": None if alert.ended is None else _moment(alert.ended),
        "seconds": None if alert.ended is None else round(alert.ended - alert.began, 1),
        "peak_db": round(alert.peak_db, 1),
        "peak_crying": round(alert.peak_crying, 4),
        "reasons": {name: round(share, 4) for name, share in alert.reasons.items()},
        "clip": alert.clip,
    }


def _moment(unix_seconds: float) -> str:
    """Local time with its distance from UTC, 2026-11-21T02:40:00+0100."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(unix_seconds))
