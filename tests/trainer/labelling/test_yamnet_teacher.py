"""Learning from a teacher: the real YAMNet, asked of each window, and gone from what is written."""

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
from trainer.data.decoded_audio import Waves, closed
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
from trainer.windows.sampler import ASKED_ALONE, WindowMaker

SPEECH = 0


@pytest.fixture
def yamnet(shared_data: Path) -> Path:
    pytest.importorskip("ai_edge_litert")
    return shared_data.parent / "peers" / "yamnet" / "yamnet.tflite"


def test_it_knows_a_cry_from_speech(yamnet: Path, shared_data: Path, tmp_path: Path) -> None:
    whole = load(shared_data)
    clips = [
        clip for kind in ("esc10/baby_cry", "emodb") for clip in [c for c in whole.clips if c.path.startswith(kind)][:3]
    ]

    waves, asked = Waves(replace(whole, clips=tuple(clips)), tmp_path, codecs=False), Teacher(yamnet)
    told = {clip.path: asked.word(waves.read(clip.path)) for clip in clips}
    cries, talk = ([one for path, one in told.items() if path.startswith(kind)] for kind in ("esc10", "emodb"))
    assert all(one.shape == (CLASSES,) for one in told.values())
    assert np.mean([one[BABY_CRY] for one in cries]) > 0.3 > np.mean([one[BABY_CRY] for one in talk])
    assert np.mean([one[SPEECH] for one in talk]) > 0.5


def test_all_of_a_window_is_heard(yamnet: Path) -> None:
    """A sound at the very beginning, in the middle or at the very end of two seconds."""
    asked = Teacher(yamnet)
    nothing = asked.word(np.zeros(32000, np.float32))
    for at in (0, 14000, 28000):
        window = np.zeros(32000, np.float32)
        window[at : at + 4000] = synthetic.cry(np.random.default_rng(0), 4000)
        assert np.abs(asked.word(window) - nothing).max() > 0.1


class Overhearing:
    """A teacher that says nothing and notes what it was asked about."""

    identity = "overhearing"

    def __init__(self) -> None:
        self.sounds: list[Wave] = []

    def word(self, window: Wave) -> np.ndarray:
        self.sounds.append(window)
        return np.zeros(CLASSES, np.float16)


def maker_of(folder: Path, cache: Path, strength: Strength, teacher: Overhearing) -> WindowMaker:
    data = split(load(folder), Division())
    waves = Waves(data, cache, codecs=False)
    front = FAMILIES["cnn_tiny"].front
    known = closed(data.side("train"), waves)
    return WindowMaker(known, waves, data.labels, front, strength, 1, teacher=teacher)  # type: ignore[arg-type]


def test_it_hears_the_sound_of_the_window_before_the_world_comes_over_it(data_set: Path, tmp_path: Path) -> None:
    bare, noisy = Overhearing(), Overhearing()
    hardly = replace(PLAIN, volume=1e-9)
    first = maker_of(data_set, tmp_path, hardly, bare).pool(0, 30)
    second = maker_of(data_set, tmp_path, replace(hardly, noise=1.0), noisy).pool(0, 30)
    spec = FAMILIES["cnn_tiny"].front.features
    for mel, sound in zip(first.mels, bare.sounds, strict=True):
        heard = fit_frames(front_end(sound, spec), mel.shape[1])
        assert np.abs(heard - mel.astype(np.float32)).max() < 0.02, "unaltered, both hear the same"
    told = [np.abs(one - other).max() for one, other in zip(bare.sounds, noisy.sounds, strict=True)]
    assert max(told) == 0, "what is laid over it is for the network alone"
    assert np.abs(first.mels.astype(np.float32) - second.mels.astype(np.float32)).mean() > 0.5


def test_of_some_sound_the_teacher_alone_says_what_it_is(data_set: Path, tmp_path: Path) -> None:
    drawn = maker_of(data_set, tmp_path, NIGHT, Overhearing()).pool(0, 200)
    alone = (drawn.targets == 0).all(1)
    assert alone.mean() == pytest.approx(ASKED_ALONE, abs=0.05)
    assert np.allclose(drawn.targets[~alone].sum(1), 1)


def test_what_has_no_label_says_nothing_of_crying_alone_or_mixed_in() -> None:
    two_level = TwoLevel(("hungry", "background"))

    def pull(target: list[float]) -> torch.Tensor:
        """Where the loss would move the two logits."""
        logits = torch.tensor([[3.0, -1.0]], requires_grad=True)
        two_level.loss(logits, torch.tensor([target]), 0.1, torch.ones(2)).backward()
        assert logits.grad is not None
        return logits.grad[0]

    assert pull([0.0, 0.0]).abs().sum() == 0
    assert torch.allclose(pull([0.7, 0.0]), 0.7 * pull([1.0, 0.0]), atol=1e-6), "a cry under something is a cry"
    assert torch.allclose(pull([0.0, 0.3]), 0.3 * pull([0.0, 1.0]), atol=1e-6)


def test_without_a_teacher_every_window_has_a_label(data_set: Path, tmp_path: Path) -> None:
    drawn = maker_of(data_set, tmp_path, NIGHT, None).pool(0, 60)  # type: ignore[arg-type]
    assert np.allclose(drawn.targets.sum(1), 1)
    assert drawn.lessons.shape == (60, 0)


def test_the_loss_is_least_where_the_teacher_is_repeated() -> None:
    lessons = torch.tensor([[0.9, 0.1], [0.2, 0.5]])
    same = lesson_loss(torch.logit(lessons), lessons)
    assert same < lesson_loss(torch.logit(lessons) + 0.5, lessons)
    assert float(lesson_loss(torch.zeros(2, 2), lessons)) == pytest.approx(2 * np.log(2))


def test_what_is_written_no_longer_knows_its_teacher(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, epoch_windows=32, batch=8, reuse=1)
    made = {}
    for name, weight in (("taught", 10.0), ("deaf", 0.0)):
        output, its = tmp_path / f"{name}.onnx", replace(recipe, lesson_weight=weight)
        train(TrainingRequest([data_set], "cnn_tiny", output, its, tmp_path / "cache", codecs=False, teacher=yamnet))
        made[name] = Classifier(output)
    assert made["taught"].card.training["teacher"] == "yamnet.tflite"
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in made]
    assert abs(sizes[0] - sizes[1]) < 20_000, "the second head, of 167,000 numbers, is not in the file"
    mel = np.random.default_rng(0).normal(-8, 3, (64, 124)).astype(np.float32)
    answers = [one.probabilities(mel) for one in made.values()]
    assert not np.allclose(*answers, atol=1e-4), "the teacher's word was learnt"
    # The checkpoint beside it knows both heads; what becomes of it knows one.
    assert main(["export", str(tmp_path / "taught.onnx"), "--format", "pt", "--output", str(tmp_path / "t.pt")]) == 0


def test_stopped_and_resumed_it_learns_the_same(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, epoch_windows=32, batch=8, reuse=1)
    whole = TrainingRequest(
        [data_set], "cnn_tiny", tmp_path / "whole.onnx", recipe, tmp_path, codecs=False, teacher=yamnet
    )
    train(whole)

    def stop(values: dict[str, object]) -> None:
        if values.get("epoch") == 1:
            raise KeyboardInterrupt

    halved = replace(whole, output=tmp_path / "halved.onnx")
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
