"""What teaching a model one home gives, and what it costs everybody else.

    python -m benchmarks.personalisation --output docs/reports

Nobody's library is at hand, so homes are made of sound that the model never learnt from (validation and test side of
the shared data; sounds that may only be used to evaluate, since nothing taught here is shipped):

- *reasons*: pseudo-babies. Cries of many babies, each played higher, lower or slower according to its made-up reason,
  so that the reason can be heard and is not the voice; k clips are labelled, babies that were not among them are
  judged. The same with reasons dealt out at random must stay at chance.
- *problem sounds*: sounds that the model takes for crying, each a source of its own; k recordings are labelled, other
  recordings are judged. A recording is the source in another room, at another microphone, up to 7 % faster or slower.
- *everyone else*: other babies' cries and other homes' sounds of the test side, before and after each of these.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from babymonitor.core.labels import label
from babymonitor.core.paths import default_model
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave
from babymonitor.core.whole_file import write_whole
from benchmarks.measurement import ROOT
from trainer.audio import augment, synthetic
from trainer.data.dataset import Clip, stable_random
from trainer.data.readers import load
from trainer.data.split import Division, group_hash, split
from trainer.evaluation.metrics import Rounds, rounded
from trainer.home import rehearsal as rehearsals
from trainer.home.adapter import Body, in_threads
from trainer.home.adapter_fit import Caution, fitted
from trainer.home.clip_embeddings import Heard, listen
from trainer.home.old_and_new import answer_of
from trainer.home.rehearsal import Rehearsal

COUNTS = (5, 10, 20, 60)
REASONS = {"hungry": (-3.0, 1.0), "pain": (3.0, 1.0), "tired": (0.0, 1.35)}
"""Of the pseudo-babies: semitones, and how many times as long."""
_DRAWS = 5
_SECONDS = 6.0
_RECORDINGS = 80
_OFTEN = 0.3
"""A source that wakes less often than this is no problem sound."""
_MOST_SOURCES = 8
_CANDIDATES = 1000
_MADE = 60


@dataclass(frozen=True, slots=True)
class Bench:
    body: Body
    rehearsal: Rehearsal
    threads: int

    def hear(self, waves: Sequence[tuple[Wave, str, str, str]], copies: int = 1) -> list[Heard]:
        """Waves with path, group and label, as teaching would hear them."""

        def one(item: tuple[Wave, str, str, str]) -> Heard:
            wave, path, group, name = item
            return listen(
                self.body, self.rehearsal.projection, wave, path, group, name, copies, (stable_random(path, "bench"),)
            )

        return list(in_threads(one, waves, self.threads))

    def rows(self, heard: Heard, adapter: Any) -> Any:
        view = heard.takes[0]
        return view.given if adapter is None else adapter(view.given, view.embeddings)

    def answer(self, heard: Heard, adapter: Any) -> Any:
        return answer_of(self.rows(heard, adapter), heard.ends, heard.level_db, self.body.card)

    def fit(self, clips: Sequence[Heard], caution: Caution) -> Any:
        return fitted(clips, self.body.card.labels, self.rehearsal.fit, caution)


class EveryoneElse:
    """The rehearsal's held clips of one side, before and after each lesson; without the groups that were taught."""

    def __init__(self, bench: Bench, side: str) -> None:
        self._held, self._card = bench.rehearsal.held[side], bench.body.card
        self._old = self._held.raised(self._held.given, self._card)
        self._changes: list[Any] = []

    def note(self, adapter: Any, taught: Sequence[str] = ()) -> None:
        new = self._held.raised(adapter(self._held.given, self._held.embeddings), self._card)
        known = np.isin(self._held.groups, [group_hash(group) for group in taught])
        self._changes.append(np.where(known, np.nan, 1.0 * new))

    def told(self) -> dict[str, Any]:
        """Means over the lessons noted; intervals over groups."""
        after = np.stack(self._changes)
        some = ~np.isnan(after).all(0)
        with np.errstate(invalid="ignore"):
            new = np.nanmean(after[:, some], axis=0)
        old, cries, groups = 1.0 * self._old[some], self._held.cries[some], self._held.groups[some]
        told: dict[str, Any] = {}
        for name, members in (("cries_found", cries), ("others_raised", ~cries)):
            ones = np.ones(int(members.sum()))
            sums = Rounds(groups[members]).sums(np.stack((old[members], new[members], ones), 1))
            rounds = Rounds(groups[members])
            told[name] = {
                "clips": int(members.sum()),
                "groups": len(set(groups[members])),
                "old": rounded(old[members].mean()),
                "new": rounds.told(sums[:, 1] / np.maximum(sums[:, 2], 1)),
                "change": rounds.told((sums[:, 1] - sums[:, 0]) / np.maximum(sums[:, 2], 1)),
            }
        return told


