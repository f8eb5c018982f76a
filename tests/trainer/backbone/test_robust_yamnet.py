"""The backbone: YAMNet full, taught to answer through rooms and noise as it answers to clean sound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from made_data import SHARED_DATA, write_manifest

from babymonitor.core.model.features import front_end
from babymonitor.core.sound.files import read_wave
from trainer.__main__ import main
from trainer.audio import synthetic
from trainer.backbone.answers import KeptAnswers
from trainer.backbone.corrections import CAT_CLASSES, CRYING_CLASSES, corrected, read_crying
from trainer.backbone.lessons import SILENCE, Lessons, together
from trainer.backbone.microphone import Hearing
from trainer.backbone.robust_yamnet import CHECKPOINT, BackboneRequest, Schedule, class_weights, train
from trainer.backbone.sounds import HOP, Strata, Timeline, cut, decode, divide
from trainer.backbone.tagger import BABY_CRY, FEATURES, SEGMENT, SoundTagger, patches_of
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.sound_kinds import CRY, read_clips
from trainer.errors import DataError
from trainer.networks.yamnet import CLASSES, EMBEDDING, ConvolutionBlock, YamnetBody, published_weights

WEIGHTS = SHARED_DATA.parent / "peers" / "yamnet" / "yamnet.tflite"
MAKERS = {"baby_cry": synthetic.cry, "cat": synthetic.tones, "noise": synthetic.noise}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two that share a busy processor take ten times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three groups each of cries, cats and noise, a second to a clip; a copy of a cry under another name and group;
    and one clip whose licence forbids learning.
    """
    rng = np.random.default_rng(3)
    root = tmp_path / "data"
    rows = []
    for label, maker in MAKERS.items():
        (root / label).mkdir(parents=True)
        for number in range(3):
            path = f"{label}/{number}.wav"
            soundfile.write(root / path, maker(rng, 20000 - 6000 * number), 16000)
            rows.append(row(path, label, f"{label}-{number}"))
    (root / "noise" / "copy.wav").write_bytes((root / "baby_cry" / "0.wav").read_bytes())
    soundfile.write(root / "noise" / "foreign.wav", synthetic.noise(rng, 16000), 16000)
    soundfile.write(root / "noise" / "kin.wav", synthetic.noise(rng, 16000), 16000)
    rows.append(row("noise/copy.wav", "noise", "nobody"))
    rows.append({**row("noise/foreign.wav", "noise", "foreign"), "use": "evaluation-only"})
    rows.append(row("noise/kin.wav", "noise", "baby_cry-0"))
    write_manifest(root, rows)
    return root


def row(path: str, label: str, group: str) -> dict[str, str]:
    return {"path": path, "use": "train", "source": "made", "label": label, "detail": "", "group": group, "licence": ""}


def decoded(data: Path, cache: Path) -> DecodedAudio:
    return decode(data, read_clips(data), cache, codecs=False)


class FakeTeacher:
    """Answers 0.5 to one class for each clip, told by the clip's number, and 0.9 to silence."""

    def __init__(self, audio: DecodedAudio, paths: list[str]) -> None:
        self._audio, self._paths = audio, paths
        self.asked: set[str] = set()

    def of(self, path: str, speed: float) -> tuple[np.ndarray, np.ndarray]:
        self.asked.add(path)
        segments = Timeline(self._audio.samples(path), speed).segments
        answers = np.zeros((segments, CLASSES), np.float16)
        answers[:, self._paths.index(path)] = 0.5
        answers[:, SILENCE] = 0.9 if self._paths.index(path) % 2 else 0.1
        return answers, np.ones(segments, np.float32)


# ------------------------------------------------------------------------------------------------------------- network
def reference(tagger: SoundTagger) -> tuple[YamnetBody, torch.nn.Linear]:
    """The same weights in the body that the other families use, with its batch norm, and a last layer."""
    body = YamnetBody().eval()
    for layer, own in zip(body.layers.values(), tagger.layers.values(), strict=True):
        assert isinstance(layer, ConvolutionBlock)
        layer.take(own.convolution.weight, own.convolution.bias)
    return body, tagger.dense


