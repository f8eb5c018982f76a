"""Try a .deb as a caregiver would: in a clean Debian, as an ordinary user, from installation to removal.

    sudo .venv/bin/python scripts/try_package.py dist/babymonitor_….deb [--log docs/reports/installer.log]

Needs root and debootstrap, to install a Debian of its own in a folder, from the package sources of this machine. There
the program runs as the user `carer`, who has no privileges. The sound card is a private PulseAudio whose microphone
hears what is played into it, the screen is Xvfb, and the baby is resources/demo.flac. Each step logs what it saw; the
first failure ends the trial with status 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import package  # noqa: E402
from scripts.clean_debian import (  # noqa: E402
    DATA,
    DISPLAY,
    HOME,
    RATE,
    STAND_INS,
    USER,
    Trial,
    TrialError,
    lay_out,
    memory_of,
    photograph,
    play_night,
    set_up_room,
    window,
)
from trainer.audio import synthetic  # noqa: E402

OLDER = "0.0.1"


# ----------------------------------------------------------------------------------------------------------- the trial


def build_older(deb: Path, folder: Path) -> Path:
    """Repack the package under a lower version, with an additional file. The upgrade starts from this package."""
    tree = folder / "older"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text(encoding="utf-8").splitlines()
    lines = [f"Version: {OLDER}" if line.startswith("Version:") else line for line in lines]
    control.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tree / "usr/lib/babymonitor/app/babymonitor/only_in_the_older.py").write_text("")
    target = folder / f"babymonitor_{OLDER}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(target)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.rmtree(tree)
    return target


def installs(trial: Trial) -> None:
    """The older version, with apt, into a Debian that has nothing for it."""
    older = build_older(trial.deb, trial.root / "srv")
    trial.as_root("apt-get", "update", "-q")
    trial.as_root("useradd", "--create-home", USER)
    before = set(trial.as_root("dpkg-query", "-W", "-f", "${Package}\n").stdout.split())
    began = time.monotonic()
    trial.as_root("apt-get", "install", "-y", "--no-install-recommends", f"/srv/{older.name}")
    after = set(trial.as_root("dpkg-query", "-W", "-f", "${Package}\n").stdout.split())
    trial.expect(
        "babymonitor" in after,
        f"apt install ./babymonitor_{OLDER}.deb: {len(after - before)} packages, "
        f"{time.monotonic() - began:.0f} s; python3 itself is {'' if 'python3' in after else 'not '}there",
    )
    result = trial.as_user("babymonitor", "--version")
    trial.expect(result.returncode == 0, f"as {USER}: babymonitor --version says {result.stdout.strip()!r}")
    missing = [
        line
        for path in trial.path("/usr/lib/babymonitor").rglob("libq*.so")
        if "platforms/" in str(path)
        for line in trial.as_root("ldd", "/" + str(path.relative_to(trial.root))).stdout.splitlines()
        if "not found" in line
    ]
    names = ", ".join(sorted({line.split()[0] for line in missing}))
    trial.expect(not missing, f"every library that Qt's platform plugins ask for is there{names and ': not '}{names}")
    trial.as_root("apt-get", "install", "-y", "--no-install-recommends", *STAND_INS)
    trial.say("      (then the stand-ins for a screen, a microphone and a desktop)")
    set_up_room(trial)


def hears(trial: Trial) -> None:
    """The window hears a cry, raises the alarm, and writes it down in the user's folders."""
    result = trial.as_user("babymonitor", "autostart", "on")
    trial.expect(trial.path(f"{HOME}/.config/autostart").is_dir(), f"autostart on: {result.stdout.strip()}")
    with window(trial) as (process, seconds):
        figures = ", ".join(f"{event} after {value:.1f} s" for event, value in seconds.items())
        trial.say(f"ok    the window on Xvfb: {figures}")
        play_night(trial)
        rows = trial.wait_for(lambda: trial.query("SELECT kind, began, raised FROM alerts"), "an alert in the history")
        trial.expect(
            rows[0][0] == "crying",
            f"a cry through the microphone: alert {rows[0][0]!r}, {rows[0][2] - rows[0][1]:.1f} s after it began",
        )
        command, environment = trial.command(
            "parec", "--device=speaker.monitor", "--format=float32le", "--rate=44100", "--channels=1"
        )
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as recorder:
            assert recorder.stdout is not None
            sound = np.frombuffer(recorder.stdout.read(4 * 44100 * 4), np.float32)
            recorder.terminate()
        trial.expect(np.abs(sound).max() > 0.05, f"the alarm sounds: {20 * np.log10(np.abs(sound).max()):.0f} dBFS")
        photograph(trial, trial.root / "window.png")
        trial.say(
            f"      memory while it listens: {memory_of(process)[0]:.0f} MB, {memory_of(process)[1]:.0f} of it its own"
        )
        clips = trial.wait_for(lambda: list(trial.path(f"{DATA}/clips").rglob("*.flac")), "the alert's sound")
        trial.say(f"ok    its sound is kept: {clips[0].name}")
    owner = trial.path(f"{DATA}/history.sqlite").stat().st_uid
    trial.expect(owner >= 1000 and process.returncode == 0, f"history in {DATA}, owned by uid {owner}; a clean end")