def cries_of(data: Path, segments: Path, sides: Path, wanted: Sequence[str]) -> list[tuple[Wave, Clip]]:
    """Clips of these sides with at least a second of crying, cut to what lies about it."""
    whole = load([data], segments)
    usable = replace(whole, clips=tuple(clip for clip in whole.clips if clip.usable and clip.spans))
    divided = split(usable, Division(sides=sides), whole)
    found = []
    for clip in divided.clips:
        spans = [span for span in clip.spans if label(span.label).crying]
        if clip.side not in wanted or sum(span.end - span.start for span in spans) < 1:
            continue
        wave = read_wave(whole.file(clip.path))
        longest = max(spans, key=lambda span: span.end - span.start)
        start = max(0, int((longest.start - 1) * SAMPLE_RATE))
        found.append((wave[start : start + int(_SECONDS * SAMPLE_RATE)], clip))
    return found


def reasons(bench: Bench, cries: Sequence[tuple[Wave, Clip]], caution: Caution, side: str) -> dict[str, Any]:
    """Balanced accuracy of the made-up reasons before and after so many clips, by pseudo-baby."""
    rng = np.random.default_rng(1)
    variants: list[dict[str, Heard]] = []
    waves, names = [], list(REASONS)
    for wave, clip in cries:
        for name, (semitones, longer) in REASONS.items():
            made = augment.shift_pitch(wave, semitones + rng.uniform(-0.5, 0.5)) if semitones else wave
            made = augment.stretch(made, longer * rng.uniform(0.95, 1.05)) if longer != 1 else made
            waves.append((made, f"{clip.path}-{name}", clip.group, name))
    heard = bench.hear(waves)
    for first in range(0, len(heard), len(names)):
        variants.append(dict(zip(names, heard[first : first + len(names)], strict=True)))
    told: dict[str, Any] = {}
    for truth in ("told by the sound", "dealt out at random"):
        everyone = {count: EveryoneElse(bench, side) for count in COUNTS}
        figures: dict[int, list[tuple[float, float, float, float]]] = {count: [] for count in COUNTS}
        for number in range(_DRAWS):
            rng = np.random.default_rng([2, number])
            groups = sorted({clip.group for _, clip in cries})
            place = dict(zip(rng.permutation(groups).tolist(), range(len(groups)), strict=True))
            order = sorted(range(len(cries)), key=lambda at: place[cries[at][1].group])
            sounds = rng.integers(len(names), size=len(cries))
            called = sounds if truth.startswith("told") else rng.integers(len(names), size=len(cries))
            for count in COUNTS:
                taught = order[:count]
                known = {cries[at][1].group for at in taught}
                judged = [at for at in order if cries[at][1].group not in known]
                lesson = [
                    replace(variants[at][names[sounds[at]]], label=names[called[at]], group=f"recording {at}")
                    for at in taught
                ]
                adapter = bench.fit(lesson, caution)
                everyone[count].note(adapter, sorted(known))
                both = []
                for each in (None, adapter):
                    answers = [bench.answer(variants[at][names[sounds[at]]], each) for at in judged]
                    said = [max(names, key=answer.probabilities.__getitem__) for answer in answers]
                    hits = np.array([said[i] == names[called[at]] for i, at in enumerate(judged)])
                    those = called[judged]
                    both += [np.mean([hits[those == one].mean() for one in range(len(names)) if (those == one).any()])]
                    both += [np.mean([answer.wakes for answer in answers])]
                figures[count].append((both[0], both[2], both[1], both[3]))
        told[truth] = {
            "chance": rounded(1 / len(names)),
            "draws": _DRAWS,
            "rows": [
                {
                    "clips": count,
                    "before": _mean(figures[count], 0), "after": _mean(figures[count], 1),
                    "woken_before": _mean(figures[count], 2), "woken_after": _mean(figures[count], 3),
                    "everyone_else": everyone[count].told(),
                }
                for count in COUNTS
            ],
        }  # fmt: skip
    return told


