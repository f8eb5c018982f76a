"""Learning from a teacher: the real YAMNet on real and made sound, asked once, and gone from what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_model
import torch

from babymonitor.core.classifier import Classifier
from trainer import teacher
from trainer.__main__ import main
from trainer.augment import NIGHT
from trainer.batches import UNTOLD, WindowMaker, fixed_windows
from trainer.corpora import DataError, Division, load, split
from trainer.fit import Recipe, fit, lesson_loss
from trainer.networks import FAMILIES
from trainer.run import Request, prepared, train
from trainer.teacher import CLASSES, FRAME, SLOT, Lessons, Teacher
from trainer.waves import Waves, closed

SPEECH, BABY_CRY = 0, 20


@pytest.fixture
def yamnet(shared_data: Path) -> Path:
    pytest.importorskip("ai_edge_litert")
    return shared_data.parent / "peers" / "yamnet" / "yamnet.tflite"


def test_it_knows_a_cry_from_speech(yamnet: Path, shared_data: Path, tmp_path: Path) -> None:
    whole = load(shared_data)
    clips = [
        clip for kind in ("esc10/baby_cry", "emodb") for clip in [c for c in whole.clips if c.path.startswith(kind)][:3]
    ]

    waves = Waves(replace(whole, clips=tuple(clips)), tmp_path, codecs=False)
    lessons = Lessons(yamnet, clips, waves, tmp_path)
    told = {clip.path: lessons.of(clip.path, 0, waves.samples(clip.path)) for clip in clips}
    cries, talk = ([one for path, one in told.items() if path.startswith(kind)] for kind in ("esc10", "emodb"))
    assert all(one.shape == (CLASSES,) for one in told.values())
    assert np.mean([one[BABY_CRY] for one in cries]) > 0.3 > np.mean([one[BABY_CRY] for one in talk])
    assert np.mean([one[SPEECH] for one in talk]) > 0.5


def test_it_is_asked_once(yamnet: Path, data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(data_set)
    waves = Waves(data, tmp_path, codecs=False)
    first = Lessons(yamnet, data.clips, waves, tmp_path)
    monkeypatch.setattr(teacher, "Teacher", None)
    again = Lessons(yamnet, data.clips, waves, tmp_path)
    path = data.clips[0].path
    assert np.array_equal(first.of(path, 0, 32000), again.of(path, 0, 32000))


def test_a_window_is_told_what_lies_in_it(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    data = load(data_set)
    waves = Waves(data, tmp_path, codecs=False)
    lessons = Lessons(yamnet, data.clips, waves, tmp_path)
    path = max((clip.path for clip in data.clips), key=waves.samples)
    frames = Teacher(yamnet).scores(teacher.levelled(waves.read(path)))
    begin, stop = 2 * SLOT, 2 * SLOT + FRAME
    # The frame itself, and the two that lie in it by three quarters.
    assert np.allclose(lessons.of(path, begin, stop), frames[1:4].max(0), atol=1e-3)
    # A piece shorter than a frame is told what the frame around it holds.
    assert lessons.of(path, 0, 3000).max() > 0


def test_windows_made_from_nothing_are_untold(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    data = split(load(data_set), Division())
    waves = Waves(data, tmp_path, codecs=False)
    known = closed(data.side("train"), waves)
    lessons = Lessons(yamnet, known, waves, tmp_path)
    front = FAMILIES["cnn_tiny"].front
    maker = WindowMaker(known, waves, data.labels, front, NIGHT, 1, {"background": 1.0}, lessons=lessons)
    drawn = maker.pool(0, 40)
    background = drawn.targets[:, data.labels.index("background")] == 1
    assert (drawn.lessons[background] == UNTOLD).all()
    assert (drawn.lessons[~background] >= 0).all()
    assert 0 < background.sum() < 40


def test_the_loss_is_of_those_that_were_asked_about() -> None:
    logits = torch.tensor([[0.0, 0.0], [5.0, -5.0]])
    lessons = torch.tensor([[1.0, 0.0], [UNTOLD, UNTOLD]])
    assert float(lesson_loss(logits, lessons)) == pytest.approx(2 * np.log(2))
    assert float(lesson_loss(logits, torch.full((2, 2), UNTOLD))) == 0


def test_what_is_written_no_longer_knows_its_teacher(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, epoch_windows=32, batch=8, reuse=1)
    made = {}
    for name, file in (("taught", yamnet), ("alone", None)):
        output = tmp_path / f"{name}.onnx"
        request = Request([data_set], "cnn_tiny", output, recipe, tmp_path / "cache", codecs=False, teacher=file)
        train(request)
        made[name] = Classifier(output)
    assert made["taught"].card.training["teacher"] == "yamnet.tflite"
    assert made["alone"].card.training["teacher"] == ""
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in made]
    assert abs(sizes[0] - sizes[1]) < 20_000, "the second head, of 167,000 numbers, is not in the file"
    mel = np.random.default_rng(0).normal(-8, 3, (64, 124)).astype(np.float32)
    answers = [one.probabilities(mel) for one in made.values()]
    assert not np.allclose(*answers, atol=1e-4), "the teacher's word was learnt"
    # The checkpoint beside it knows both heads; what becomes of it knows one.
    assert main(["export", str(tmp_path / "taught.onnx"), "--format", "pt", "--output", str(tmp_path / "t.pt")]) == 0


def test_stopped_and_resumed_it_learns_the_same(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, epoch_windows=32, batch=8, reuse=1)
    whole = Request([data_set], "cnn_tiny", tmp_path / "whole.onnx", recipe, tmp_path, codecs=False, teacher=yamnet)
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


def test_an_elder_is_learnt_from(data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=4, epoch_windows=64, batch=8, reuse=4, mixup=0.0)
    request = Request([data_set], "cnn_tiny", tmp_path / "elder.onnx", recipe, tmp_path, codecs=False)
    train(request)
    elder = Classifier(tmp_path / "elder.onnx")
    # The elder is asked about the very windows that are learnt from.
    asked: list[int] = []
    data, waves = prepared(request)
    maker = WindowMaker(data.side("train"), waves, data.labels, FAMILIES["cnn_tiny"].front, NIGHT, 1)

    class Asked:
        def probabilities(self, mel: np.ndarray) -> np.ndarray:
            asked.append(int(np.abs(pool.mels.astype(np.float32) - mel).max((1, 2)).argmin()))
            return elder.probabilities(mel)

    pool = maker.pool(0, 64)
    network = FAMILIES["cnn_tiny"].network(data.labels)
    validation = fixed_windows(data.side("validation"), waves, data.labels, FAMILIES["cnn_tiny"].front)
    fit(network, data.labels, maker, validation, recipe, tmp_path / "fit.checkpoint", elder=Asked())  # type: ignore[arg-type]
    assert asked == list(range(64))
    wiser = replace(request, output=tmp_path / "wiser.onnx", elder=tmp_path / "elder.onnx")
    train(wiser)
    assert Classifier(tmp_path / "wiser.onnx").card.training["elder"] == "elder.onnx"


def test_an_elder_of_other_labels_is_refused(data_set: Path, tmp_path: Path) -> None:
    other = tiny_model.write(tmp_path / "other.onnx")
    recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
    with pytest.raises(DataError, match="no elder"):
        train(Request([data_set], "cnn_tiny", tmp_path / "m.onnx", recipe, tmp_path, codecs=False, elder=other))


def test_a_family_without_an_embedding_says_so(yamnet: Path, data_set: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
    request = Request([data_set], "svm", tmp_path / "svm.onnx", recipe, tmp_path, codecs=False, teacher=yamnet)
    with pytest.raises(DataError, match="teacher"):
        train(request)
