"""The ear from a backbone to a file: what its outputs are, what evidence learns, what is left out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from made_data import write_manifest
from plain_evidence import evidence

from babymonitor.core.labels import LABELS
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.evidence import Evidence
from babymonitor.core.model.sounds import KINDS
from trainer.audio import synthetic
from trainer.backbone.tagger import BABY_CRY, SoundTagger, mean_backbone
from trainer.data.dataset import Clip, Span
from trainer.ear.evidence_fit import fit_evidence
from trainer.ear.kinds import GROUPS
from trainer.ear.labelled import read_labelled
from trainer.ear.material import UNASKED, HeardSound, hear, heard_clip
from trainer.ear.model_file import write_ear
from trainer.ear.network import EAR_LABELS, EarNetwork
from trainer.ear.reasons import fit_reasons
from trainer.errors import DataError
from trainer.networks.yamnet import CLASSES

COLUMNS = 1 + len(GROUPS)


@pytest.fixture(scope="module")
def network() -> EarNetwork:
    torch.manual_seed(2)
    tagger = SoundTagger()
    torch.nn.init.normal_(tagger.dense.weight, std=0.3)
    return EarNetwork(tagger).eval()


@pytest.fixture(scope="module")
def file(network: EarNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ear") / "ear.onnx"
    write_ear(path, network, believing_now(), {"start": 0.5, "end": 0.3, "minimum_seconds": 0.0})
    return path


def believing_now() -> Evidence:
    """Evidence that answers with the newest window's own P(crying)."""
    return evidence(len(GROUPS), crying=(1, 0, 0, 0, 0, 0))


def test_every_sound_has_classes_of_its_own_and_a_person_is_told_of_known_ones_only() -> None:
    classes = [index for group in GROUPS.values() for index in group]
    assert len(classes) == len(set(classes))
    assert set(classes) < set(range(CLASSES))
    assert BABY_CRY not in classes, "crying reaches evidence as the file's own P(crying)"
    assert set(KINDS) <= set(GROUPS)


@torch.no_grad()
def test_the_file_answers_as_the_backbone_does(network: EarNetwork, file: Path) -> None:
    classifier = Classifier(file)
    assert file.stat().st_size < 5_000_000
    assert classifier.labels == tuple(LABELS)
    window = np.random.default_rng(1).normal(-2, 1, (64, 96)).astype(np.float32)
    answer = classifier.answer(window)
    logits = network.tagger(torch.from_numpy(window.T.copy())[None, None])[0]
    assert classifier.crying(answer.probabilities) == pytest.approx(float(torch.sigmoid(logits[BABY_CRY])), abs=0.05)
    for name, value in zip(GROUPS, answer.sounds, strict=True):
        expected = float(logits[list(GROUPS[name])].max().clamp(-9, 9))
        assert value == pytest.approx(expected, abs=0.3), name
    assert answer.probabilities.sum() == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
def test_reasons_do_not_change_whether_it_cries(network: EarNetwork) -> None:
    window = torch.randn(2, 64, 96)
    before, _ = network(window)
    network.head.weight[network.crying_at] = torch.randn(len(network.crying_at), network.head.in_features)
    after, _ = network(window)
    network.head.weight.zero_()
    crying = network.crying_at
    assert torch.allclose(before[:, crying].sum(1), after[:, crying].sum(1), atol=1e-6)
    assert torch.allclose(before[:, network.others_at], after[:, network.others_at], atol=1e-6)
    assert not torch.allclose(before[:, crying], after[:, crying])


def test_clips_are_heard_as_the_monitor_hears_them(file: Path) -> None:
    classifier = Classifier(file)
    rng = np.random.default_rng(0)
    wave = synthetic.cry(rng, 5 * 16000)
    rows, ends = hear(classifier, (wave,))
    assert rows.shape == (len(ends), COLUMNS)
    assert np.diff(ends).tolist() == [classifier.card.hop_samples] * (len(ends) - 1)
    clip = Clip("a.wav", "baby", spans=(Span(1.0, 3.0, "sad"), Span(3.0, 5.0, "background")))
    sound = heard_clip(classifier, clip, wave)
    assert sound is not None
    seconds = ends / 16000
    assert set(sound.crying[seconds < 1.35].tolist()) == {UNASKED}
    assert set(sound.crying[(seconds > 1.4) & (seconds < 3.1)].tolist()) == {1}
    assert 0 not in sound.crying[seconds < 4.0]
    assert heard_clip(classifier, clip, wave[:100]) is None


def made_night(rng: np.random.Generator, windows: int = 600) -> HeardSound:
    """Cries that repeat, and shrieks that do not: alike in any single window."""
    rows = np.full((windows, COLUMNS), -6.0, np.float32) + rng.normal(0, 0.3, (windows, COLUMNS)).astype(np.float32)
    crying = np.zeros(windows, np.int8)
    for start in range(40, windows - 60, 100):
        rows[start : start + 2, 0] = 3.0
    for start in range(90, windows - 60, 100):
        for place in range(start, start + 30, 5):
            rows[place : place + 3, 0] = 3.0
        crying[start + 6 : start + 30] = 1
        crying[start : start + 6] = UNASKED
        crying[start + 30 : start + 54] = UNASKED
    return HeardSound(rows, crying, np.arange(windows) * 4160, "made")