def _mean(rows: Sequence[Sequence[float]], column: int) -> dict[str, Any]:
    values = [float(row[column]) for row in rows]
    return {"value": rounded(np.mean(values)), "lowest": rounded(min(values)), "highest": rounded(max(values))}


def _candidates(bench: Bench, data: Path) -> Iterator[tuple[str, Wave]]:
    """Sounds that might be taken for crying: recordings that nothing is trained on, and tunes made from nothing."""
    whole = load([data])
    loud = ("animal", "deeply", "snap", "scary", "octavia")
    unused = [clip for clip in whole.clips if not clip.usable and clip.source.startswith(loud)]
    for clip in sorted(unused, key=lambda clip: stable_random(clip.path, "candidate"))[:_CANDIDATES]:
        try:
            wave = read_wave(whole.file(clip.path))[: int(_SECONDS * SAMPLE_RATE)]
        except AudioError:
            continue
        if wave.size > SAMPLE_RATE // 2:
            yield f"{clip.source}: {clip.detail or clip.path}", wave
    rng = np.random.default_rng(4)
    for number in range(_MADE):
        yield f"made tune {number}", synthetic.tones(rng, int(4 * SAMPLE_RATE))


def recording_of(wave: Wave, rng: np.random.Generator) -> Wave:
    """The same source again: another place, another microphone, another day."""
    wave = augment.change_speed(wave, rng.uniform(0.93, 1.07))
    wave = augment.Channel(rng, augment.Strength(room=0.7, tone=1.0, band_limit=0.5))(wave)
    wave = augment.add(wave, synthetic.coloured(rng, wave.size, 1.0), rng.uniform(8, 30))
    lead = synthetic.coloured(rng, int(rng.uniform(0.5, 2) * SAMPLE_RATE), 1.0)
    lead = lead * np.float32(0.02 * max(augment.rms(wave), 1e-4) / max(augment.rms(lead), 1e-9))
    return np.concatenate((lead, wave)).astype(np.float32)


def problem_sounds(
    bench: Bench, data: Path, cries: Sequence[tuple[Wave, Clip]], caution: Caution, side: str
) -> dict[str, Any]:
    """The share of other recordings of a source that would wake someone, before and after so many were labelled; and
    the same of a kind (cats), of which others are judged than were labelled. Cries recorded anew in the very same way
    show that the sound was unlearnt, and not the way.
    """
    rng = np.random.default_rng(6)
    anew = [(recording_of(wave, rng), clip.path, clip.group, "sad") for wave, clip in cries if clip.side == "test"]
    cries_anew = bench.hear(anew, copies=0)
    same_way: dict[int, list[tuple[float, float]]] = {count: [] for count in COUNTS}
    sources: list[tuple[str, Wave]] = []
    cats: list[Heard] = []
    candidates = list(_candidates(bench, data))
    heard = bench.hear([(wave, f"{at}", f"night-{at}", name) for at, (name, wave) in enumerate(candidates)], copies=0)
    for (name, wave), one in zip(candidates, heard, strict=True):
        if bench.answer(one, None).wakes:
            sources.append((name, wave))
        if name.endswith(": cat"):
            cats.append(one)
    rows: dict[int, list[tuple[float, float]]] = {count: [] for count in COUNTS}
    everyone = {count: EveryoneElse(bench, side) for count in COUNTS}
    told: list[dict[str, Any]] = []
    for at, (name, wave) in enumerate(sources):
        if len(told) == _MOST_SOURCES:
            break
        rng = np.random.default_rng([3, at])
        some = [(recording_of(wave, rng), f"{name}-{n}", f"night-{n}", "problem") for n in range(_RECORDINGS)]
        judged = bench.hear(some[max(COUNTS) :], copies=0)
        before = float(np.mean([bench.answer(one, None).wakes for one in judged]))
        if before < _OFTEN:
            continue  # it was that one recording: this source is no problem of a home
        taught = bench.hear(some[: max(COUNTS)])
        after = {}
        for count in COUNTS:
            adapter = bench.fit(taught[:count], caution)
            everyone[count].note(adapter)
            after[str(count)] = float(np.mean([bench.answer(one, adapter).wakes for one in judged]))
            rows[count].append((before, after[str(count)]))
            woken = [np.mean([bench.answer(one, each).wakes for one in cries_anew]) for each in (None, adapter)]
            same_way[count].append((float(woken[0]), float(woken[1])))
        told.append({"source": name, "before": rounded(before), "after": {k: rounded(v) for k, v in after.items()}})
    return {
        "tried": len(candidates),
        "would_wake": len(sources),
        "sources": told,
        "rows": _rows(rows, everyone),
        "cries_in_the_same_way": {
            str(count): {"before": _mean(some, 0), "after": _mean(some, 1)} for count, some in same_way.items()
        },
        "cats": _cats(bench, cats, caution, side),
    }