@torch.no_grad()
def test_it_is_yamnet_with_batch_norm_folded() -> None:
    torch.manual_seed(1)
    tagger = SoundTagger().eval()
    for own in tagger.layers.values():
        torch.nn.init.normal_(own.convolution.bias, std=0.1)
    body, dense = reference(tagger)
    patches = torch.randn(3, 1, 96, 64)
    expected = dense(body(patches))
    assert expected.shape == (3, CLASSES)
    assert torch.allclose(tagger(patches), expected, atol=1e-4 * float(expected.abs().max()))
    assert tagger.embed(patches).shape == (3, EMBEDDING)


@torch.no_grad()
def test_bfloat16_answers_much_the_same() -> None:
    torch.manual_seed(1)
    tagger, patches = SoundTagger().eval(), torch.randn(3, 1, 96, 64)
    with torch.autocast("cpu", torch.bfloat16):
        quick = tagger(patches).float()
    exact = tagger(patches)
    assert torch.corrcoef(torch.stack((quick.flatten(), exact.flatten())))[0, 1] > 0.999


def test_front_end_is_the_apps() -> None:
    waves = np.stack([maker(np.random.default_rng(2), SEGMENT) for maker in MAKERS.values()])
    patches = patches_of(torch.from_numpy(waves))
    assert patches.shape == (3, 1, 96, 64)
    expected = np.stack([front_end(wave, FEATURES).T for wave in waves])
    assert np.abs(patches[:, 0].numpy() - expected).max() < 5e-3  # near the floor


@pytest.mark.shared_data
@torch.no_grad()
def test_published_weights_answer_to_real_clips_as_yamnets_body_does() -> None:
    """The published file itself rounds to 8 bits from layer to layer: tests/trainer/networks/test_yamnet.py."""
    if not WEIGHTS.is_file():
        pytest.skip("../shared/peers/yamnet is not here: nothing was compared with the published YAMNet")
    pytest.importorskip("ai_edge_litert", reason="no TensorFlow Lite here: nothing was compared with YAMNet")
    tagger, body = SoundTagger().eval(), YamnetBody().eval()
    tagger.load(WEIGHTS)
    body.load(WEIGHTS)
    kernel, bias = published_weights(WEIGHTS)["dense"]
    files = sorted((SHARED_DATA / "esc10" / "baby_cry").glob("*.*"))[:4]
    waves = torch.from_numpy(np.stack([read_wave(file)[:SEGMENT] for file in files]))
    answers = torch.sigmoid(tagger(patches_of(waves)))
    assert torch.allclose(answers, torch.sigmoid(body(patches_of(waves)) @ kernel.T + bias), atol=1e-4)
    assert answers[:, BABY_CRY].max() > 0.5


# --------------------------------------------------------------------------------------------------------------- sound
def test_left_out_clips_their_groups_and_their_copies_are_never_drawn(data: Path, tmp_path: Path) -> None:
    audio = decoded(data, tmp_path / "cache")
    sides = divide(read_clips(data), audio, ["baby_cry/0.wav", "cat/*"])
    learnt, judged = ({clip.path for clip in clips} for clips in (sides.learnt, sides.judged))
    assert learnt == {"baby_cry/1.wav", "baby_cry/2.wav", "noise/0.wav", "noise/1.wav", "noise/2.wav"}
    assert judged == {"baby_cry/0.wav", "cat/0.wav", "cat/1.wav", "cat/2.wav", "noise/foreign.wav", "noise/kin.wav"}
    asked = FakeTeacher(audio, [clip.path for clip in read_clips(data)])
    lessons = Lessons(sides.learnt, audio, asked, 1, {})  # type: ignore[arg-type]
    for number in range(8):
        lessons.batch(number, 16)
    assert asked.asked == learnt
    with pytest.raises(DataError, match=r"There is no clip dog/\* to leave out"):
        divide(read_clips(data), audio, ["dog/*"])


