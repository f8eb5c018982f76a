"""The page that reports are written on: one file, no request to anywhere, light and dark, legible when printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from trainer.reports.svg import Entry, percent, span_of, tag

PAGE, VALUES = "report.html", "report.json"

_LIGHT = """color-scheme:light;--page:#fbfbf9;--surface:#fff;--sunk:#f2f3f1;--ink:#1b2025;--muted:#59636e;
--line:#e0e3e1;--grid:#e9ebe9;--accent:#0b63a5;--soft:#0b63a533;--heat:#0b63a5;--on-heat:#fff;--cell:#0a0c0e;
--warn:#9a4a00;--warn-soft:#fdf3e7;
--s1:#0b63a5;--s2:#b04a00;--s3:#00735a;--other:#98a2ab"""
_DARK = """color-scheme:dark;--page:#14171a;--surface:#1b1f24;--sunk:#22272d;--ink:#e8ebee;--muted:#a5afba;
--line:#2e353c;--grid:#2a3037;--accent:#6db6f2;--soft:#6db6f240;--heat:#4a94d4;--on-heat:#0a0c0e;--cell:#fff;
--warn:#f2b26b;--warn-soft:#2c241a;
--s1:#6db6f2;--s2:#f2a05c;--s3:#4fcba6;--other:#6d7782"""