def _cats(bench: Bench, cats: Sequence[Heard], caution: Caution, side: str) -> dict[str, Any]:
    counts = [count for count in COUNTS if count <= len(cats) // 2]
    rows: dict[int, list[tuple[float, float]]] = {count: [] for count in counts}
    everyone = {count: EveryoneElse(bench, side) for count in counts}
    for number in range(_DRAWS):
        order = np.random.default_rng([5, number]).permutation(len(cats))
        for count in counts:
            adapter = bench.fit([cats[at] for at in order[:count]], caution)
            everyone[count].note(adapter)
            judged = [cats[at] for at in order[count:]]
            shares = [np.mean([bench.answer(one, each).wakes for one in judged]) for each in (None, adapter)]
            rows[count].append((float(shares[0]), float(shares[1])))
    return {"clips": len(cats), "draws": _DRAWS, "rows": _rows(rows, everyone)}


def _rows(rows: dict[int, list[tuple[float, float]]], everyone: dict[int, EveryoneElse]) -> list[dict[str, Any]]:
    return [
        {
            "clips": count,
            "before": _mean(some, 0),
            "after": _mean(some, 1),
            "everyone_else": everyone[count].told(),
        }
        for count, some in rows.items()
    ]


def measure(model: Path, data: Path, segments: Path, sides: Path, threads: int) -> dict[str, Any]:
    body = Body(model)
    rehearsal = rehearsals.found(body.sha256, [model.parent])
    if rehearsal is None:
        sys.exit(f"{model} has no rehearsal file; `trainer rehearsal --model {model} …` makes it.")
    bench = Bench(body, rehearsal, threads)
    caution = Caution()
    began = time.process_time()
    cries = cries_of(data, segments, sides, ("validation", "test"))
    return {
        "model": body.card.name,
        "model_created": body.card.created,
        "base_sha256": body.sha256,
        "caution": {name: getattr(caution, name) for name in Caution.__slots__},
        "cries": {"clips": len(cries), "groups": len({clip.group for _, clip in cries})},
        "reasons": reasons(bench, cries, caution, "test"),
        "problem_sounds": problem_sounds(bench, data, cries, caution, "test"),
        "cpu_seconds": round(time.process_time() - began),
    }


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.1f} %"


def _change(entry: dict[str, Any]) -> str:
    """A change of a share, in points, with its interval."""
    if entry["value"] is None:
        return "—"
    span = "" if entry["low"] is None else f" [{100 * entry['low']:+.1f} to {100 * entry['high']:+.1f}]"
    return f"{100 * entry['value']:+.1f}{span}"


