"""Sentences of core and live reach the window in the person's language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QTranslator
from PySide6.QtWidgets import QApplication

from babymonitor.core.labels import label
from babymonitor.core.library.label_counts import advice, health
from babymonitor.core.messages import CONTEXT, Code, message
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.wording import label_title, no_baby_title, sounds_texts, translated
from babymonitor.ui.window.main_window import MainWindow


class Bracketing(QTranslator):
    """A language in which every sentence of core and live stands in brackets."""

    def isEmpty(self) -> bool:  # noqa: N802
        return False

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str | None:
        return f"[{text}]" if context == CONTEXT else None


@pytest.fixture
def brackets(qapp: QApplication) -> Iterator[None]:
    translator = Bracketing()
    qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


@pytest.mark.usefixtures("brackets")
def test_the_template_is_translated_and_then_filled() -> None:
    reason = message(Code.MODEL_UNREADABLE, reason="Permission denied")
    sentence = message(Code.MODEL_UNUSABLE, name="a.onnx", reason=reason)
    assert translated(sentence) == "[The model a.onnx cannot be used: [it cannot be read (Permission denied)].]"
    assert translated("Words of somebody else.") == "Words of somebody else."


@pytest.mark.usefixtures("brackets")
def test_labels_are_translated_inside_a_sentence_too() -> None:
    counts = health(["hungry", "background"], [("background", "night", "", "import", 0.0, 1.0)])
    assert label_title("hungry") == "[Hungry]"
    assert "[no baby]" in translated(message(Code.ADVICE_ENOUGH, clips=500, label=label("background").title)).lower()
    assert translated(advice(counts, 0)).startswith("[Record crying too")


@pytest.mark.usefixtures("brackets")
def test_other_sounds_are_translated_alone_and_inside_a_title() -> None:
    assert no_baby_title("dog") == "[No baby: [A dog]]"
    assert no_baby_title("") == "[Other sounds]"
    assert no_baby_title(None) == "[No baby]"
    assert sounds_texts({"dog": 190.0, "music": 20.0}) == ["[A dog]: 3 min", "[Music]: 20 s"]


def test_without_a_translation_it_is_english() -> None:
    sentence = message(Code.SOUND_TOO_LONG, path="{odd}.wav", minutes=60)
    assert translated(sentence) == "{odd}.wav is longer than 60 minutes."


@pytest.mark.usefixtures("brackets")
def test_a_complaint_of_the_monitor_is_translated_in_the_window(window: MainWindow, monitor: Monitor) -> None:
    monitor.complained.emit(message(Code.ALERT_SOUND_NOT_KEPT, reason="No space left on device"))
    assert window.complaint_view.label.text().startswith("[The sound of an alert could not be kept: No space")


@pytest.mark.usefixtures("brackets")
def test_a_complaint_of_the_recorder_is_translated_in_the_window(window: MainWindow, monitor: Monitor) -> None:
    window.show_label()
    monitor.recorder.take_last()
    assert window.complaint_view.label.text() == "[There is no sound to keep: nothing has been heard yet.]"