_STYLE = """
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",Ubuntu,Cantarell,sans-serif}
main,header,footer{max-width:1220px;margin:0 auto;padding:0 28px}
header{padding-top:44px;display:flex;gap:24px;align-items:flex-start;justify-content:space-between}
h1{font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:0 0 6px}
h2{font-size:20px;font-weight:640;letter-spacing:-.008em;margin:52px 0 6px;padding-top:18px;
border-top:1px solid var(--line)}
h3{font-size:16px;font-weight:620;margin:26px 0 6px}
p{margin:8px 0;max-width:76ch}
.lead{color:var(--muted);margin:0}
.note,small,figcaption small{color:var(--muted);font-size:13.5px}
a{color:var(--accent);text-underline-offset:2px}
a:focus-visible,button:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
nav{margin:18px 0 0;font-size:14px;display:flex;flex-wrap:wrap;gap:4px 18px}
nav a{text-decoration:none;color:var(--muted)}nav a:hover{color:var(--accent)}
.theme{font:inherit;font-size:13px;color:var(--muted);background:var(--surface);border:1px solid var(--line);
border-radius:99px;padding:5px 14px;cursor:pointer;white-space:nowrap}
.theme:hover{color:var(--ink)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:12px;margin:26px 0 10px}
.card{background:var(--surface);border:1px solid var(--line);border-radius:10px;padding:14px 16px 12px}
.card h3{margin:0;font-size:13.5px;font-weight:500;color:var(--muted)}
.card .big{font-size:28px;line-height:1.25;font-weight:640;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.card small{display:block;font-size:13px;font-variant-numeric:tabular-nums;min-height:1.5em}
.card.first{border-color:var(--accent)}
.bad{background:var(--warn-soft);border:1px solid var(--line);border-left:3px solid var(--warn);border-radius:6px;
padding:10px 20px 12px;margin:22px 0}
.bad h2{border:0;margin:0;padding:0;font-size:16px;color:var(--warn)}
.bad ul,.short ul{margin:4px 0;padding-left:20px}.short{margin-top:22px}.short li{margin:7px 0}
li{margin:3px 0;max-width:86ch}
.scroll{overflow-x:auto;margin:14px 0}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
table.wide{width:100%}
th{text-align:left;font-weight:560}
thead th{font-size:13px;color:var(--muted);font-weight:520;vertical-align:bottom;border-bottom:1px solid var(--line);
padding:6px 8px}
thead th svg{display:block;margin-top:2px}th.beside svg{margin-left:84px}
tbody td,tbody th{padding:5px 8px;border-bottom:1px solid var(--grid);vertical-align:middle}
tbody tr:hover{background:var(--sunk)}
td.n,th.n{text-align:right;white-space:nowrap}
td small,th small{display:block;font-weight:400;font-size:12px;line-height:1.3}
td.v{white-space:nowrap}td.v svg{vertical-align:middle;margin-left:8px}
td.v b{font-weight:600}
.figure{display:inline-block;width:76px;vertical-align:middle;text-align:right}.figure small{white-space:nowrap}
td.b b{display:inline-block;min-width:4.4em;text-align:right}
td.b small{display:inline-block;margin-left:8px;min-width:7.5em}
th button{all:unset;cursor:pointer;color:inherit}
th button:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
sup{line-height:0}
th.family{white-space:nowrap}
th[aria-sort] button{color:var(--ink)}
th[aria-sort=descending] button::after{content:" ↓"}th[aria-sort=ascending] button::after{content:" ↑"}
tr.best th:first-child{box-shadow:inset 3px 0 var(--accent)}
svg{display:inline-block;max-width:100%;overflow:visible}svg.whiskers,svg.bars{max-width:none}
svg.plot{height:auto}
svg.defs{position:absolute}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;fill:var(--ink)}
svg .tick{fill:var(--muted);font-size:11.5px;font-variant-numeric:tabular-nums}
svg .name{font-size:12.5px;font-weight:560}
.grid{stroke:var(--grid)}.frame{fill:none;stroke:var(--line)}
.chance{stroke:var(--muted);stroke-dasharray:3 3}
.whisker{stroke:var(--accent);stroke-width:3;opacity:.42;stroke-linecap:round}.whisker.other{stroke:var(--warn)}
.dot{fill:var(--accent);stroke:var(--surface);stroke-width:1.2}.dot.other{fill:var(--other)}
.hollow{fill:var(--surface);stroke:var(--warn);stroke-width:2}.between{stroke:var(--muted);stroke-width:1}
.weak .dot{fill:var(--other)}.weak .whisker{stroke:var(--other)}
.trough{fill:var(--sunk)}.bar{fill:var(--accent);opacity:.62}.over{stroke:var(--ink);stroke-width:1.3}
.amount{fill:var(--accent);opacity:.35}
.curve{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}
.faint{fill:none;stroke:var(--other);stroke-width:1;opacity:.38}
.front{fill:none;stroke:var(--accent);stroke-width:1.2;opacity:.5}
.curve.s1,.whisker.s1{stroke:var(--s1)}.curve.s2,.whisker.s2{stroke:var(--s2)}.curve.s3,.whisker.s3{stroke:var(--s3)}
.whisker.s1,.whisker.s2,.whisker.s3{stroke-width:2}
.dot.s1{fill:var(--s1)}.dot.s2{fill:var(--s2)}.dot.s3{fill:var(--s3)}
svg .name.s1{fill:var(--s1)}svg .name.s2{fill:var(--s2)}svg .name.s3{fill:var(--s3)}
.side-by-side{display:flex;flex-wrap:wrap;gap:16px 48px;align-items:flex-start}
.grid-of-plots{display:flex;flex-wrap:wrap;gap:18px 22px;margin:14px 0}
figure{margin:0}figcaption{font-size:13.5px;margin-bottom:4px}
.grid-of-plots figcaption{display:flex;gap:8px;align-items:baseline;padding:0 8px}
.grid-of-plots figcaption span{margin-left:auto}
.grid-of-plots figure{width:166px}.grid-of-plots.three figure{width:auto}
.grid-of-plots figcaption small{font-size:11px;display:none}
table.confusion td,table.confusion th{border:2px solid var(--page);padding:5px 8px}
table.confusion tr:hover{background:none}
table.confusion td{min-width:58px;color:var(--cell);text-align:center;line-height:1.2;border-radius:6px;
background:color-mix(in srgb,var(--heat) calc(var(--p,0)*1%),var(--sunk))}
table.confusion td small{font-size:11.5px;color:inherit}
table.confusion td.hot{color:var(--on-heat)}table.confusion td.none{color:var(--muted)}
table.confusion td.hit{font-weight:640}
table.confusion td.all{background:none;color:var(--muted);text-align:right;min-width:0}
table.confusion th{font-weight:520;color:var(--muted);font-size:13px}
table.confusion th[scope=row]{text-align:right}table.confusion th[scope=col]{text-align:center}
th.corner{font-size:11.5px!important;font-weight:400!important}
table.compact td{min-width:31px;padding:4px 2px;font-size:12px}table.compact th{font-size:12px;padding:2px 6px}
table.compact th[scope=col] span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:9em}
table.compact th[scope=col]{vertical-align:bottom;padding-bottom:4px}
pre{background:var(--sunk);border-radius:8px;padding:12px 16px;overflow-x:auto;font:13px/1.5 ui-monospace,
SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:5px 22px;font-size:14.5px}dt{color:var(--muted)}dd{margin:0}
details{margin:10px 0}summary{cursor:pointer;color:var(--muted);font-size:14px}
.key{display:inline-flex;align-items:center;gap:6px;margin-right:18px;font-size:13.5px;color:var(--muted)}
footer{color:var(--muted);font-size:13px;padding-top:40px;padding-bottom:56px}
sup a{text-decoration:none;padding:0 1px}
@media (max-width:640px){header{flex-direction:column}main,header,footer{padding-left:16px;padding-right:16px}
h1{font-size:25px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media print{.theme,nav{display:none}body{font-size:12px}h2{break-after:avoid}figure,.card,tr{break-inside:avoid}}
"""

