"""Figures against scikit-learn and against cases worked out by hand; intervals that deserve the name."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as reference

from babymonitor.core.labels import two_sided
from trainer.evaluation import metrics
from trainer.evaluation.summary import balanced_calibration_error, figures_of, mean_over_clips, roc_curve

LABELS = ("angry", "calm", "happy", "sad")


def drawn(
    seed: int, groups: int, per_group: int, spread: float = 0.0, labels: int = 4
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.str_]]:
    """Judgements that are right about as often as not; spread: by how much groups differ in that."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(groups), per_group)
    truth = rng.integers(labels, size=len(member))
    logits = rng.normal(0, 1, (len(member), labels))
    logits[np.arange(len(member)), truth] += 1.2 + spread * rng.normal(0, 1, groups)[member]
    rows = np.exp(logits)
    return rows / rows.sum(1, keepdims=True), truth, np.array([f"speaker {number}" for number in member])


def test_every_figure_is_what_scikit_learn_says() -> None:
    rows, truth, groups = drawn(1, 12, 40)
    figures = figures_of(rows, truth, groups, LABELS, rounds=20)
    guess = rows.argmax(1)
    assert figures["accuracy"]["value"] == pytest.approx(reference.accuracy_score(truth, guess), abs=1e-4)
    balanced = reference.balanced_accuracy_score(truth, guess)
    assert figures["balanced_accuracy"]["value"] == pytest.approx(balanced, abs=1e-4)
    assert figures["macro_f1"]["value"] == pytest.approx(reference.f1_score(truth, guess, average="macro"), abs=1e-4)
    precision, recall, f1, support = reference.precision_recall_fscore_support(truth, guess)
    for column, row in enumerate(figures["per_label"]):
        expected = (
            precision[column],
            recall[column],
            f1[column],
            reference.roc_auc_score(truth == column, rows[:, column]),
        )
        actual = [row[name]["value"] for name in ("precision", "recall", "f1", "auc")]
        assert actual == pytest.approx(expected, abs=1e-4)
        assert (row["label"], row["items"], row["groups"]) == (LABELS[column], support[column], 12)
    assert figures["confusion"] == reference.confusion_matrix(truth, guess).tolist()
    assert figures["macro_auc"]["value"] == pytest.approx(
        reference.roc_auc_score(truth, rows, multi_class="ovr"), abs=1e-4
    )
    assert (figures["items"], figures["groups"], figures["chance"]) == (480, 12, 0.25)


def test_values_are_fit_for_json() -> None:
    figures = figures_of(*drawn(1, 3, 5), LABELS, rounds=20)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_what_is_confused_and_how_honest_it_is_by_hand() -> None:
    rows = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.35, 0.65]])
    truth = np.array([0, 0, 1, 1, 0])
    figures = figures_of(rows, truth, np.array(list("abcde")), ("dog", "cat"), rounds=50)
    assert figures["confusion"] == [[2, 1], [1, 1]]
    assert figures["confusions"] == [
        {"was": "dog", "said": "cat", "items": 1, "share": 0.3333},
        {"was": "cat", "said": "dog", "items": 1, "share": 0.5},
    ]
    # Bins: 0.6 to 0.7 holds 0.6 (right) and 0.65 (wrong), 0.7 a wrong one, 0.8 and 0.9 a right one each.
    bins = [
        (bin_["from"], bin_["items"], bin_["confidence"], bin_["right"]["value"]) for bin_ in figures["reliability"]
    ]
    assert bins == [(0.6, 2, 0.625, 0.5), (0.7, 1, 0.7, 0.0), (0.8, 1, 0.8, 1.0), (0.9, 1, 0.9, 1.0)]
    assert figures["calibration_error"]["value"] == pytest.approx((0.25 + 0.7 + 0.2 + 0.1) / 5, abs=1e-4)


