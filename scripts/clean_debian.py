"""A clean Debian in a folder, with an ordinary user, a screen and a sound card, to try the package in."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO

USER = "carer"
HOME = f"/home/{USER}"
DATA = f"{HOME}/.local/share/babymonitor"
DISPLAY = ":77"
RATE = 16000
# They stand in for a room and a desk. What the app itself needs must come with the package.
STAND_INS = ["xvfb", "pulseaudio", "pulseaudio-utils", "desktop-file-utils", "shared-mime-info"]
ALSA = "pcm.!default { type pulse }\nctl.!default { type pulse }\npcm.pulse { type pulse }\n"
CHROOT = "/usr/sbin/chroot"


class TrialError(Exception):
    """Something that was expected did not happen."""


class Trial:
    """A Debian in a folder, the .deb to try there, and a log of what happens."""

    def __init__(self, root: Path, deb: Path, log: TextIO | None) -> None:
        self.root = root
        self.deb = deb
        self._log = log
        self._began = time.monotonic()
        self._running: list[subprocess.Popen[bytes]] = []

    # ------------------------------------------------------------------------------------------------ saying and doing

    def say(self, text: str) -> None:
        line = f"[{time.monotonic() - self._began:6.0f} s] {text}"
        for stream in (sys.stdout, self._log):
            if stream is not None:
                print(line, file=stream, flush=True)

    def expect(self, condition: object, text: str) -> None:
        """Log an expectation that is met; otherwise end the trial. Raises TrialError."""
        if not condition:
            raise TrialError(f"NOT SEEN: {text}")
        self.say(f"ok    {text}")

    def as_root(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root in the folder's Debian. Raises TrialError if it fails."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            [CHROOT, str(self.root), *words], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TrialError(
                f"{' '.join(words)} ended with {done.returncode}: {done.stdout[-600:]}{done.stderr[-600:]}"
            )
        return done

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """Return the command line and environment that run a command there as the user."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": HOME,
            "USER": USER,
            "LANG": "C.UTF-8",
            "DISPLAY": DISPLAY,
            "XDG_RUNTIME_DIR": f"{HOME}/run",
            "ALSA_CONFIG_PATH": f"{HOME}/alsa.conf",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }
        return [CHROOT, f"--userspec={USER}:{USER}", str(self.root), *words], environment

    def as_user(self, *words: str, seconds: float = 1800.0) -> subprocess.CompletedProcess[str]:
        """Run a command as the ordinary user, and wait for it."""
        command, environment = self.command(*words)
        return subprocess.run(
            command,
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a program as the ordinary user. It ends with the trial at the latest."""
        command, environment = self.command(*words)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._running.append(process)
        return process

    def close(self) -> None:
        for process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)

    def path(self, inside: str) -> Path:
        """Return a path of the folder's Debian as seen from outside."""
        return self.root / inside.lstrip("/")

    def give(self, path: Path) -> None:
        """Make the user the owner of files that were created from outside."""
        self.as_root("chown", "-R", f"{USER}:{USER}", "/" + path.relative_to(self.root).as_posix())

    def wait_for(self, seen: Callable[[], Any], event: str, seconds: float = 180.0) -> Any:
        """Return the first true result of `seen`. Raises TrialError after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, sqlite3.Error):
                if answer := seen():
                    return answer
            time.sleep(0.2)
        raise TrialError(f"NOT SEEN within {seconds:.0f} s: {event}")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return rows of the history in the user's folder."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.path(DATA)}/history.sqlite?mode=ro", uri=True)
        ) as database:
            return database.execute(sql).fetchall()


# ----------------------------------------------------------------------------------------------------- the clean Debian


def lay_out(root: Path, base: Path | None) -> None:
    """Install a clean Debian in a new folder, with this machine's package sources."""
    if base is not None:
        subprocess.run(["cp", "-a", f"{base}/.", str(root)], check=True)
    else:
        sources = Path("/etc/apt/sources.list.d/debian.sources").read_text(encoding="utf-8").splitlines()
        mirror = next(line.split()[1] for line in sources if line.startswith("URIs:"))
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root), mirror], check=True)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for folder in ("etc/apt/sources.list.d", "etc/apt/apt.conf.d"):
        for path in Path("/", folder).iterdir():
            if path.suffix in {".sources", ".list"} or "registry" in path.name:
                shutil.copy(path, root / folder)
    # This machine's access to a package index of its own, if it has one, for the training pack.
    for name in ("etc/resolv.conf", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt"):
        if Path("/", name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path("/", name), root / name)
    for folder in ("proc", "dev"):
        subprocess.run(["mount", "--rbind", f"/{folder}", str(root / folder)], check=True)
    for folder in filter(None, os.environ.get("PIP_FIND_LINKS", "").split()):
        if Path(folder).is_dir():
            # Copied rather than mounted: a mounted folder would be removed together with the trial's.
            shutil.copytree(folder, root / folder.lstrip("/"), dirs_exist_ok=True)


def set_up_room(trial: Trial) -> None:
    """Start a screen and a sound card as the user."""
    trial.path(f"{HOME}/run").mkdir(exist_ok=True, mode=0o700)
    trial.path(f"{HOME}/alsa.conf").write_text(ALSA)
    trial.give(trial.path(HOME))
    trial.begin("Xvfb", DISPLAY, "-screen", "0", "1280x900x24", "-nolisten", "tcp")
    modules = [
        "module-native-protocol-unix auth-anonymous=1",
        "module-null-sink sink_name=speaker rate=44100 channels=1",
        "module-null-sink sink_name=crib rate=16000 channels=1",
        "module-remap-source master=crib.monitor source_name=mic",
    ]
    words = [word for module in modules for word in ("-L", module)]
    trial.begin("pulseaudio", "--daemonize=no", "-n", "--exit-idle-time=-1", "--disable-shm=yes", *words)
    trial.wait_for(lambda: trial.as_user("pactl", "info").returncode == 0, "the sound server", 60)
    trial.as_user("pactl", "set-default-sink", "speaker")
    trial.as_user("pactl", "set-default-source", "mic")


def play_night(trial: Trial) -> subprocess.Popen[bytes]:
    """Play the demo's night into the microphone: half a minute of crying after quiet and babbling."""
    demo = "/usr/lib/babymonitor/app/resources/demo.flac"
    return trial.begin("paplay", "--device=crib", "--latency-msec=20", demo)


@contextlib.contextmanager
def window(trial: Trial) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, float]]]:
    """Run the installed window, and end it with TERM. Yields it with the seconds to its picture and first score."""
    log = trial.path(f"{DATA}/babymonitor.log")
    known = log.stat().st_size if log.exists() else 0
    began = time.time()
    process = trial.begin("babymonitor")

    def since(event: str) -> float:
        for line in log.read_text(errors="replace")[known:].splitlines():
            if event in line:
                return float(line.split()[0]) - began
        return 0.0

    seconds = {event: trial.wait_for(partial(since, event), event) for event in ("window visible", "first score")}
    try:
        yield process, seconds
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    # Errors while it closes are noted; errors while it listens end the trial.
    running, _, closing = log.read_text(errors="replace")[known:].partition(" INFO ended")
    if " ERROR " in running:
        raise TrialError(f"SEEN in the log: {running[running.index(' ERROR ') :][:600]}")
    if " ERROR " in closing:
        trial.say(f"      NOTE, in the log after its end: {closing.strip().splitlines()[-1]}")


def memory_of(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Return the MB that a process holds with shared libraries (RSS), and without them (anonymous memory).

    PSS would depend on which other processes have the same libraries open.
    """
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return kilobytes["Rss"] / 1000, kilobytes["Anonymous"] / 1000


def photograph(trial: Trial, target: Path) -> None:
    """Save the screen as a PNG."""
    program = (
        "import sys; from PySide6.QtGui import QGuiApplication; a = QGuiApplication(sys.argv[:1]);"
        "sys.exit(not a.primaryScreen().grabWindow(0).save(sys.argv[1]))"
    )
    environment = {**os.environ, "DISPLAY": DISPLAY, "QT_QPA_PLATFORM": "xcb"}
    subprocess.run([sys.executable, "-c", program, str(target)], env=environment, check=False, capture_output=True)
