"""Photograph every page in every theme and size, with sound and a synthetic night: `scripts/screenshots.py FOLDER`.

The pictures are for looking at. Use a screen or Xvfb for real fonts (`xvfb-run -s "-screen 0 1600x1000x24"`).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

RATE = 16000
SIZES = ((1024, 640), (1440, 900))
THEMES = ("light", "dark", "night")
SILENCE = {"hungry": 0.01, "pain": 0.0, "tired": 0.01, "sad": 0.01, "happy": 0.02, "natural": 0.03, "background": 0.92}
BABBLE = {"hungry": 0.01, "pain": 0.0, "tired": 0.02, "sad": 0.01, "happy": 0.11, "natural": 0.79, "background": 0.06}
CRYING = {"hungry": 0.55, "pain": 0.09, "tired": 0.21, "sad": 0.11, "happy": 0.01, "natural": 0.02, "background": 0.01}

SOUNDS = {"talking": 0.5, "dog": 0.1, "music": 0.06, "vehicle": 0.08, "coughing": 0.03, "household": 0.02}
"""Beside crying: the share of a minute in which each is heard, where it is heard at all."""


def demo_sound() -> npt.NDArray[np.float32]:
    """Twelve seconds, (samples,) at 16 kHz: a quiet room, babble, and crying."""
    from resources import synthesise

    random = np.random.default_rng(7)
    wave = np.zeros(12 * RATE, np.float32)
    for begin, sound in (
        (0.0, synthesise.room_tone(12.0, random)),
        (2.2, synthesise.babble(2.6, random)),
        (5.6, synthesise.cry(6.2, random)),
    ):
        start = int(begin * RATE)
        wave[start : start + sound.size] += sound[: wave.size - start]
    return np.clip(wave, -1, 1)


def fill_history(history: object, clips: Path) -> None:
    """Write a night with babble, three wakings and a lost microphone, and some nights before it."""
    from babymonitor.core.history.history import History, Minute

    assert isinstance(history, History)
    random = np.random.default_rng(3)
    # Noon before the last complete night.
    noon = time.mktime((*time.localtime(time.time() - 36 * 3600)[:3], 12, 0, 0, 0, 0, -1))
    for night in range(9):
        start = noon - night * 86400 + 7.2 * 3600 + random.uniform(0, 2400)
        stop = start + 10.6 * 3600
        cries = [start + hours * 3600 for hours in ((0.3, 3.35, 7.1, 7.25) if night % 3 == 0 else (1.4, 6.0))]
        gap = (start + 5.2 * 3600, start + 5.45 * 3600) if night in (0, 4) else (0.0, 0.0)
        if gap[0]:
            history.end_gap(history.add_gap("deaf", "The microphone was unplugged.", gap[0]), gap[1])
        lengths = [float(random.uniform(40, 420)) for _ in cries]
        for began, length in zip(cries, lengths, strict=True):
            shares = random.dirichlet((5, 1.2, 2, 1.5))
            id = history.add_alert("crying", began, began + 1.3, float(random.uniform(-22, -9)), 0.97)
            reasons = dict(zip(("hungry", "pain", "tired", "sad"), map(float, shares), strict=True))
            history.update_alert(id, began + length, float(random.uniform(-22, -9)), 0.98, reasons)
            if random.random() < 0.85:
                (clips / f"{id}.flac").touch()
                history.set_clip(id, f"{id}.flac")
        for began in range(int(start // 60 * 60), int(stop), 60):
            if gap[0] - 60 < began < gap[1]:
                continue
            seconds = {"background": 60.0}
            if any(cry - 60 < began < cry + length for cry, length in zip(cries, lengths, strict=True)):
                seconds = {"crying": 42.0, "background": 18.0}
            elif any(-900 < began - cry - length < 1500 for cry, length in zip(cries, lengths, strict=True)):
                if random.random() < 0.4:
                    seconds = {"natural": 30.0, "background": 30.0}
            elif began > stop - 2400 and random.random() < 0.6:
                seconds = {"happy": 22.0, "natural": 22.0, "background": 16.0}
            sounds = {"quiet": 50.0, "": 6.0, "breathing": 2.5}
            if night == 0:
                sounds |= {name: 60.0 * share for name, share in SOUNDS.items() if random.random() < 0.2}
            level, crying = float(random.uniform(-58, -40)), seconds.get("crying", 0.0) / 60
            history.put_minute(Minute(began, level, crying, seconds, sounds=sounds))
        heard_then = {"dog": 3.1, "": 0.8, "talking": 0.6}
        began = start + 4.1 * 3600
        history.add_near_miss(began, began + 4.2, 0.46, -33.0, SILENCE, sounds=heard_then, threshold=0.6)


def fill_library(library: object) -> None:
    """Add clips of every label from several nights, one label of the person's own, and clips without a label."""
    from babymonitor.core.library.library import Library
    from resources import synthesise

    assert isinstance(library, Library)
    random = np.random.default_rng(5)
    now = time.time()
    counts = {"hungry": 26, "tired": 19, "pain": 5, "sad": 11, "happy": 13, "natural": 22, "background": 34, "door": 3}
    for name, count in counts.items():
        for number in range(count):
            if name in CRYING and CRYING[name] > 0.05:
                wave = synthesise.cry(2.5, random)
            elif name in ("happy", "natural"):
                wave = synthesise.babble(2.0, random)
            else:
                wave = synthesise.room_tone(1.5, random, level_db=-45.0)
            night = number % 5
            library.add(
                np.asarray(np.clip(wave, -1, 1), np.float32),
                name,
                group=f"night-{night}",
                baby="Ben" if number % 3 == 2 else "Mia",
                source="night" if number % 2 else "microphone",
                recorded=now - 86400 * night - random.uniform(0, 36000),
                note="before the feed" if number % 7 == 3 else "",
            )
    for number in range(6):
        parts = (
            synthesise.room_tone(1.3, random),
            synthesise.cry(4.0 + number, random),
            synthesise.babble(2.0, random),
        )
        wave = np.asarray(np.clip(np.concatenate(parts), -1, 1), np.float32)
        group, recorded = f"recording-{number}", now - 300 * number - 40
        library.add(wave, "", group=group, baby="Mia", recorded=recorded, guess=CRYING)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--themes", nargs="*", default=THEMES, choices=THEMES)
    parser.add_argument("--sizes", nargs="*", default=[f"{w}x{h}" for w, h in SIZES])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    home = tempfile.TemporaryDirectory(prefix="babymonitor-screenshots-")
    os.environ["BABYMONITOR_HOME"] = home.name

    from PySide6.QtWidgets import QApplication

    from babymonitor.core import paths
    from babymonitor.core.history.history import History
    from babymonitor.core.library.library import Library
    from babymonitor.core.model.scorer import Score
    from babymonitor.core.settings import LISTEN_AT_START, THEME, Settings
    from babymonitor.core.sound.levels import level_db
    from babymonitor.core.state import Activity, MonitorState
    from babymonitor.live.monitor import Monitor
    from babymonitor.ui.pages.label.label_page import LabelPage
    from babymonitor.ui.pages.train.train_page import MODELS_TAB, TEACH_TAB, TrainPage
    from babymonitor.ui.window.main_window import MainWindow

    app = QApplication(sys.argv[:1])
    settings = Settings(paths.settings_file())
    settings[LISTEN_AT_START] = False
    history = History(paths.history_file())
    fill_history(history, paths.clips_folder())
    library = Library()
    fill_library(library)
    monitor = Monitor(settings, history)
    monitor.labels = tuple(CRYING)
    window = MainWindow(monitor, settings, history, lambda: (library, ""))
    window.complaint_view.setVisible(False)
    sound = demo_sound()

    sounds = {"dog": 0.86, "quiet": 0.04}

    def set_state(activity: Activity, probabilities: dict[str, float], **more: object) -> None:
        crying = sum(probabilities[name] for name in ("hungry", "pain", "tired", "sad"))
        reasons = {name: probabilities[name] / max(crying, 1e-9) for name in ("hungry", "pain", "tired", "sad")}
        monitor.state = MonitorState(activity, "Built-in microphone", **more)  # type: ignore[arg-type]
        monitor.state_changed.emit(monitor.state)
        for _ in range(0 if activity in (Activity.STOPPED, Activity.DEAF) else 8):
            level = level_db(sound[-4000:]) if crying > 0.5 else -57.0
            monitor.scored.emit(Score(0, 0.0, crying, level, probabilities, reasons, sounds))

    def settle(seconds: float = 0.3) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            app.processEvents()
            time.sleep(0.005)

    def photograph(name: str, widget: object = None) -> None:
        if monitor.state.activity not in (Activity.STOPPED, Activity.DEAF):
            monitor.ring.write(sound[-512:])
        settle()
        (widget or window).grab().save(str(arguments.folder / f"{name}.png"))  # type: ignore[attr-defined]

    def photograph_label(end: str) -> None:
        """Photograph a clip with a selection, the library with several selected clips, and the review."""
        window.show_label()
        page = window.pages.currentWidget()
        assert isinstance(page, LabelPage)
        page.show_labelling()
        view = page.labelling_view
        view.open(view.queue.ids[1])
        view.editor.set_region(1.4, 3.9)
        monitor.recorder.level_changed.emit(-31.0, False)
        photograph(f"label-{end}")
        page.show_library()
        page.library_view.table.choose([clip.id for clip in page.library_view.model.shown[7:12]])
        photograph(f"library-{end}")
        page.show_review()
        photograph(f"review-{end}")
        page.show_labelling()

    def photograph_training(end: str) -> None:
        """Photograph the tabs to teach and to choose models."""
        window.show_training()
        page = window.pages.currentWidget()
        assert isinstance(page, TrainPage)
        for name, tab in (("teach", TEACH_TAB), ("models", MODELS_TAB)):
            page.show_tab(tab)
            photograph(f"{name}-{end}")

    window.show()
    for theme in arguments.themes:
        settings[THEME] = theme
        for size in arguments.sizes:
            width, height = map(int, size.split("x"))
            window.resize(width, height)
            window.show_monitor()
            end = f"{theme}-{size}"
            monitor.ring.write(sound[: 7 * RATE] if theme == "light" else sound)
            set_state(Activity.LISTENING, BABBLE)
            photograph(f"monitor-babbling-{end}")
            monitor.ring.write(sound)
            set_state(Activity.CRYING, CRYING, since=time.time() - 24, alarm_sounding=True)
            photograph(f"monitor-crying-{end}")
            set_state(Activity.DEAF, SILENCE, detail="microphone unplugged, trying again", since=time.time() - 5)
            photograph(f"monitor-deaf-{end}")
            set_state(Activity.LISTENING, SILENCE, snoozed_until=time.time() + 600)
            photograph(f"monitor-snoozed-{end}")
            set_state(Activity.LISTENING, SILENCE)
            window.show_nights()
            nights = window.pages.currentWidget()
            nights.night_list.setCurrentRow(1)  # type: ignore[union-attr]
            photograph(f"nights-{end}")
            nights.kind_box.setCurrentIndex(nights.kind_box.findData("all"))  # type: ignore[union-attr]
            nights.alerts_view.selectRow(2)  # type: ignore[union-attr]
            photograph(f"nights-near-miss-{end}")
            nights.kind_box.setCurrentIndex(0)  # type: ignore[union-attr]
            nights.night_list.setCurrentRow(0)  # type: ignore[union-attr]
            photograph(f"nights-all-{end}")
            set_state(Activity.CRYING, CRYING, since=time.time() - 24, alarm_sounding=True)
            photograph(f"nights-crying-{end}")
            set_state(Activity.LISTENING, SILENCE)
            photograph_label(end)
            photograph_training(end)
            set_state(Activity.STOPPED, SILENCE)
            window.show_monitor()
            photograph(f"monitor-stopped-{end}")
            window.show_settings()
            assert window.settings_dialog is not None
            window.settings_dialog.section_list.setCurrentRow(1)
            photograph(f"settings-{end}", window.settings_dialog)
            window.settings_dialog.close()
    window.close_without_asking()
    monitor.shut_down()
    history.close()
    library.close()
    home.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main())