def test_evidence_learns_that_crying_repeats() -> None:
    rng = np.random.default_rng(5)
    fitted = fit_evidence([made_night(rng) for _ in range(4)], steps=400)
    night = made_night(rng)
    crying = fitted.of_windows(night.rows)
    assert (fitted.crying >= 0).all()
    assert (fitted.sounds >= 0).all()
    assert crying[night.crying == 1].mean() > 0.5
    assert np.quantile(crying[night.crying == 0], 0.9) < 0.3
    shrieks, cries = crying[40:42].max(), crying[night.crying == 1].max()
    assert cries > shrieks + 0.3
    again = fit_evidence([made_night(np.random.default_rng(5))], steps=20)
    assert np.array_equal(again.crying, fit_evidence([made_night(np.random.default_rng(5))], steps=20).crying)


def test_reasons_that_are_not_in_the_voice_stay_at_chance(network: EarNetwork) -> None:
    rng = np.random.default_rng(1)
    babies = np.repeat(np.arange(40), 5).astype(str)
    labels = np.repeat(np.array(["hungry", "pain", "tired", "sad"]), 50)
    embeddings = (rng.normal(size=(40, 16)).repeat(5, 0) + 0.3 * rng.normal(size=(200, 16))).astype(np.float32)
    figures = fit_reasons(embeddings, labels, babies, EAR_LABELS[:4]).figures
    assert figures["balanced_accuracy"]["low"] < 0.25 < figures["balanced_accuracy"]["high"]
    network.take_reasons(fit_reasons(embeddings, labels, babies, EAR_LABELS[:4]))
    probabilities, _ = network(torch.randn(3, 64, 96))
    unclear = probabilities[:, EAR_LABELS.index("sad")] / probabilities[:, network.crying_at].sum(1)
    assert unclear.detach().numpy() == pytest.approx(0.9, abs=0.03), "then it is called unclear"
    voiced = embeddings.copy()
    voiced[np.arange(200), np.arange(200) // 50] += 6.0
    reasons = fit_reasons(voiced, labels, babies, EAR_LABELS[:4])
    assert reasons.beat_chance
    assert reasons.figures["balanced_accuracy"]["low"] > 0.5
    assert ((voiced @ reasons.weights.T + reasons.offset).argmax(1) == np.arange(200) // 50).mean() > 0.9


def test_labels_say_whether_it_cries_and_what_is_left_out_is_judged(tmp_path: Path) -> None:
    root, rng, rows = tmp_path / "data", np.random.default_rng(0), []
    for path, label, group in (
        ("third/a/baby_cry/1.wav", "baby_cry", "a"),
        ("home/1.wav", "baby_cry_candidate", "b"),
        ("home/2.wav", "baby_cry_candidate", "c"),
        ("cats/1.wav", "cat", "d"),
        ("laugh/1.wav", "baby_laugh", "e"),
        ("fuss/1.wav", "baby_fuss", "f"),
        ("copy/1.wav", "cat", "g"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / path, synthetic.noise(rng, 32000), 16000)
        values = {"path": path, "use": "train", "source": "made", "label": label}
        rows.append({**values, "detail": "", "group": group, "licence": ""})
    (root / "copy/1.wav").write_bytes((root / "third/a/baby_cry/1.wav").read_bytes())
    write_manifest(root, rows)
    segments = tmp_path / "segments.csv"
    segments.write_text(
        "path,start_seconds,end_seconds,label,sound,confidence,teacher\nhome/1.wav,0.5,1.5,hungry,crying,0.9,yamnet\n",
        encoding="utf-8",
    )
    clips = read_labelled(root, segments, tmp_path / "cache", ["third/*"])
    learnt = {clip.path: [span.label for span in clip.spans] for clip in clips.learnt}
    assert learnt == {"home/1.wav": ["hungry"], "cats/1.wav": ["background"], "laugh/1.wav": ["happy"]}
    assert [clip.path for clip in clips.judged] == ["third/a/baby_cry/1.wav"]


def test_weights_are_averaged_and_a_file_without_them_is_refused(tmp_path: Path, made_weights: Path) -> None:
    published = mean_backbone([], made_weights, 1.0)
    other = SoundTagger()
    torch.save(other.state_dict(), tmp_path / "a.pt")
    mean = mean_backbone([tmp_path / "a.pt"], made_weights, 0.25)
    for name, value in mean.state_dict().items():
        assert torch.allclose(value, 0.25 * published.state_dict()[name] + 0.75 * other.state_dict()[name])
    torch.save({"something": 1}, tmp_path / "b.pt")
    with pytest.raises(DataError, match="holds no backbone"):
        mean_backbone([tmp_path / "b.pt"], made_weights, 0.0)
