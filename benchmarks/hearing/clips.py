"""Single clips: how many cries are found at what price, bare and under noise, and what raises an alarm by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.hearing.kept import Kept
from benchmarks.hearing.listeners import Listener, Ours
from benchmarks.hearing.material import NAMED_KINDS, Item, Material, named_kind
from trainer.evaluation.metrics import Rounds, rounded
from trainer.evaluation.nights import Heard, alerts_of
from trainer.evaluation.summary import roc_curve

Scores = npt.NDArray[np.float64]

FALSE_SHARES = (0.01, 0.001)
NOISES = ("white noise", "fan", "television", "music")
SNRS_DB = (10.0, 0.0, -5.0)


def highest(one: Heard) -> float:
    """The highest of its scores, as `core.verdict` has it."""
    return float(one.crying.max())


@dataclass(frozen=True, slots=True)
class Scoring:
    """A single score of what a listener said of a clip: the `highest`."""

    name: str
    listener: Listener

    def of(self, answers: Sequence[Heard]) -> Scores:
        return np.array([highest(one) for one in answers])


def scorings(listeners: Sequence[Listener]) -> list[Scoring]:
    """A row for each listener."""
    return [Scoring(f"{one.name}, highest {'window' if isinstance(one, Ours) else 'score'}", one) for one in listeners]


def bare(kept: Kept, material: Material, listeners: Sequence[Listener]) -> dict[str, Any]:
    """Sets of clips as they are: the test side, those of its cries that the pitch helped to tell, its cries against
    sounds of corpora that nothing was learnt from, and cries by people's word against everything else. One set is not
    as it is: nearly all cries were recorded by telephones, and who knows the telephone is not to pass for who knows
    the cry, so these other sounds are sent through one too.
    """
    others = [*material.others, *material.foreign]
    sets = {
        "test side": (material.cries, material.others),
        "cries that the pitch helped to tell, test side": (material.pitched, material.others),
        "cries by people's word, test side": (material.human, others),
        "cries by people's word, validation side": (material.human_validation, others),
        "test side, against sounds of other origin": (material.cries, material.foreign),
    }
    unique = list({item.path: item for cries, none in sets.values() for item in (*cries, *none)}.values())
    answers = kept.hear("clips", [material.sound(item) for item in unique], listeners)
    at = {item.path: number for number, item in enumerate(unique)}

    def as_they_are(items: Sequence[Item]) -> dict[str, list[Heard]]:
        return {name: [told[at[item.path]] for item in items] for name, told in answers.items()}

    report = {
        name: _set_of(cries, none, as_they_are(cries), as_they_are(none), listeners)
        for name, (cries, none) in sets.items()
    }
    phoned = kept.hear("clips by telephone", [material.by_telephone(item) for item in material.foreign], listeners)
    report["test side, against sounds of other origin by telephone"] = _set_of(
        material.cries, material.foreign, as_they_are(material.cries), phoned, listeners
    )
    return report


def _set_of(
    cries: Sequence[Item],
    none: Sequence[Item],
    of_cries: Mapping[str, Sequence[Heard]],
    of_none: Mapping[str, Sequence[Heard]],
    listeners: Sequence[Listener],
) -> dict[str, Any]:
    """A set of clips and each listener's row. of_cries, of_none: what each listener said, by its name."""
    items = [*cries, *none]
    return {
        "cries": len(cries),
        "cry_groups": len({item.group for item in cries}),
        "others": len(none),
        "groups": len({item.group for item in items}),
        "rows": [
            row_of(scoring, items, [*of_cries[scoring.listener.name], *of_none[scoring.listener.name]])
            for scoring in scorings(listeners)
        ]
        if cries and none
        else [],
    }


def row_of(scoring: Scoring, items: Sequence[Item], answers: Sequence[Heard]) -> dict[str, Any]:
    """Summarise one way of scoring on cries and others, with intervals over groups (`trainer.evaluation.metrics`)."""
    scores, positive = scoring.of(answers), np.array([item.cries for item in items])
    groups = np.array([item.group for item in items])
    drawn, babies = Rounds(groups), len(np.unique(groups[positive]))
    start = scoring.listener.rules.start_threshold
    up = scores >= start
    return {
        "name": scoring.name,
        "listener": scoring.listener.name,
        "auc": drawn.told(drawn.roc_area(scores, positive)),
        "found": {
            f"{share:g}": widened(drawn.told(drawn.found_at(scores, positive, share)), babies) for share in FALSE_SHARES
        },
        "thresholds": {f"{share:g}": threshold(scores[~positive], share) for share in FALSE_SHARES},
        "start": start,
        "found_at_start": share_of(drawn, groups, up, positive),
        "raised_at_start": share_of(drawn, groups, up, ~positive),
        "roc": roc_curve(scores, positive),
        "roc_low": low_corner(scores, positive),
    }


def threshold(negatives: Scores, false_share: float) -> float:
    """Above it is at most this share of them: what `trainer.evaluation.metrics.found_at` compares with, never to be
    rounded: a score that many share would end up on the other side of it.
    """
    ordered = np.sort(negatives)[::-1]
    return float(ordered[min(int(false_share * ordered.size), ordered.size - 1)])