def test_every_kind_is_drawn_and_crying_as_often_as_asked(data: Path) -> None:
    strata = Strata(read_clips(data), crying=0.37)
    assert dict(zip(strata.kinds, strata.shares, strict=True))["baby_cry"] == pytest.approx(0.37)
    rng = np.random.default_rng(1)
    drawn = [strata.draw(rng).path.split("/")[0] for _ in range(2000)]
    assert 0.33 < drawn.count("baby_cry") / 2000 < 0.41
    assert drawn.count("cat") > drawn.count("noise") > 0
    assert {strata.draw(rng, ["cat"]).path.split("/")[0] for _ in range(20)} == {"cat"}


def test_a_short_clip_stands_anywhere_between_silences(data: Path, tmp_path: Path) -> None:
    audio = decoded(data, tmp_path / "cache")
    path, samples = "noise/2.wav", 8000
    timeline = Timeline(samples)
    assert (timeline.lead, timeline.segments) == (SEGMENT - samples, 1 + (SEGMENT - samples) // HOP)
    first = cut(audio, path, timeline, 0, SEGMENT)
    assert not first[: timeline.lead].any()
    assert np.array_equal(first[timeline.lead :], audio.read(path))
    before = cut(audio, path, timeline, -4000, timeline.lead + 100)
    assert before.size == 4000 + timeline.lead + 100
    assert np.array_equal(before[-100:], audio.read(path, 0, 100))
    assert not cut(audio, path, timeline, 10 * SEGMENT, 11 * SEGMENT).any()
    slow = Timeline(samples, 0.86)
    assert cut(audio, path, slow, 0, SEGMENT).size == SEGMENT
    assert slow.lead == SEGMENT - int(samples / 0.86)


# ------------------------------------------------------------------------------------------------------------- lessons
def test_two_sounds_at_once_are_answered_by_the_greater_of_each_class(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    target, overlay = rng.random((2, CLASSES)).astype(np.float32)
    both = together(target, overlay)
    classes = np.arange(CLASSES) != SILENCE
    assert np.array_equal(both[classes], np.maximum(target, overlay)[classes])
    assert both[SILENCE] == min(target[SILENCE], overlay[SILENCE])

    audio = decoded(data, tmp_path / "cache")
    clips = read_clips(data)
    asked = FakeTeacher(audio, [clip.path for clip in clips])
    lessons = Lessons(clips, audio, asked, 1, {}, Hearing(clean=0.0, overlay=1.0))  # type: ignore[arg-type]
    batch = lessons.batch(0, 32)
    assert batch.waves.shape == (32, SEGMENT)
    assert batch.targets.shape == (32, CLASSES)
    named = (batch.targets[:, : len(clips)] == 0.5).sum(dim=1)
    assert set(named.tolist()) == {1, 2}, "the same clip may be drawn twice"
    assert (named == 2).sum() > 20


def test_a_batch_depends_on_its_number_alone(data: Path, tmp_path: Path) -> None:
    audio = decoded(data, tmp_path / "cache")
    clips = read_clips(data)

    def fresh() -> Lessons:
        return Lessons(clips, audio, FakeTeacher(audio, [clip.path for clip in clips]), 1, {})  # type: ignore[arg-type]

    first, again = fresh(), fresh()
    first.batch(0, 8)
    left, right = first.batch(5, 8), again.batch(5, 8)
    assert torch.equal(left.waves, right.waves)
    assert torch.equal(left.targets, right.targets)
    assert not torch.equal(left.waves, first.batch(6, 8).waves)
    assert left.waves.abs().max() <= 32768 / 32767
    assert left.waves.isfinite().all()


def test_the_teacher_is_asked_once(data: Path, tmp_path: Path) -> None:
    audio = decoded(data, tmp_path / "cache")
    asked: list[int] = []

    def ask(segments: torch.Tensor) -> torch.Tensor:
        asked.append(len(segments))
        return torch.full((len(segments), CLASSES), 0.25)

    for _ in range(2):
        answers, levels = KeptAnswers(audio, tmp_path / "cache", ask, "fake").of("noise/0.wav", 1.0)
        assert answers.shape == (2, CLASSES)
        assert levels.shape == (2,)
        assert (answers == 0.25).all()
    assert asked == [8]
    KeptAnswers(audio, tmp_path / "cache", ask, "another").of("noise/0.wav", 1.0)
    assert asked == [8, 8]


# ------------------------------------------------------------------------------------------------------------ training
def test_schedule_rises_ebbs_and_begins_again_lower() -> None:
    schedule = Schedule(cycle_steps=100, cycles=2, rate=1.0, ebb=0.5)
    rates = [schedule.rate_at(step) for step in range(schedule.steps)]
    assert max(rates[:100]) == pytest.approx(1.0)
    assert max(rates[100:]) == pytest.approx(0.5)
    assert rates[0] < 0.11
    assert rates[99] == pytest.approx(0.001)


def test_crying_weighs_most() -> None:
    weights = class_weights()
    assert int(weights.argmax()) == BABY_CRY
    assert float(weights.mean()) == pytest.approx(1.0)


def test_a_resumed_training_equals_an_uninterrupted_one(data: Path, made_weights: Path, tmp_path: Path) -> None:
    def run(name: str, steps: int | None = None) -> list[dict[str, object]]:
        schedule = Schedule(cycle_steps=2, cycles=2, batch=2, bfloat16=True)
        output = tmp_path / name
        request = BackboneRequest(
            data, made_weights, output, tmp_path / "cache", ["baby_cry/0.wav", "cat/0.wav"], schedule=schedule
        )
        left = iter(range(1, 100))
        train(request, lambda values: None, lambda: next(left) == steps)
        return [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]

    events = run("full")
    judged = [event for event in events if event["event"] == "judged"]
    assert [event["step"] for event in judged] == [2, 4]
    assert {"plain", "noisy", "drift"} <= judged[0].keys()
    run("parts", 1)
    assert run("parts", 2)[-1]["event"] == "stopped"
    assert run("parts")[-1]["step"] == 4
    for file in (CHECKPOINT, "backbone.pt", "backbone-cycle-1.pt", "backbone-cycle-2.pt"):
        full, parts = (torch.load(tmp_path / name / file, weights_only=True) for name in ("full", "parts"))
        assert same(full, parts), file
    begun, finished = (torch.load(tmp_path / "full" / f"backbone-cycle-{n}.pt", weights_only=True) for n in (1, 2))
    assert not same(begun, finished)

    changed = BackboneRequest(
        data, made_weights, tmp_path / "full", tmp_path / "cache", [], schedule=Schedule(2, 2, 2, bfloat16=True)
    )
    with pytest.raises(DataError, match="is of another training"):
        train(changed, lambda values: None)


def test_weights_that_are_not_there_are_refused_in_a_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["backbone", "--data", str(data), "--weights", "nowhere.tflite", "--output", str(tmp_path / "out")]
    assert main([*words, "--cache", str(tmp_path / "cache")]) == 2
    assert "There is no file nowhere.tflite" in capsys.readouterr().err


def same(left: object, right: object) -> bool:
    """Bit for bit, whatever is nested in what."""
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def test_a_correction_weakens_or_strengthens_a_few_answers_and_leaves_the_rest() -> None:
    answer = np.full(CLASSES, 0.25, np.float32)
    cat = corrected(answer, "cat", crying=False)
    assert cat[list(CRYING_CLASSES)] == pytest.approx(0.05)
    assert cat[list(CAT_CLASSES)] == pytest.approx(0.5)
    assert (cat != answer).sum() == len(CRYING_CLASSES) + len(CAT_CLASSES)
    cry = corrected(answer, CRY, crying=True)
    assert cry[BABY_CRY] == pytest.approx(0.5)
    assert (cry != answer).sum() == 1
    assert np.array_equal(corrected(answer, "adult_vocal", crying=False), answer), "somebody may cry in it"
    assert np.all(answer == 0.25), "the answer that was given is left as it is"


def test_only_what_both_witnesses_call_crying_is_read(tmp_path: Path) -> None:
    file = tmp_path / "segments.csv"
    file.write_text(
        "path,start_seconds,end_seconds,label,sound,confidence,teacher\n"
        "a.wav,1.0,2.5,sad,crying,0.5,yamnet+pitch\n"
        "a.wav,3.0,4.0,sad,crying,0.9,yamnet\n"
        "b.wav,0.0,1.0,background,speech,0.9,yamnet+pitch\n",
        encoding="utf-8",
    )
    assert read_crying(file) == {"a.wav": [(1.0, 2.5)]}