def test_the_same_input_gives_the_same_intervals() -> None:
    assert figures_of(*drawn(2, 6, 20), LABELS, rounds=50) == figures_of(*drawn(2, 6, 20), LABELS, rounds=50)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """The truth: the mean over very many groups. Not quite as often, for groups draw their labels too."""
    rows, truth, groups = drawn(99, 3000, 10, spread=0.8)
    known = figures_of(rows, truth, groups, LABELS, rounds=0)
    hit = {"balanced_accuracy": 0, "macro_auc": 0, "calibration_error": 0}
    trials = 60
    for seed in range(trials):
        figures = figures_of(*drawn(seed, 24, 10, spread=0.8), LABELS, rounds=200)
        for name in hit:
            hit[name] += figures[name]["low"] <= known[name]["value"] <= figures[name]["high"]
    assert hit["balanced_accuracy"] >= 0.85 * trials
    assert hit["macro_auc"] >= 0.85 * trials
    assert hit["calibration_error"] >= 0.7 * trials  # few items make any calibration look worse than it is


def test_few_groups_make_wide_intervals() -> None:
    def width(figures: dict[str, Any]) -> float:
        return float(figures["balanced_accuracy"]["high"] - figures["balanced_accuracy"]["low"])

    many = [width(figures_of(*drawn(seed, 100, 8, spread=1.0), LABELS, rounds=200)) for seed in range(8)]
    few = [width(figures_of(*drawn(seed, 8, 100, spread=1.0), LABELS, rounds=200)) for seed in range(8)]
    assert np.mean(few) > 1.5 * np.mean(many)


def test_rounds_are_the_bootstrap_written_out() -> None:
    """Areas too, though beyond 2,000 ranks the rounds round."""
    rows, truth, groups = drawn(4, 10, 250)
    figures = figures_of(rows, truth, groups, LABELS, rounds=100, seed=5)
    picks = np.random.default_rng(5).integers(10, size=(100, 10))
    names = np.unique(groups)
    accuracies, areas = [], []
    for pick in picks:
        chosen = np.concatenate([np.flatnonzero(groups == names[group]) for group in pick])
        accuracies.append(reference.balanced_accuracy_score(truth[chosen], rows[chosen].argmax(1)))
        areas.append(reference.roc_auc_score(truth[chosen] == 2, rows[chosen, 2]))
    for entry, values in ((figures["balanced_accuracy"], accuracies), (figures["per_label"][2]["auc"], areas)):
        low, high = np.percentile(values, metrics.tails(10))
        assert (entry["low"], entry["high"]) == pytest.approx((low, high), abs=6e-4)


@pytest.mark.parametrize("false_share", [0.0, 0.02, 0.3])
def test_what_is_found_in_each_round_is_what_its_own_threshold_lets_through(false_share: float) -> None:
    rows, truth, groups = drawn(4, 10, 50)
    scores, positive = np.round(rows[:, 2], 2), truth == 2  # ties too
    shares = metrics.ClusterBootstrap(groups, 60, seed=5).recall_at(scores, positive, false_share)
    assert shares[0] == metrics.recall_at(scores, positive, false_share)
    names = np.unique(groups)
    for share, pick in zip(shares[1:], np.random.default_rng(5).integers(10, size=(60, 10)), strict=True):
        chosen = np.concatenate([np.flatnonzero(groups == names[group]) for group in pick])
        assert share == pytest.approx(metrics.recall_at(scores[chosen], positive[chosen], false_share))


def test_one_group_gives_values_and_no_interval() -> None:
    figures = figures_of(*drawn(3, 1, 30), LABELS)
    assert figures["accuracy"]["value"] is not None
    assert figures["accuracy"]["low"] is None
    assert figures["per_label"][0]["auc"]["high"] is None


def test_a_label_that_never_occurs_is_not_told_and_counts_for_nothing() -> None:
    rows, truth, groups = drawn(3, 6, 30, labels=3)
    rows = np.hstack((0.9 * rows, np.full((len(rows), 1), 0.1)))
    figures = figures_of(rows, truth, groups, LABELS, rounds=30)
    absent = figures["per_label"][3]
    assert [absent[name]["value"] for name in ("recall", "f1", "auc")] == [None, None, None]
    assert (absent["items"], figures["roc"][3], figures["chance"]) == (0, None, 0.3333)
    expected = reference.recall_score(truth, rows.argmax(1), labels=[0, 1, 2], average="macro")
    assert figures["balanced_accuracy"]["value"] == pytest.approx(expected, abs=1e-4)