def share_of(
    drawn: Rounds, groups: npt.NDArray[np.str_], hit: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]
) -> dict[str, float | None]:
    """The share of hits among some items, with its interval over groups; see `widened`. groups: those of the items."""
    hits, all_of_them = drawn.sums(np.stack((hit & of, of), 1).astype(float)).T
    shares = np.divide(hits, all_of_them, out=np.full_like(hits, np.nan), where=all_of_them > 0)
    return widened(drawn.told(shares), len(np.unique(groups[of])))


def widened(entry: dict[str, float | None], groups: int) -> dict[str, float | None]:
    """None or all of so many groups: drawing them again would pretend to be sure, so the interval is that of Clopper
    and Pearson (1934), every group counted once.
    """
    edge = 1 - 0.025 ** (1 / groups) if groups else 1.0
    if entry["value"] == 0.0:
        return {"value": 0.0, "low": 0.0, "high": rounded(edge)}
    if entry["value"] == 1.0:
        return {"value": 1.0, "low": rounded(1 - edge), "high": 1.0}
    return entry


def low_corner(scores: Scores, positive: npt.NDArray[np.bool_]) -> list[list[float]]:
    """The left end of the ROC curve, where a monitor has to work: (false share, found share) for each number of false
    ones up to a tenth of the others, at most 60 points.
    """
    negatives = np.sort(scores[~positive])[::-1]
    some = np.unique(np.geomspace(1, max(1, negatives.size // 10), 60).astype(int)) - 1
    points = [[at / negatives.size, float((scores[positive] > negatives[at]).mean())] for at in some]
    return [[round(x, 5), round(y, 4)] for x, y in points]


def under_noise(
    kept: Kept, material: Material, listeners: Sequence[Listener], clean: Mapping[str, Any]
) -> dict[str, Any]:
    """The test side's cries with something under them, at the threshold that 1 % of the clean other clips pass, and
    at each listener's own. clean: what `bare` says of the test side.
    """
    cries, report = material.cries, []
    groups = np.array([item.group for item in cries])
    drawn = Rounds(groups)
    every = np.ones(len(cries), bool)
    for noise in NOISES:
        for snr_db in SNRS_DB:
            sounds = [material.mixed(item, noise, snr_db) for item in cries]
            answers = kept.hear(f"cries under {noise} {snr_db:g} dB", sounds, listeners)
            rows = []
            for scoring, before in zip(scorings(listeners), clean["rows"], strict=True):
                scores = scoring.of(answers[scoring.listener.name])
                rows.append(
                    {
                        "name": scoring.name,
                        "listener": scoring.listener.name,
                        "found": share_of(drawn, groups, scores > before["thresholds"]["0.01"], every),
                        "found_at_start": share_of(drawn, groups, scores >= before["start"], every),
                    }
                )
            report.append({"noise": noise, "snr_db": snr_db, "rows": rows})
    clean_rows = {row["name"]: row["found"]["0.01"] for row in clean["rows"]}
    return {"cries": len(cries), "clean": clean_rows, "conditions": report}


def alone(kept: Kept, material: Material, listeners: Sequence[Listener], made: Sequence[Item]) -> dict[str, Any]:
    """Every sound that is no cry, played alone in a quiet room: how many raise an alert by each listener's own rule."""
    items = [*material.others, *material.foreign, *made]
    answers = kept.hear("played alone", [material.alone(item) for item in items], listeners)
    alarmed = {
        one.name: np.array([bool(alerts_of(said, one.rules)) for said in answers[one.name]]) for one in listeners
    }
    top = {one.name: np.array([highest(said) for said in answers[one.name]]) for one in listeners}

    def told(members: Sequence[int]) -> dict[str, Any]:
        groups = np.array([items[at].group for at in members])
        drawn = Rounds(groups)
        every = np.ones(len(members), bool)
        return {
            "sounds": len(members),
            "groups": drawn.groups,
            "alarms": {name: int(hit[list(members)].sum()) for name, hit in alarmed.items()},
            "share": {name: share_of(drawn, groups, hit[list(members)], every) for name, hit in alarmed.items()},
            "highest": {name: rounded(some[list(members)].max()) for name, some in top.items()},
        }

    def by(kinds: Sequence[str | None]) -> dict[str, Any]:
        names = sorted({name for name in kinds if name is not None})
        return {name: told([at for at, kind in enumerate(kinds) if kind == name]) for name in names}

    real = len(items) - len(made)
    kinds = [named_kind(item) for item in items]
    named = {}
    for kind in NAMED_KINDS:
        members = [at for at, one in enumerate(kinds) if one == kind]
        if some := [at for at in members if at < real]:
            named[kind] = told(some)
        elif members:
            named[f"{kind} (made)"] = told(members)
    origins = ["test side"] * len(material.others) + ["evaluation only"] * len(material.foreign) + ["made"] * len(made)
    return {
        "named": named,
        "made": by([item.kind if at >= real else None for at, item in enumerate(items)]),
        "kinds": by([item.kind if at < real else None for at, item in enumerate(items)]),
        "origins": by(origins),
        "worst": [
            {"path": items[at].path, "kind": items[at].kind, "highest": rounded(top[listeners[0].name][at])}
            for at in np.argsort(-top[listeners[0].name], kind="stable")[:15].tolist()
            if alarmed[listeners[0].name][at]
        ],
    }