# ?theme=dark or ?theme=light decides; else what was chosen last, else the system.
_SCRIPT = """
(function(){
var root=document.documentElement,button=document.querySelector('.theme'),asked=new URLSearchParams(location.search);
var system=matchMedia('(prefers-color-scheme: dark)');
function keep(v){try{localStorage.setItem('theme',v)}catch(e){}}
function kept(){try{return localStorage.getItem('theme')}catch(e){return null}}
function dark(){return (root.dataset.theme||(system.matches?'dark':'light'))==='dark'}
function name(){button.textContent=dark()?'Light colours':'Dark colours'}
var first=asked.get('theme')||kept();if(first==='dark'||first==='light')root.dataset.theme=first;
button.hidden=false;name();system.addEventListener('change',name);
button.addEventListener('click',function(){root.dataset.theme=dark()?'light':'dark';keep(root.dataset.theme);name()});
document.querySelectorAll('th button').forEach(function(one){one.addEventListener('click',function(){
var head=one.closest('th'),table=one.closest('table'),body=table.tBodies[0];
var at=Array.prototype.indexOf.call(head.parentNode.children,head);
var turn=head.getAttribute('aria-sort')||'',up=turn?turn==='descending':head.dataset.first==='up';
table.querySelectorAll('th[aria-sort]').forEach(function(other){other.removeAttribute('aria-sort')});
head.setAttribute('aria-sort',up?'ascending':'descending');
function value(row){return row.cells[at].dataset.v||''}
Array.from(body.rows).sort(function(a,b){var x=value(a),y=value(b);
if(x===''||y==='')return (x==='')-(y==='');
var order=isNaN(x)||isNaN(y)?x.localeCompare(y):x-y;return up?order:-order}).forEach(function(row){body.append(row)})
})})})();
"""


def page(title: str, lead: str, sections: Sequence[tuple[str, str, str]], footer: str) -> str:
    """A whole HTML document. lead: markup under the title. sections: identifier, heading ("" for none), markup."""
    links = "".join(tag("a", escape(heading), href=f"#{name}") for name, heading, _ in sections if heading)
    body = "".join(
        tag("section", (tag("h2", escape(heading)) if heading else "") + content, id=name)
        for name, heading, content in sections
    )
    button = '<button class="theme" type="button" hidden>Dark colours</button>'
    contents = tag("nav", links, aria_label="Contents")
    top = tag("header", tag("div", tag("h1", escape(title)) + lead + contents) + button)
    style = f":root{{{_LIGHT}}}\n@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_DARK}}}}}\n"
    style += f":root[data-theme=dark]{{{_DARK}}}\n:root[data-theme=light]{{{_LIGHT}}}{_STYLE}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # An empty picture of its own, else a browser asks for one.
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{top}\n"
        f"<main>{body}</main>\n{tag('footer', footer)}\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


METHOD = (
    "Balanced accuracy is the mean of the labels' recalls, so that a common label counts no more than a rare one; "
    "macro-F1 is the mean of their F1. Intervals are 95 %, by drawing whole groups (speakers, babies, recordings) "
    "with replacement, wider for few groups by Student's t; of two or three groups they are the range of the draws."
)


def written(folder: Path, html: str, values: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    (folder / VALUES).write_text(text + "\n", encoding="utf-8")
    (folder / PAGE).write_text(html, encoding="utf-8")
    return folder / PAGE


def footer(created: str) -> str:
    when = f"Measured {escape(created[:16].replace('T', ' '))}. " if created else ""
    return f"{when}Written by the trainer of Baby Monitor; the same values are in {tag('a', VALUES, href=VALUES)}."


def data_table(head: str, rows: Sequence[str], label: str, class_: str = "wide") -> str:
    table = tag("table", tag("thead", tag("tr", head)) + tag("tbody", "".join(rows)), class_=class_)
    return tag("div", table, class_="scroll", role="region", aria_label=label, tabindex=0)


def headings(*names: str) -> str:
    return "".join(tag("th", escape(name), scope="col", class_="n" if at else None) for at, name in enumerate(names))


def sortable(name: str, numeric: bool = True, up: bool = False, below: str = "", sorted_: bool = False) -> str:
    """A heading to sort by. up: the least first. below: markup under the name."""
    return tag(
        "th",
        tag("button", escape(name), type="button") + below,
        scope="col",
        class_="beside" if below else "n" if numeric else None,
        data_first="up" if up else None,
        aria_sort="descending" if sorted_ else None,
    )


def number_cell(shown: str, value: float | None = None) -> str:
    return tag("td", shown, class_="n", data_v=value)


def figure(entry: Entry, told: bool = True) -> str:
    """A value with its interval below it (told), to stand beside a plot of the same."""
    below = tag("small", span_of(entry)) if told else ""
    return tag("span", tag("b", percent(entry["value"])) + below, class_="figure")


def size_of(size: float | None) -> str:
    if size is None:
        return "—"
    return f"{size / 1e6:,.1f}\u202fMB" if size >= 999_500 else f"{size / 1e3:.0f}\u202fkB"


def count_of(number: int | None) -> str:
    if number is None:
        return "—"
    if number >= 999_500:
        return f"{number / 1e6:.1f}\u202fM"
    return f"{number / 1e3:.0f}\u202fk" if number >= 10_000 else f"{number:,}"


def milliseconds(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    if seconds < 120:
        return f"{seconds:.0f}\u202fs" if seconds >= 10 else f"{seconds:.1f}\u202fs"
    return f"{seconds / 60:.0f}\u202fmin" if seconds < 7200 else f"{seconds / 3600:.1f}\u202fh"