def page(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    seconds, problem, cries = report["cpu_seconds"], report["problem_sounds"], report["cries"]
    lines = [
        "# What teaching a model one home gives",
        "",
        f"`python -m benchmarks.personalisation --output docs/reports`, {seconds} s of CPU. Model:",
        f"{report['model']} of {report['model_created'][:10]}, SHA-256 {report['base_sha256'][:12]}…;",
        "everything was taught with the usual caution, without the second look by which `trainer teach` becomes more",
        "cautious where it does harm.",
        "",
        "**Nobody's own library was at hand.** Homes are made of other people's sound, of groups that the networks",
        f"were not fitted to ({cries['clips']} clips of crying of {cries['groups']} babies of both held-out sides),",
        "and of sounds that may be used for evaluation only: nothing taught here is shipped. *Everyone else* is the",
        "test side's clips of the rehearsal file, without the babies that were taught; changes in points, with 95 %",
        "intervals over groups. The strength of the rehearsal and of the ridge were tried on some of the same cats and",
        "on the test side's cries, those of the reasons on these same pseudo-babies: a little of all this is too good.",
        "",
        "## Sounds of this home that it takes for crying",
        f"Of {problem['tried']} sounds (animals, adults, effects, tunes made from nothing) {problem['would_wake']}",
        f"give an alert. {len(problem['sources'])} of those wake again in {_percent(_OFTEN)} or more of 20 other",
        "recordings: the source in another room, at another microphone, in noise, up to 7 % faster or slower. Labelled",
        "clips are such recordings too; the judged ones are others. They are made recordings of one real sound each: a",
        "real cat varies more.",
        "",
        *_table("would wake", problem["rows"]),
        "",
        "Cries of the test side recorded anew in the same way, so that nothing but the sound tells them apart, give an",
        "alert "
        + ", ".join(
            f"in {_percent(one['after']['value'])} after {count} clips (before: {_percent(one['before']['value'])})"
            for count, one in problem["cries_in_the_same_way"].items()
        )
        + ".",
        "",
        "| source | before | " + " | ".join(f"{count} clips" for count in COUNTS) + " |",
        "|---" * (2 + len(COUNTS)) + "|",
        *(
            f"| {one['source']} | {_percent(one['before'])} | "
            + " | ".join(_percent(one["after"][str(count)]) for count in COUNTS)
            + " |"
            for one in problem["sources"]
        ),
        "",
        f"**A kind of sound instead of one source**: of {problem['cats']['clips']} clips of different cats some are "
        f"labelled and the others judged, {problem['cats']['draws']} draws. One home's cat is easier than all cats.",
        "",
        *_table("would wake", problem["cats"]["rows"]),
        "",
        "## Why it cries",
        "Pseudo-babies: three reasons, told by the sound alone (played three semitones lower, three higher, or a third",
        f"slower, each give or take), {_DRAWS} of them. It shows whether *a reason that can be heard* is learnt;",
        "whether a real baby's reasons can be heard it cannot show. In the shared data they hardly can.",
        "",
    ]
    for truth, told in report["reasons"].items():
        lines += [
            f"Reasons {truth}; balanced accuracy, chance is {_percent(told['chance'])}:",
            "",
            *_table("balanced accuracy", told["rows"]),
            "",
        ]
    return "\n".join(lines)


def _table(what: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        f"| clips labelled | {what} before | after | lowest to highest | everyone else: cries found | others raised |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        after, everyone = row["after"], row["everyone_else"]
        found, raised = everyone["cries_found"], everyone["others_raised"]
        lines.append(
            f"| {row['clips']} | {_percent(row['before']['value'])} | {_percent(after['value'])} | "
            f"{_percent(after['lowest'])} to {_percent(after['highest'])} | "
            f"{_percent(found['old'])}, {_change(found['change'])} | "
            f"{_percent(raised['old'])}, {_change(raised['change'])} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--segments", type=Path, default=ROOT / "trainer" / "labelling" / "segments.csv")
    parser.add_argument("--sides", type=Path, default=ROOT / "trainer" / "labelling" / "sides.csv")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, required=True, help="the folder of personalisation.md and .json")
    arguments = parser.parse_args()
    report = measure(arguments.model, arguments.data, arguments.segments, arguments.sides, arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_whole(arguments.output / "personalisation.json", json.dumps(report, indent=1).encode())
    write_whole(arguments.output / "personalisation.md", page(report).encode())
    print(arguments.output / "personalisation.md")


if __name__ == "__main__":
    main()
