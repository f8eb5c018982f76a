"""Evaluation and its pages: whole, self-contained, honest about what was measured, and pleasant in light and dark."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model
from made_data import read_manifest, write_manifest
from threadpoolctl import threadpool_limits

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.sound.wave import SAMPLE_RATE
from trainer.__main__ import main
from trainer.audio.augment import active_rms, rms
from trainer.data.decoded_audio import DecodedAudio, trim_to_audio
from trainer.data.readers import load
from trainer.errors import DataError
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.model_cost import cost_of
from trainer.evaluation.robustness import choose_clips, conditions
from trainer.evaluation.summary import figures_of
from trainer.reports import model_report
from trainer.reports.svg import decimal, percent, points, span_of

EMOTIONS = ("angry", "calm", "fearful", "happy")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a test wants to know of a page; AssertionError for elements that are not trim_to_audio in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self.open, f"left open: {self.open}"
        self.text = re.sub(r"[ \n]+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def assert_whole(page: Page, folder: Path, largest: int) -> None:
    """One file that asks nobody for anything, in which every reference leads somewhere, in light and dark."""
    assert len(page.source.encode()) < largest
    assert page.source.startswith("<!doctype html>")
    assert not re.search(r"(?:https?:)?//[a-z]|@import|url\(", page.source)
    assert not page.values("src")
    assert not {"iframe", "object", "embed", "img"} & set(page.tags)
    names = page.values("id")
    assert len(names) == len(set(names))
    for target in page.values("href"):
        if target.startswith("#"):
            assert target[1:] in names, target
        elif target != "data:,":
            assert (folder / target).is_file(), target
    style = page.source[page.source.index("<style>") : page.source.index("</style>")]
    assert "prefers-color-scheme:dark" in style
    assert "[data-theme=dark]" in style
    for name in set(re.findall(r"var\((--[\w-]+)\)", style)) - {"--p"}:
        assert style.count(f"{name}:") == 4, f"{name} is not set for light and dark, by system and by choice"
    assert page.tags["html"] == page.tags["main"] == page.tags["h1"] == 1
    drawings = re.findall(r"<svg[^>]*>", page.source)
    assert all("aria-label=" in drawing or "aria-hidden=" in drawing for drawing in drawings)


def figures(seed: int, skill: float, labels: tuple[str, ...] = EMOTIONS, groups: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(len(labels), size=120)
    logits = rng.normal(0, 1, (120, len(labels)))
    logits[np.arange(120), truth] += skill
    rows = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return figures_of(rows, truth, np.array([f"g{number % groups}" for number in range(120)]), labels, rounds=50)


def row(family: str, seed: int, skill: float, protocol: str = "grouped", **changes: Any) -> dict[str, Any]:
    values = {
        "family": family,
        "about": f"What {family} is.",
        "note": "",
        "parameters": 1000 * seed + 123_000,
        "file_bytes": 1_234_000 + 100_000 * seed,
        "train_seconds": 12.0 + seed,
        "milliseconds_per_window": 0.51 + seed,
        "clips": figures(seed, skill),
        "windows": figures(seed + 50, skill),
        "protocol": protocol,
    }
    return {**values, **changes}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As on the command line: threads that wait for each other take longer than these small matrices."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def comparisons() -> list[dict[str, Any]]:
    rows = [
        row("resnet_mel", 1, 2.0),
        row("svm", 2, 1.2),
        row("hubert", 3, 0.0, note="Small & from random weights.", windows=None),
        row("svm", 4, 3.0, "random split"),
    ]
    first = {
        "title": "Actors never met",
        "data": "made",
        "labels": list(EMOTIONS),
        "chance": 0.25,
        "protocol": "Actors 1–14 train.",
        "command": "python -m trainer compare --data made --families resnet_mel,svm",
        "rows": rows,
    }
    second = {**first, "title": "Speakers <never> met", "rows": [row("svm", 5, 1.0), row("<b>forest", 6, 1.5)]}
    return [first, second]


def test_a_comparison_is_one_whole_page_with_every_number(comparisons: list[dict[str, Any]], tmp_path: Path) -> None:
    path = model_report.write_comparison(tmp_path, comparisons)
    page = Page(path)
    assert_whole(page, tmp_path, 1_000_000)
    for comparison in comparisons:
        assert comparison["title"] in page.text
        assert comparison["command"] in page.text
        for entry in comparison["rows"]:
            expected = [entry["family"], entry["about"]]
            figures = entry["clips"]
            expected += [percent(figures["balanced_accuracy"]["value"]), span_of(figures["balanced_accuracy"])]
            if entry["protocol"] == "grouped":
                expected += [percent(figures["macro_f1"]["value"]), span_of(figures["accuracy"])]
                expected += [decimal(figures["calibration_error"]["value"]), f"{entry['milliseconds_per_window']:.2f}"]
                expected += [f"{entry['file_bytes'] / 1e6:.1f}", f"{entry['parameters'] / 1e3:.0f}"]
                expected += [f"{entry['train_seconds']:.0f}\u202fs"]
            assert [text for text in expected if text not in page.text] == []
    assert "Small & from random weights." in page.text
    assert "<b>forest" not in page.source
    expected = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert expected["comparisons"] == comparisons


def test_what_cannot_be_told_from_guessing_is_said_so(comparisons: list[dict[str, Any]], tmp_path: Path) -> None:
    page = Page(model_report.write_comparison(tmp_path, comparisons[:1]))
    assert "Not to be told from guessing: hubert." in page.text
    assert "resnet_mel is best with" in page.text.replace(" :", ":").replace("  ", " ")


def test_leakage_stands_beside_the_honest_figure(comparisons: list[dict[str, Any]], tmp_path: Path) -> None:
    page = Page(model_report.write_comparison(tmp_path, comparisons))
    assert "What leakage is worth" in page.text
    values = [comparisons[0]["rows"][row]["clips"]["balanced_accuracy"]["value"] for row in (3, 1)]
    assert points(values[0] - values[1]) in page.text
    without = [
        {**comparison, "rows": [row for row in comparison["rows"] if row["protocol"] == "grouped"]}
        for comparison in comparisons
    ]
    assert "leakage" not in Page(model_report.write_comparison(tmp_path, without)).text


def test_columns_can_be_sorted_by_what_they_carry(comparisons: list[dict[str, Any]], tmp_path: Path) -> None:
    page = Page(model_report.write_comparison(tmp_path, comparisons[:1]))
    carried = set(page.values("data-v"))
    for entry in comparisons[0]["rows"][:3]:
        assert {str(entry["parameters"]), str(entry["file_bytes"]), f"{entry['train_seconds']:.4g}"} <= carried
    assert page.values("aria-sort") == ["descending"]
    assert page.tags["button"] == 1 + 10  # the theme's, and one for each column


def test_a_page_is_written_again_from_its_values(comparisons: list[dict[str, Any]], tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    page = model_report.write_comparison(first, comparisons)
    parts = [tmp_path / "a.json", tmp_path / "b.json"]
    for part, comparison in zip(parts, comparisons, strict=True):
        part.write_text(json.dumps(comparison), encoding="utf-8")
    assert main(["report", *map(str, parts), "--output", str(again)]) == 0
    assert (again / "report.html").read_bytes() == page.read_bytes()
    assert model_report.render([first / "report.json"], again).read_bytes() == page.read_bytes()


@pytest.mark.parametrize("text", ["no JSON", "[1]", "{}", '{"comparisons": []}'])
def test_values_that_are_none_are_refused_in_a_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    assert main(["report", str(tmp_path / "a.json"), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.strip().endswith(".")
    assert not (tmp_path / "out").exists()


def test_a_report_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "a.json"), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.strip() == f"There is no file {tmp_path / 'a.json'}."


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory, data_set: Path) -> Path:
    """Loud and quiet voices: labels of no monitor, three speakers each."""
    import soundfile

    from trainer.audio import synthetic

    root = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(1)
    rows = []
    for label, gain in (("angry", 1.0), ("neutral", 0.003)):
        for speaker in range(4):
            for take in range(2):
                path = f"{label}-{speaker}-{take}.wav"
                voice = 0.7 * synthetic.voice_like(rng, 50000) + 0.3 * synthetic.coloured(rng, 50000, 0.0)
                soundfile.write(root / path, gain * voice, SAMPLE_RATE)
                rows.append({"path": path, "label": label, "group": f"speaker {speaker}"})
    write_manifest(root, rows)
    return root


SPEECH_LABELS = ("angry", "calm", "disgust", "fearful", "happy", "surprised", "neutral")


@pytest.fixture(scope="module")
def evaluated(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """A model of acted emotions, judged on the command line with all there is."""
    folder = tmp_path_factory.mktemp("evaluated")
    model = tiny_model.write(folder / "model.onnx", labels=SPEECH_LABELS)
    words = f"evaluate --model {model} --data {speech} --cache {folder} --split all --robustness-clips 6"
    assert main([*words.split(), "--report", str(folder / "page"), "--json"]) == 0
    report: dict[str, Any] = json.loads((folder / "page" / "report.json").read_text(encoding="utf-8"))
    return report, folder / "page"


def test_one_model_is_one_whole_page_with_every_number(evaluated: tuple[dict[str, Any], Path]) -> None:
    report, folder = evaluated
    page = Page(folder / "report.html")
    assert_whole(page, folder, 600_000)
    for name in ("balanced_accuracy", "accuracy", "macro_f1"):
        assert percent(report[name]["value"]) in page.text
    for row in report["by_clip"]["per_label"]:
        for name in ("precision", "recall", "f1"):
            assert percent(row[name]["value"]) in page.text
    for row in report["robustness"]["conditions"]:
        assert row["name"] in page.text
        assert percent(row["balanced_accuracy"]["value"]) in page.text
    assert f"{report['cost']['parameters']:,} parameters" in page.text
    assert report["command"] in page.text
    assert "What is bad" in page.text
    assert "“calm” does not occur here" in page.text


def test_speech_is_judged_by_whole_clips(evaluated: tuple[dict[str, Any], Path]) -> None:
    report, _ = evaluated
    assert report["judged_by"] == "clips"
    assert report["clips"] == sum(map(sum, report["confusion"])) == 16
    assert report["by_window"]["items"] == report["windows"] == 32
    assert report["accuracy"]["value"] == 1  # loud is angry, quiet is neutral
    assert "clips_crying" not in report


def test_robustness_covers_what_it_must(evaluated: tuple[dict[str, Any], Path]) -> None:
    report = evaluated[0]["robustness"]
    names = [condition["name"] for condition in report["conditions"]]
    assert names[0] == "clean"
    for kind in ("white noise", "chatter", "music"):
        assert [f"{kind}, {snr} dB" for snr in (20, 10, 0)] == [name for name in names if name.startswith(kind)]
    last = ("MP3, 128 kbit/s", "MP3, 64 kbit/s", "sampled at 8 kHz", "−20 dB of volume", "+20 dB of volume")
    assert tuple(names[-5:]) == last
    assert report["clips"] == 6
    by_name = {condition["name"]: condition for condition in report["conditions"]}
    assert by_name["clean"]["lost"] is None
    assert by_name["−20 dB of volume"]["lost"] > 0.2, by_name  # this model tells by loudness alone
    assert by_name["MP3, 128 kbit/s"]["lost"] == 0


def test_the_worst_clips_are_wrong_ones_and_can_be_opened(speech: Path, tmp_path: Path) -> None:
    swapped = (*reversed(SPEECH_LABELS),)
    model = tiny_model.write(tmp_path / "model.onnx", labels=swapped)
    report = evaluate(model, speech, "all", cache=tmp_path, robustness_clips=0)
    assert report["accuracy"]["value"] == 0
    assert [clip["was"] != clip["said"] for clip in report["worst"]] == [True] * 16
    assert report["worst"][0]["given"] <= report["worst"][-1]["given"]
    page = Page(model_report.write(tmp_path / "page", report))
    assert_whole(page, tmp_path / "page", 600_000)  # looks every link up
    assert "Found no more often than by guessing: neutral (0.0\u202f%), angry (0.0\u202f%)." in page.text


def test_labels_that_only_one_side_knows_are_refused_or_left_out(data_set: Path, tmp_path: Path, capsys: Any) -> None:
    model = tiny_model.write(tmp_path / "model.onnx", labels=("sad", "a", "b", "c", "d", "e", "background"))
    words = f"evaluate --model {model} --data {data_set} --cache {tmp_path} --split all --robustness-clips 0"
    assert main(words.split()) == 2
    assert "does not know the label natural of" in capsys.readouterr().err
    assert main([*words.split(), "--shared-labels", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["labels"] == ["sad", "background"]
    shared = report["shared_labels"]
    assert (shared["only_data"], shared["only_model"], shared["clips_left_out"]) == (["natural"], list("abcde"), 8)
    assert report["clips"] == 16
    assert "Left out of the data: natural (8 clips)" in Page(model_report.write(tmp_path / "page", report)).text
    without_background = tiny_model.write(tmp_path / "other.onnx", labels=("sad", *"abcdef"))
    with pytest.raises(DataError, match="does not know the labels background, natural of"):
        evaluate(without_background, data_set, "all", cache=tmp_path)
    with pytest.raises(DataError, match="share only one label"):
        evaluate(without_background, data_set, "all", cache=tmp_path, shared_labels=True)


def test_one_group_is_one(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(own_data_set, [{**row, "group": "nobody else"} for row in read_manifest(own_data_set)])
    model = tiny_model.write(tmp_path / "model.onnx", labels=("sad", "natural", *"abcd", "background"))
    words = f"evaluate --model {model} --data {own_data_set} --cache {tmp_path} --split all --robustness-clips 0"
    assert main([*words.split(), "--report", str(tmp_path / "page")]) == 0
    assert "24 clips of 1 group, " in capsys.readouterr().out
    page = Page(tmp_path / "page" / "report.html").text
    assert "24 clips of 1 group, judged by" in page
    assert "Only 1 group stands behind" in page


def test_a_peer_that_is_not_there(data_set: Path, tmp_path: Path) -> None:
    model = tiny_model.write(tmp_path / "model.onnx")
    with pytest.raises(DataError, match=r"There is no file .*yamnet\.tflite\."):
        evaluate(model, data_set, cache=tmp_path, yamnet=tmp_path / "yamnet.tflite")


def test_the_monitors_own_figures_are_on_its_page(data_set: Path, tmp_path: Path) -> None:
    model = tiny_model.write(tmp_path / "model.onnx")
    report = evaluate(model, data_set, "all", cache=tmp_path, robustness_clips=9)
    assert report["judged_by"] == "windows"
    assert report["clips_crying"]["cries"] == 8
    assert all(condition["cries_found"] is not None for condition in report["robustness"]["conditions"])
    page = Page(model_report.write(tmp_path / "page", report))
    assert_whole(page, tmp_path / "page", 600_000)
    assert "Crying, as the monitor hears it" in page.text
    assert "P(crying): calibration error" in page.text
    assert "sad: crying, reason unclear" in page.text


def test_altered_sound_is_altered_as_it_says(speech: Path, tmp_path: Path) -> None:
    data = load(speech)
    waves = DecodedAudio(data, tmp_path, codecs=False)
    clips = trim_to_audio(data.clips, waves)
    by_name = {condition.name: condition for condition in conditions(clips, waves, SPEECH_LABELS)}
    clip = next(clip for clip in clips if clip.path.startswith("angry"))
    wave = waves.read(clip.path) / 4
    for name, condition in by_name.items():
        altered = condition.alter(np.random.default_rng(0), clip, wave)
        assert altered.shape == wave.shape, name
        assert altered.dtype == np.float32, name
        assert np.abs(altered).max() <= 1.0001, name
        again = condition.alter(np.random.default_rng(0), clip, wave)
        assert np.array_equal(altered, again), name
        if condition.level is not None:
            under = altered - wave
            assert 20 * np.log10(active_rms(wave) / rms(under)) == pytest.approx(condition.level, abs=0.2), name
    spectrum = np.abs(np.fft.rfft(by_name["sampled at 8 kHz"].alter(np.random.default_rng(0), clip, wave)))
    assert spectrum[int(len(spectrum) * 0.53) :].max() < 0.01 * spectrum.max()
    quiet = by_name["−20 dB of volume"].alter(np.random.default_rng(0), clip, wave)
    assert rms(quiet) == pytest.approx(rms(wave) / 10, rel=0.01)


def test_clips_are_chosen_label_by_label(speech: Path, tmp_path: Path) -> None:
    data = load(speech)
    waves = DecodedAudio(data, tmp_path, codecs=False)
    clips = trim_to_audio(data.clips, waves)
    chosen = choose_clips(clips, waves, 6, seed=1)
    assert Counter(clip.spans[0].label for clip in chosen) == {"angry": 3, "neutral": 3}
    assert chosen == choose_clips(clips, waves, 6, seed=1)
    assert chosen != choose_clips(clips, waves, 6, seed=2)
    assert len(choose_clips(clips, waves, 99, seed=1)) == 16


def test_cost_counts_what_the_file_holds(tmp_path: Path) -> None:
    cost = cost_of(Classifier(tiny_model.write(tmp_path / "model.onnx")))
    assert cost["parameters"] == 2 + 1 + 1 + 7
    assert cost["file_bytes"] == (tmp_path / "model.onnx").stat().st_size
    assert cost["features_ms"]["median"] <= cost["features_ms"]["p95"]
    assert cost["milliseconds_per_window"] > cost["network_ms"]["median"] > 0
    memory = cost["memory"]
    assert memory is not None
    assert 10e6 < memory["before_bytes"] <= memory["peak_bytes"] < 1e9


def test_a_browser_finds_nothing_to_complain_of(comparisons: list[dict[str, Any]], tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        assert not os.environ.get("CI"), "CI must run everything, and Chromium is missing."
        pytest.skip("There is no Chromium here; that the page is well-formed is tested without it.")
    path = model_report.write_comparison(tmp_path, comparisons)
    words = "--headless --no-sandbox --disable-gpu --enable-logging=stderr --dump-dom"
    done = subprocess.run(
        [browser, *words.split(), f"--user-data-dir={tmp_path / 'profile'}", f"{path.as_uri()}?theme=dark"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0
    assert "CONSOLE" not in done.stderr
    assert '<html lang="en" data-theme="dark">' in done.stdout
    assert '<button class="theme" type="button">Light colours</button>' in done.stdout  # the script ran
