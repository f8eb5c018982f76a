"""Single clips: how many cries are found at which false positive rate, clean and under noise, and which sounds alone
raise an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.hearing.material import NAMED_KINDS, Item, Material, named_kind
from trainer.evaluation.answer_cache import AnswerCache
from trainer.evaluation.listeners import Listener, Ours
from trainer.evaluation.metrics import ClusterBootstrap, rounded, widened
from trainer.evaluation.night_outcomes import ScoreSeries, alerts_from
from trainer.evaluation.summary import roc_curve

Scores = npt.NDArray[np.float64]

FALSE_SHARES = (0.01, 0.001)
NOISES = ("white noise", "fan", "television", "music")
SNRS_DB = (10.0, 0.0, -5.0)


def highest(scores: ScoreSeries) -> float:
    """The highest score of a clip, as in `core.model.score_file.Verdict`."""
    return float(scores.crying.max())


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a listener's scores over a clip become one: the `highest`."""

    name: str
    listener: Listener

    def of(self, answers: Sequence[ScoreSeries]) -> Scores:
        """One score per clip, (clips,)."""
        return np.array([highest(scores) for scores in answers])


def scorings(listeners: Sequence[Listener]) -> list[Scoring]:
    """One for each listener."""
    return [
        Scoring(f"{listener.name}, highest {'window' if isinstance(listener, Ours) else 'score'}", listener)
        for listener in listeners
    ]


def bare(cache: AnswerCache, material: Material, listeners: Sequence[Listener]) -> dict[str, Any]:
    """Sets of unaltered clips, each with a row per listener.

    The test side; those of its cries that the pitch of the voice helped to label; its cries against sounds of corpora
    that nothing was learnt from; and cries labelled by people against everything else. One set is altered: nearly all
    cries were recorded by telephones, and recognising a telephone must not pass for recognising a cry, so there the
    other sounds are sent through one too.
    """
    others = [*material.others, *material.foreign]
    sets = {
        "test side": (material.cries, material.others),
        "cries that the pitch helped to tell, test side": (material.pitched, material.others),
        "cries by people's word, test side": (material.human, others),
        "cries by people's word, validation side": (material.human_validation, others),
        "test side, against sounds of other origin": (material.cries, material.foreign),
    }
    unique = list({item.path: item for cries, negatives in sets.values() for item in (*cries, *negatives)}.values())
    answers = cache.scores("clips", [material.sound(item) for item in unique], listeners)
    index_of = {item.path: index for index, item in enumerate(unique)}

    def unaltered(items: Sequence[Item]) -> dict[str, list[ScoreSeries]]:
        return {name: [scores[index_of[item.path]] for item in items] for name, scores in answers.items()}

    report = {
        name: _set_of(cries, negatives, unaltered(cries), unaltered(negatives), listeners)
        for name, (cries, negatives) in sets.items()
    }
    phoned = cache.scores("clips by telephone", [material.by_telephone(item) for item in material.foreign], listeners)
    report["test side, against sounds of other origin by telephone"] = _set_of(
        material.cries, material.foreign, unaltered(material.cries), phoned, listeners
    )
    return report


def _set_of(
    cries: Sequence[Item],
    negatives: Sequence[Item],
    of_cries: Mapping[str, Sequence[ScoreSeries]],
    of_negatives: Mapping[str, Sequence[ScoreSeries]],
    listeners: Sequence[Listener],
) -> dict[str, Any]:
    """A set of clips and each listener's row. of_cries, of_negatives: scores of the clips, by listener."""
    items = [*cries, *negatives]
    return {
        "cries": len(cries),
        "cry_groups": len({item.group for item in cries}),
        "others": len(negatives),
        "groups": len({item.group for item in items}),
        "rows": [
            row_of(scoring, items, [*of_cries[scoring.listener.name], *of_negatives[scoring.listener.name]])
            for scoring in scorings(listeners)
        ]
        if cries and negatives
        else [],
    }


def row_of(scoring: Scoring, items: Sequence[Item], answers: Sequence[ScoreSeries]) -> dict[str, Any]:
    """The figures of one way of scoring on cries and others, with intervals over groups."""
    scores, positive = scoring.of(answers), np.array([item.cries for item in items])
    groups = np.array([item.group for item in items])
    bootstrap, babies = ClusterBootstrap(groups), len(np.unique(groups[positive]))
    start = scoring.listener.rules.start_threshold
    raised = scores >= start
    return {
        "name": scoring.name,
        "listener": scoring.listener.name,
        "auc": bootstrap.estimate(bootstrap.roc_area(scores, positive)),
        "found": {
            f"{share:g}": widened(bootstrap.estimate(bootstrap.recall_at(scores, positive, share)), babies)
            for share in FALSE_SHARES
        },
        "thresholds": {f"{share:g}": threshold(scores[~positive], share) for share in FALSE_SHARES},
        "start": start,
        "found_at_start": share_of(bootstrap, groups, raised, positive),
        "raised_at_start": share_of(bootstrap, groups, raised, ~positive),
        "roc": roc_curve(scores, positive),
        "roc_low": low_corner(scores, positive),
    }