def test_shapes_that_do_not_go_together_are_refused() -> None:
    rows, truth, groups = drawn(3, 2, 3)
    with pytest.raises(ValueError, match="do not go together"):
        figures_of(rows, truth[:-1], groups, LABELS)
    with pytest.raises(ValueError, match="nothing to judge"):
        figures_of(rows[:0], truth[:0], groups[:0], LABELS)


@pytest.mark.parametrize("size", [2, 30, 3000])
def test_roc_curve_is_thin_and_keeps_its_area(size: int) -> None:
    rng = np.random.default_rng(size)
    positive = np.arange(size) % 2 == 0
    scores = np.round(rng.normal(0, 1, size) + positive, 2)  # ties too
    curve = roc_curve(scores, positive)
    assert curve is not None
    assert len(curve) <= 40
    assert curve[0] == [0, 0]
    assert curve[-1] == [1, 1]
    x, y = np.array(curve).T
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    assert np.trapezoid(y, x) == pytest.approx(reference.roc_auc_score(positive, scores), abs=0.01)


def test_crying_is_told_of_the_monitors_labels_alone() -> None:
    assert two_sided(("hungry", "sad", "background"))
    assert not two_sided(("sad", "happy", "neutral"))  # acted emotions: nobody cries for being sad
    assert not two_sided(("rain", "background"))
    rows, truth, groups = drawn(6, 8, 20)
    figures = figures_of(rows, truth, groups, ("hungry", "sad", "happy", "background"), rounds=20)
    expected = reference.roc_auc_score(truth < 2, rows[:, :2].sum(1))
    assert figures["crying"]["auc"]["value"] == pytest.approx(expected, abs=1e-4)
    recall = metrics.recall_at(rows[:, :2].sum(1), truth < 2, 0.01)
    assert figures["crying"]["found_at_1_percent"]["value"] == pytest.approx(recall, abs=1e-4)
    assert figures["crying"]["items"] == int((truth < 2).sum())
    assert "crying" not in figures_of(rows, truth, groups, LABELS, rounds=5)


def test_a_clip_is_the_mean_of_its_windows_and_one_of_two_labels_is_left_out() -> None:
    rows = np.array([[0.8, 0.2], [0.1, 0.9], [0.6, 0.4], [0.6, 0.4], [0.3, 0.7]])
    truth = np.array([0, 1, 0, 0, 1])
    clips = np.array(["b", "mixed", "b", "mixed", "a"])
    groups = np.array(["one", "two", "one", "two", "three"])
    means, labels, who, names = mean_over_clips(rows, truth, groups, clips)
    assert names.tolist() == ["a", "b"]
    assert means == pytest.approx(np.array([[0.3, 0.7], [0.7, 0.3]]))
    assert labels.tolist() == [1, 0]
    assert who.tolist() == ["three", "one"]


def test_a_thousand_rounds_over_five_thousand_items_take_seconds() -> None:
    rows, truth, groups = drawn(7, 5000, 1, labels=8)
    began = time.process_time()
    figures_of(rows, truth, groups, tuple("abcdefgh"))
    assert time.process_time() - began < 6  # 1.3 on an idle machine


def test_calibration_where_every_label_counts_alike() -> None:
    """Nine of ten are "a", of which it is always sure by half; both labels found half of the time: 0.5 means 0.5."""
    rows = np.array([[0.5, 0.5 - 1e-9], [0.5 - 1e-9, 0.5]] * 10)
    truth = np.array([0] * 18 + [1] * 2)
    groups = np.array([str(number % 5) for number in range(20)])
    assert balanced_calibration_error(rows, truth, groups)["value"] == pytest.approx(0.0, abs=1e-6)
    always_the_frequent_one = np.tile([0.9, 0.1], (20, 1))
    error = balanced_calibration_error(always_the_frequent_one, truth, groups)["value"]
    assert error == pytest.approx(0.4), "right about every second, where both are as frequent"
    unbalanced = figures_of(always_the_frequent_one, truth, groups, ["a", "b"])
    assert unbalanced["calibration_error"]["value"] == pytest.approx(0.0, abs=1e-6)