def fingerprint(trial: Trial) -> dict[str, str]:
    """Return the hash of every file of the user, by path."""
    hashes = {}
    for folder in (DATA, f"{HOME}/.config"):
        for path in sorted(trial.path(folder).rglob("*")):
            # Reading the history, as this trial does, leaves SQLite's own files beside it.
            if path.is_file() and not path.name.endswith(("-shm", "-wal")) and "training-pack" not in path.parts:
                hashes[str(path.relative_to(trial.root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def upgrades(trial: Trial) -> None:
    """The new version over the older one; what the user has stays as it is."""
    mine, alerts = fingerprint(trial), trial.query("SELECT * FROM alerts")
    shutil.copy(trial.deb, trial.root / "srv" / "new.deb")
    trial.as_root("apt-get", "install", "-y", "--no-install-recommends", "/srv/new.deb")
    version = trial.as_root("dpkg-query", "-W", "-f", "${Version}", "babymonitor").stdout
    gone = not trial.path("/usr/lib/babymonitor/app/babymonitor/only_in_the_older.py").exists()
    trial.expect(version > OLDER and gone, f"upgraded from {OLDER} to {version}; what only the older one had is gone")
    trial.expect(fingerprint(trial) == mine, f"{len(mine)} files of the user's are as they were")
    with window(trial):
        trial.expect(
            trial.query("SELECT * FROM alerts")[: len(alerts)] == alerts, "the window opens on the same history"
        )
    trial.as_root("desktop-file-validate", "/usr/share/applications/babymonitor.desktop")
    kind = trial.as_user("sh", "-c", "grep -c onnx /usr/share/mime/globs2 /usr/share/applications/mimeinfo.cache")
    trial.expect(kind.returncode == 0, "the desktop entry is valid, and model files belong to it")
    result = trial.as_user("babymonitor", "selftest", "--quick")
    for line in result.stdout.splitlines():
        trial.say(f"      selftest  {line}")
    trial.expect(result.returncode == 0, "selftest")


def write_library(trial: Trial) -> str:
    """Write clips of a home as `Record & label` stores them: two reasons and an owl, in three recordings each."""
    rng = np.random.default_rng(3)
    folder = trial.path(f"{DATA}/library")
    for group in range(3):
        for take in range(2):
            for name, speed in (("hungry", 0.81), ("pain", 1.31)):
                wave = synthetic.cry(rng, 3 * RATE)
                positions = np.arange(0, wave.size - 1, speed)
                faster = np.interp(positions, range(wave.size), wave)
                _write(folder / name / f"recording-{group}" / f"{take}.flac", faster)
            times = np.arange(2 * RATE) / RATE
            hoot = 0.3 * np.sin(2 * np.pi * rng.uniform(420, 430) * times) * (np.sin(2 * np.pi * times) > 0)
            _write(folder / "owl" / f"night-2026-11-{group + 10}" / f"{take}.flac", hoot)
    trial.give(folder)
    return f"{DATA}/library"


def _write(path: Path, wave: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(wave, np.float32), RATE)


def uses(trial: Trial, model: str, title: str) -> None:
    """Take a model file into use as a double click does, and run the demo with it."""
    result = trial.as_user("timeout", "10", "babymonitor", "open", model)
    trial.expect("in use" in result.stdout, f"babymonitor open: {result.stdout.strip() or result.stderr.strip()}")
    installed = f"{DATA}/models/{Path(model).name}"
    with window(trial):
        name = json.loads(trial.path(f"{HOME}/.config/babymonitor/settings.json").read_text())["model"]
        trial.expect(name == installed, f"the window listens with {title} ({Path(installed).name})")
    lines = trial.as_user("babymonitor", "watch", "demo", "--fast", "--json", "--model", installed).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    scores = sum(event["event"] == "score" for event in events)
    alerts = sum(event["event"] == "alert" for event in events)
    trial.expect(scores > 10, f"watch demo with it: {scores} scores, {alerts} alerts")


def teaches(trial: Trial) -> None:
    """The bundled trainer teaches the model this home, without the training pack; the new model is used."""
    library = write_library(trial)
    model = "/usr/lib/babymonitor/app/models/default.onnx"
    output = f"{DATA}/runs/taught.onnx"
    began = time.monotonic()
    result = trial.as_user(
        "babymonitor",
        "trainer",
        "teach",
        "--model",
        model,
        "--data",
        library,
        "--output",
        output,
        "--comparison",
        f"{DATA}/runs/comparison.json",
        "--json",
    )
    trial.expect(
        result.returncode == 0,
        f"babymonitor trainer teach: {time.monotonic() - began:.0f} s, no training pack "
        f"{result.stderr.strip()[-300:] if result.returncode else ''}",
    )
    uses(trial, output, "the taught model")


def trains(trial: Trial) -> None:
    """Without the pack one sentence says how to get it; with it the bundle trains from scratch."""
    result = trial.as_user("babymonitor", "trainer", "families")
    trial.expect(
        result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1, f"without it: {result.stderr.strip()}"
    )
    began = time.monotonic()
    result = trial.as_user("babymonitor", "training-pack", "install", "--yes")
    trial.expect(
        result.returncode == 0,
        f"babymonitor training-pack install: {time.monotonic() - began:.0f} s"
        f"{(result.stdout + result.stderr)[-1500:] if result.returncode else ''}",
    )
    for line in package.table(package.contents(trial.path(f"{DATA}/training-pack"), "training-pack/")).splitlines():
        trial.say(f"      {line}")
    result = trial.as_user("babymonitor", "selftest")
    for line in result.stdout.splitlines():
        trial.say(f"      selftest  {line}")
    trial.expect(result.returncode == 0, "selftest, with a tiny epoch of training")
    library, output = f"{DATA}/library", f"{DATA}/runs/trained.onnx"
    began = time.monotonic()
    result = trial.as_user(
        "babymonitor",
        "trainer",
        "train",
        "--data",
        library,
        "--family",
        "cnn_tiny",
        "--epochs",
        "2",
        "--epoch-windows",
        "32",
        "--batch",
        "8",
        "--threads",
        "1",
        "--output",
        output,
        "--json",
    )
    trial.expect(
        result.returncode == 0,
        f"babymonitor trainer train: {time.monotonic() - began:.0f} s "
        f"{result.stderr.strip()[-300:] if result.returncode else ''}",
    )
    uses(trial, output, "the trained model")


def measures(trial: Trial, source: Path | None) -> None:
    """The size of what is installed, by part; its start-up and memory beside a source checkout's."""
    size = sum(path.stat().st_size for path in trial.path("/usr/lib/babymonitor").rglob("*") if path.is_file())
    trial.say(f"      the .deb: {trial.deb.stat().st_size / 1e6:.0f} MB; installed: {size / 1e6:.0f} MB")
    rows = package.table(package.contents(trial.path("/usr/lib/babymonitor")))
    for line in rows.splitlines():
        trial.say(f"      {line}")
    for name, command, prefix in (
        ("installed", *trial.command("babymonitor")),
        *([("source", [str(source), "-m", "babymonitor"], {**os.environ, "PYTHONPATH": str(ROOT)})] if source else []),
    ):
        home = trial.root / "tmp" / f"measured-{name}"
        runs = [start_once(trial, command, dict(prefix), home, name == "installed") for _ in range(4)][1:]
        for quantity in ("window visible", "first score", "MB", "MB of its own"):
            values = sorted(run[quantity] for run in runs)
            figures = f"{values[0]:.1f} / {values[1]:.1f} / {values[2]:.1f}"
            trial.say(f"      {name:9} {quantity}: {figures} (three starts, after one)")


def start_once(
    trial: Trial, command: list[str], environment: dict[str, str], home: Path, inside: bool
) -> dict[str, float]:
    """Start the window once with a folder of its own. Returns the seconds to its picture and first score, and MB."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    seen = "/" + home.relative_to(trial.root).as_posix() if inside else str(home)
    environment |= {"BABYMONITOR_HOME": seen, "DISPLAY": DISPLAY, "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
    if not inside:
        environment["PULSE_SERVER"] = f"unix:{trial.path(HOME)}/run/pulse/native"
        environment["ALSA_CONFIG_PATH"] = str(trial.path(f"{HOME}/alsa.conf"))
    began = time.time()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    log = home / "babymonitor.log"

    def since(event: str) -> float:
        return next((float(line.split()[0]) - began for line in log.read_text().splitlines() if event in line), 0.0)

    try:
        moments = {event: trial.wait_for(partial(since, event), event) for event in ("window visible", "first score")}
        time.sleep(10)
        total, own = memory_of(process)
        return {**moments, "MB": total, "MB of its own": own}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def removes(trial: Trial) -> None:
    """The package goes, and nothing of it stays; what is the user's stays."""
    mine = fingerprint(trial)
    trial.as_root("apt-get", "remove", "-y", "babymonitor")
    left = [
        path
        for path in ("/usr/lib/babymonitor", "/usr/bin/babymonitor", "/usr/share/applications/babymonitor.desktop")
        if trial.path(path).exists()
    ]
    left += [str(path) for path in trial.path("/usr/share").rglob("*babymonitor*")]
    trial.expect(not left, f"removed; left behind: {left or 'nothing'}")
    trial.expect(fingerprint(trial) == mine, f"{len(mine)} files of the user's are as they were")
    known = trial.as_root("dpkg-query", "-W", "-f", "${Package}\n").stdout.split()
    trial.expect("babymonitor" not in known, "nothing is left for apt purge either")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("deb", type=Path)
    parser.add_argument(
        "--root", type=Path, default=Path("/var/tmp/babymonitor-trial"), help="the folder for its Debian"
    )
    parser.add_argument("--base", type=Path, help="a Debian made by debootstrap before, to be copied")
    parser.add_argument("--log", type=Path, help="where to keep what was said")
    parser.add_argument("--without-training-pack", action="store_true", help="leave out what fetches PyTorch")
    parser.add_argument("--source", type=Path, help="the Python of a source checkout, to measure beside the package")
    parser.add_argument("--keep", action="store_true", help="leave the folder there")
    arguments = parser.parse_args()
    if "BABYMONITOR_TRIAL" not in os.environ:
        # A mount namespace of its own, whose mounts vanish with this process, however it ends.
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        return subprocess.call(words, env={**os.environ, "BABYMONITOR_TRIAL": "1"})
    if arguments.root.exists():
        print(f"{arguments.root} exists already.", file=sys.stderr)
        return 2
    arguments.root.mkdir(parents=True)
    log = arguments.log.open("w", encoding="utf-8") if arguments.log else None
    trial = Trial(arguments.root.resolve(), arguments.deb.resolve(), log)
    try:
        lay_out(trial.root, arguments.base)
        trial.say(
            f"a clean Debian {trial.path('/etc/debian_version').read_text().strip()}; the package {trial.deb.name}"
        )
        steps: list[Callable[[Trial], None]] = [installs, hears, upgrades, teaches]
        for step in [*steps, *([] if arguments.without_training_pack else [trains])]:
            trial.say(f"-- {step.__doc__}")
            step(trial)
        measures(trial, arguments.source)
        trial.say(f"-- {removes.__doc__}")
        removes(trial)
        trial.say("All of it was seen.")
        return 0
    except TrialError as error:
        trial.say(str(error))
        return 1
    finally:
        trial.close()
        if not arguments.keep:
            for folder in ("proc", "dev"):
                subprocess.run(["umount", "--recursive", "--lazy", str(trial.root / folder)], check=False)
            if f" {trial.root}/" not in Path("/proc/self/mounts").read_text():
                subprocess.run(["rm", "-rf", "--one-file-system", str(trial.root)], check=False)


if __name__ == "__main__":
    sys.exit(main())