def threshold(negatives: Scores, false_share: float) -> float:
    """The threshold that at most this share of the negatives exceeds, as in `trainer.evaluation.metrics.recall_at`.

    It must never be rounded: a score that many clips share would end up on its other side.
    """
    ordered = np.sort(negatives)[::-1]
    return float(ordered[min(int(false_share * ordered.size), ordered.size - 1)])


def share_of(
    bootstrap: ClusterBootstrap, groups: npt.NDArray[np.str_], hit: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]
) -> dict[str, float | None]:
    """The share of hits among the items `of`, with its interval over groups; see `widened`. All are (N,)."""
    hits, counts = bootstrap.sums(np.stack((hit & of, of), 1).astype(float)).T
    shares = np.divide(hits, counts, out=np.full_like(hits, np.nan), where=counts > 0)
    return widened(bootstrap.estimate(shares), len(np.unique(groups[of])))


def low_corner(scores: Scores, positive: npt.NDArray[np.bool_]) -> list[list[float]]:
    """The left end of the ROC curve, where a monitor has to work, in at most 60 points (false positive rate, recall).

    One point for each count of false positives, up to a tenth of the negatives.
    """
    negatives = np.sort(scores[~positive])[::-1]
    counts = np.unique(np.geomspace(1, max(1, negatives.size // 10), 60).astype(int)) - 1
    points = [[count / negatives.size, float((scores[positive] > negatives[count]).mean())] for count in counts]
    return [[round(x, 5), round(y, 4)] for x, y in points]


def under_noise(
    cache: AnswerCache, material: Material, listeners: Sequence[Listener], clean: Mapping[str, Any]
) -> dict[str, Any]:
    """The test side's cries with noise under them, at the threshold that 1 % of the clean other clips pass and at each
    listener's own. clean: the test side's set from `bare`.
    """
    cries, report = material.cries, []
    groups = np.array([item.group for item in cries])
    bootstrap = ClusterBootstrap(groups)
    every = np.ones(len(cries), bool)
    for noise in NOISES:
        for snr_db in SNRS_DB:
            sounds = [material.mixed(item, noise, snr_db) for item in cries]
            answers = cache.scores(f"cries under {noise} {snr_db:g} dB", sounds, listeners)
            rows = []
            for scoring, before in zip(scorings(listeners), clean["rows"], strict=True):
                scores = scoring.of(answers[scoring.listener.name])
                rows.append(
                    {
                        "name": scoring.name,
                        "listener": scoring.listener.name,
                        "found": share_of(bootstrap, groups, scores > before["thresholds"]["0.01"], every),
                        "found_at_start": share_of(bootstrap, groups, scores >= before["start"], every),
                    }
                )
            report.append({"noise": noise, "snr_db": snr_db, "rows": rows})
    clean_rows = {row["name"]: row["found"]["0.01"] for row in clean["rows"]}
    return {"cries": len(cries), "clean": clean_rows, "conditions": report}


def alone(
    cache: AnswerCache, material: Material, listeners: Sequence[Listener], synthetic_items: Sequence[Item]
) -> dict[str, Any]:
    """Sounds without a cry, each alone in a quiet room: how many raise an alert by each listener's own rule."""
    items = [*material.others, *material.foreign, *synthetic_items]
    answers = cache.scores("played alone", [material.alone(item) for item in items], listeners)
    alarmed = {
        listener.name: np.array([bool(alerts_from(scores, listener.rules)) for scores in answers[listener.name]])
        for listener in listeners
    }
    top = {listener.name: np.array([highest(scores) for scores in answers[listener.name]]) for listener in listeners}

    def figures(members: Sequence[int]) -> dict[str, Any]:
        groups = np.array([items[index].group for index in members])
        bootstrap = ClusterBootstrap(groups)
        every = np.ones(len(members), bool)
        return {
            "sounds": len(members),
            "groups": bootstrap.groups,
            "alarms": {name: int(hit[list(members)].sum()) for name, hit in alarmed.items()},
            "share": {name: share_of(bootstrap, groups, hit[list(members)], every) for name, hit in alarmed.items()},
            "highest": {name: rounded(scores[list(members)].max()) for name, scores in top.items()},
        }

    def figures_by(kinds: Sequence[str | None]) -> dict[str, Any]:
        names = sorted({name for name in kinds if name is not None})
        return {name: figures([index for index, kind in enumerate(kinds) if kind == name]) for name in names}

    real = len(items) - len(synthetic_items)
    kinds = [named_kind(item) for item in items]
    named = {}
    for kind in NAMED_KINDS:
        members = [index for index, item_kind in enumerate(kinds) if item_kind == kind]
        if real_members := [index for index in members if index < real]:
            named[kind] = figures(real_members)
        elif members:
            named[f"{kind} (made)"] = figures(members)
    origins = (
        ["test side"] * len(material.others)
        + ["evaluation only"] * len(material.foreign)
        + ["made"] * len(synthetic_items)
    )
    return {
        "named": named,
        "made": figures_by([item.kind if index >= real else None for index, item in enumerate(items)]),
        "kinds": figures_by([item.kind if index < real else None for index, item in enumerate(items)]),
        "origins": figures_by(origins),
        "worst": [
            {"path": items[index].path, "kind": items[index].kind, "highest": rounded(top[listeners[0].name][index])}
            for index in np.argsort(-top[listeners[0].name], kind="stable")[:15].tolist()
            if alarmed[listeners[0].name][index]
        ],
    }
