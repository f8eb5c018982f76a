"""Learning from a teacher: the real YAMNet is asked about each window, and is not part of the written model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.features import fit_frames, front_end
from babymonitor.core.sound.wave import Wave
from trainer.__main__ import main
from trainer.audio import synthetic
from trainer.audio.augment import NIGHT, PLAIN, Strength
from trainer.data.decoded_audio import DecodedAudio, trim_to_audio
from trainer.data.readers import load
from trainer.data.split import Division, split
from trainer.errors import DataError
from trainer.labelling.yamnet_teacher import BABY_CRY, CLASSES, Teacher
from trainer.networks import FAMILIES
from trainer.networks.heads import TwoLevel
from trainer.training.loop import lesson_loss
from trainer.training.recipe import Recipe
from trainer.training.request import TrainingRequest
from trainer.training.train import train
from trainer.windows.sampler import UNLABELLED_SHARE, WindowSampler

SPEECH = 0


@pytest.fixture
def yamnet(shared_data: Path) -> Path:
    pytest.importorskip("ai_edge_litert")
    return shared_data.parent / "peers" / "yamnet" / "yamnet.tflite"


def test_it_distinguishes_a_cry_from_speech(yamnet: Path, shared_data: Path, tmp_path: Path) -> None:
    data = load(shared_data)
    clips = [
        clip for kind in ("esc10/baby_cry", "emodb") for clip in [c for c in data.clips if c.path.startswith(kind)][:3]
    ]
    audio, teacher = DecodedAudio(replace(data, clips=tuple(clips)), tmp_path, codecs=False), Teacher(yamnet)
    scores = {clip.path: teacher.window_scores(audio.read(clip.path)) for clip in clips}
    cries, talk = ([row for path, row in scores.items() if path.startswith(kind)] for kind in ("esc10", "emodb"))
    assert all(row.shape == (CLASSES,) for row in scores.values())
    assert np.mean([row[BABY_CRY] for row in cries]) > 0.3 > np.mean([row[BABY_CRY] for row in talk])
    assert np.mean([row[SPEECH] for row in talk]) > 0.5


def test_all_of_a_window_counts(yamnet: Path) -> None:
    """A sound at the very beginning, in the middle or at the very end of two seconds."""
    teacher = Teacher(yamnet)
    nothing = teacher.window_scores(np.zeros(32000, np.float32))
    for start in (0, 14000, 28000):
        window = np.zeros(32000, np.float32)
        window[start : start + 4000] = synthetic.cry(np.random.default_rng(0), 4000)
        assert np.abs(teacher.window_scores(window) - nothing).max() > 0.1


class RecordingTeacher:
    """A teacher whose scores are all zero, and which records what it was asked about."""

    identity = "overhearing"

    def __init__(self) -> None:
        self.sounds: list[Wave] = []

    def window_scores(self, window: Wave) -> np.ndarray:
        self.sounds.append(window)
        return np.zeros(CLASSES, np.float16)


def sampler_of(folder: Path, cache: Path, strength: Strength, teacher: RecordingTeacher) -> WindowSampler:
    data = split(load(folder), Division())
    audio = DecodedAudio(data, cache, codecs=False)
    front = FAMILIES["cnn_tiny"].front
    known = trim_to_audio(data.side("train"), audio)
    return WindowSampler(known, audio, data.labels, front, strength, 1, teacher=teacher)  # type: ignore[arg-type]


def test_the_teacher_hears_a_window_before_it_is_altered(data_set: Path, tmp_path: Path) -> None:
    bare, noisy = RecordingTeacher(), RecordingTeacher()
    hardly = replace(PLAIN, volume=1e-9)
    first = sampler_of(data_set, tmp_path, hardly, bare).pool(0, 30)
    second = sampler_of(data_set, tmp_path, replace(hardly, noise=1.0), noisy).pool(0, 30)
    spec = FAMILIES["cnn_tiny"].front.features
    for mel, sound in zip(first.mels, bare.sounds, strict=True):
        expected = fit_frames(front_end(sound, spec), mel.shape[1])
        assert np.abs(expected - mel.astype(np.float32)).max() < 0.02, "unaltered, both get the same sound"
    differences = [np.abs(a - b).max() for a, b in zip(bare.sounds, noisy.sounds, strict=True)]
    assert max(differences) == 0, "only the network gets the noise"
    assert np.abs(first.mels.astype(np.float32) - second.mels.astype(np.float32)).mean() > 0.5


def test_for_some_windows_only_the_teacher_says_what_they_are(data_set: Path, tmp_path: Path) -> None:
    drawn = sampler_of(data_set, tmp_path, NIGHT, RecordingTeacher()).pool(0, 200)
    alone = (drawn.targets == 0).all(1)
    assert alone.mean() == pytest.approx(UNLABELLED_SHARE, abs=0.05)
    assert np.allclose(drawn.targets[~alone].sum(1), 1)


def test_unlabelled_sound_does_not_affect_crying_alone_or_mixed_in() -> None:
    two_level = TwoLevel(("hungry", "background"))

    def pull(target: list[float]) -> torch.Tensor:
        """Return the direction in which the loss would move the two logits."""
        logits = torch.tensor([[3.0, -1.0]], requires_grad=True)
        two_level.loss(logits, torch.tensor([target]), 0.1, torch.ones(2)).backward()
        assert logits.grad is not None
        return logits.grad[0]

    assert pull([0.0, 0.0]).abs().sum() == 0
    assert torch.allclose(pull([0.7, 0.0]), 0.7 * pull([1.0, 0.0]), atol=1e-6), "a cry with other sound is a cry"
    assert torch.allclose(pull([0.0, 0.3]), 0.3 * pull([0.0, 1.0]), atol=1e-6)


def test_without_a_teacher_every_window_has_a_label(data_set: Path, tmp_path: Path) -> None:
    drawn = sampler_of(data_set, tmp_path, NIGHT, None).pool(0, 60)  # type: ignore[arg-type]
    assert np.allclose(drawn.targets.sum(1), 1)
    assert drawn.lessons.shape == (60, 0)


def test_the_loss_is_lowest_for_the_teachers_scores() -> None:
    lessons = torch.tensor([[0.9, 0.1], [0.2, 0.5]])
    same = lesson_loss(torch.logit(lessons), lessons)
    assert same < lesson_loss(torch.logit(lessons) + 0.5, lessons)
    assert float(lesson_loss(torch.zeros(2, 2), lessons)) == pytest.approx(2 * np.log(2))


def test_the_written_model_does_not_contain_the_second_head(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, epoch_windows=32, batch=8, reuse=1)
    classifiers = {}
    for name, weight in (("taught", 10.0), ("deaf", 0.0)):
        output, weighted = tmp_path / f"{name}.onnx", replace(recipe, lesson_weight=weight)
        train(
            TrainingRequest([data_set], "cnn_tiny", output, weighted, tmp_path / "cache", codecs=False, teacher=yamnet)
        )
        classifiers[name] = Classifier(output)
    assert classifiers["taught"].card.training["teacher"] == "yamnet.tflite"
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in classifiers]
    assert abs(sizes[0] - sizes[1]) < 20_000, "the second head, of 167,000 numbers, is not in the file"
    mel = np.random.default_rng(0).normal(-8, 3, (64, 124)).astype(np.float32)
    answers = [classifier.probabilities(mel) for classifier in classifiers.values()]
    assert not np.allclose(*answers, atol=1e-4), "the teacher's scores were learnt"
    # The checkpoint beside it has both heads; the exported network has one.
    assert main(["export", str(tmp_path / "taught.onnx"), "--format", "pt", "--output", str(tmp_path / "t.pt")]) == 0


def test_stopped_and_resumed_it_learns_the_same(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, epoch_windows=32, batch=8, reuse=1)
    request = TrainingRequest(
        [data_set], "cnn_tiny", tmp_path / "whole.onnx", recipe, tmp_path, codecs=False, teacher=yamnet
    )
    train(request)

    def stop(values: dict[str, object]) -> None:
        if values.get("epoch") == 1:
            raise KeyboardInterrupt

    halved = replace(request, output=tmp_path / "halved.onnx")
    with pytest.raises(KeyboardInterrupt):
        train(halved, stop)
    train(replace(halved, resume=True))
    goldens = [Classifier(tmp_path / f"{name}.onnx").card.golden["probabilities"] for name in ("whole", "halved")]
    assert goldens[0] == goldens[1]


def test_a_family_without_an_embedding_says_so(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
    request = TrainingRequest([data_set], "svm", tmp_path / "svm.onnx", recipe, tmp_path, codecs=False, teacher=yamnet)
    with pytest.raises(DataError, match="teacher"):
        train(request)
