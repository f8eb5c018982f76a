#!/usr/bin/env python3
"""Set up Baby Monitor in this folder and run it.

    python3 run.py                    set up what is missing, then open the monitor
    python3 run.py watch demo         any further words go to the app
    python3 run.py trainer …          the same, with what training needs (PyTorch)
    python3 run.py test …             set up everything, check lint, types and imports, run the tests
    python3 run.py setup [app|trainer|test]     set up only

Only the standard library is used, because nothing else is there yet. Everything is installed into `.venv` beside this
file (another place: the environment variable BABYMONITOR_VENV), from the pinned lists in requirements/. A stamp in that
folder, written last, remembers what was installed: a second start compares it, installs nothing and hands over to the
app at once. On Windows write `py run.py` for `python3 run.py`.
"""

from __future__ import annotations

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 — this is for whoever has an older one
    sys.exit(f"Baby Monitor needs Python 3.11 or newer; this is {sys.version.split()[0]}. Nothing was changed.")

# Whatever only set-up needs is imported where set-up uses it: a second start is to cost next to nothing.
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("BABYMONITOR_VENV") or ROOT / ".venv").absolute()
WINDOWS = os.name == "nt"
LINUX = sys.platform.startswith("linux")
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
STAMP = VENV / "babymonitor-setup.json"
LOG = VENV / "babymonitor-setup.log"

# What each profile installs, in this order. Each list is complete in itself (it pins everything below it too) and the
# three were resolved together, so installing a larger one after a smaller one changes no version.
PROFILES: dict[str, tuple[str, ...]] = {
    "app": ("app.txt",),
    "trainer": ("app.txt", "torch.txt", "trainer.txt"),
    "test": ("app.txt", "torch.txt", "trainer.txt", "test.txt"),
}
# Told to the person before each step: what it is and roughly what will be fetched.
STEPS: dict[str, str] = {
    "app.txt": "the app's parts (about 200 MB, once)",
    "torch.txt": "PyTorch for training, the CPU build (about 200 MB, once)",
    "trainer.txt": "what training needs (about 130 MB, once)",
    "test.txt": "what the tests need (about 50 MB, once)",
}

# Debian and Ubuntu packages by the library each one brings: whether a library loads is asked of the loader itself,
# which is right on every distribution and needs no package database.
APP_LIBRARIES: dict[str, str] = {
    "libportaudio.so.2": "libportaudio2",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libfontconfig.so.1": "libfontconfig1",
}
TEST_PROGRAMS: dict[str, str] = {
    "Xvfb": "xvfb",
    "pulseaudio": "pulseaudio",
    "pactl": "pulseaudio-utils",
    "xdotool": "xdotool",
    "chromium": "chromium",
}
FONT = "fonts-dejavu-core"  # any font will do; this one is small
# The package that lets a program which knows only ALSA (PortAudio) reach PulseAudio, and the file that proves it.
ALSA_PLUGIN = ("libasound2-plugins", "*/alsa-lib/libasound_module_pcm_pulse.so")


class SetupError(Exception):
    """Set-up cannot go on; the text is one or two sentences for the person."""


# --------------------------------------------------------------------------------------------------- what is set up now


def digest(name: str) -> str:
    """The fingerprint of requirements/`name`, by which a changed list is noticed."""
    return sha256((ROOT / "requirements" / name).read_bytes()).hexdigest()


def read_stamp() -> dict[str, Any]:
    """What was installed completely, as `set_up` writes it; empty when nothing was.

    {"installed": {list name: digest}, "system": {profile: {"needed": [packages], "missing": [packages]}}}
    """
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: dict[str, Any]) -> None:
    """Replace the stamp in one step, so that a kill leaves the old one or the new one."""
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    os.replace(part, STAMP)


def outdated_lists(profile: str, stamp: dict[str, Any]) -> list[str]:
    """The requirement lists of `profile` that are not installed as they stand."""
    if not PYTHON.exists():  # also when the Python it was made with has gone: the link points nowhere
        return list(PROFILES[profile])
    installed = stamp.get("installed")
    if not isinstance(installed, dict):
        return list(PROFILES[profile])
    return [name for name in PROFILES[profile] if installed.get(name) != digest(name)]


# ------------------------------------------------------------------------------------------------------------ saying it


def say(text: str) -> None:
    """One line for the person. On standard error: `watch --json` is read from standard output."""
    print(text, file=sys.stderr, flush=True)


class Step:
    """Announces a step before it starts and its duration after it ends."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> None:
        import time

        self.began_seconds = time.monotonic()
        say(f"Installing {self.text} …")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        import time

        if kind is None:
            say(f"  done in {time.monotonic() - self.began_seconds:.0f} s")


def run_logged(command: list[str], **more: Any) -> bool:
    """Run `command` with everything it prints going to the log file; whether it succeeded."""
    import subprocess

    with LOG.open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        try:
            return subprocess.call(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more) == 0
        except OSError as error:
            log.write(f"{error}\n")
            return False


def run_quiet(command: list[str]) -> bool:
    """Run `command` unseen; whether it succeeded."""
    import subprocess

    null = subprocess.DEVNULL
    return subprocess.call(command, stdin=null, stdout=null, stderr=null) == 0


def log_tail(lines: int = 12) -> str:
    """The end of the log, indented, for an error message."""
    try:
        text = LOG.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])


# ------------------------------------------------------------------------------------------------------ system packages


def needed_system_packages(profile: str) -> list[str]:
    """The Debian packages that `profile` asks for on Linux; by this list a new one is noticed."""
    if not LINUX:
        return []
    tests = [*TEST_PROGRAMS.values(), ALSA_PLUGIN[0]] if profile == "test" else []
    return [*APP_LIBRARIES.values(), FONT, *tests]


def missing_system_packages(profile: str) -> list[str]:
    """Names of the Debian packages whose library or program is not found here. Empty on macOS and Windows."""
    if not LINUX:
        return []
    import ctypes
    import shutil
    from glob import glob

    missing = []
    for library, package in APP_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if not any(path.suffix in {".ttf", ".otf", ".ttc", ".pfb"} for path in Path("/usr/share/fonts").rglob("*.*")):
        missing.append(FONT)
    if profile == "test":
        missing += [package for program, package in TEST_PROGRAMS.items() if not shutil.which(program)]
        package, pattern = ALSA_PLUGIN
        if not any(glob(f"{root}/{pattern}") for root in ("/usr/lib", "/usr/lib64", "/usr")):
            missing.append(package)
    return missing


def apt_prefix() -> list[str] | None:
    """The words before `apt-get` with which it may install here without asking, or None."""
    import shutil

    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run_quiet(["sudo", "-n", "true"]):
        return ["sudo", "-n"]
    return None


def install_system_packages(packages: list[str]) -> bool:
    """Install Debian packages where that may be done without a password; otherwise say how. Whether it was done."""
    import shutil

    if not packages:
        return True
    names = " ".join(packages)
    prefix = apt_prefix()
    if prefix is None:
        if shutil.which("apt-get"):
            say(f"Some system packages are missing and need your password. Please run:  sudo apt-get install {names}")
        else:
            say(
                "Some system libraries are missing. With your system's package manager, please install PortAudio and "
                f"Qt's xcb libraries (on Debian and Ubuntu they are called: {names})."
            )
        return False
    # `env` carries the setting through sudo, which drops the environment.
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    with Step(f"system packages: {names}"):
        run_logged([*apt, "update"])  # when it fails, the lists at hand may still do
        done = run_logged([*apt, "install", "--no-install-recommends", *packages])
    if not done:
        say(f"The system packages could not be installed (log: {LOG}). To try it yourself:  apt-get install {names}")
    return done


# ------------------------------------------------------------------------------------------------------------- the venv


def make_venv(profile: str) -> None:
    """Make the virtual environment for `profile`, or mend one whose making was interrupted."""
    import importlib.util
    import subprocess

    def has_pip() -> bool:
        return PYTHON.exists() and run_quiet([str(PYTHON), "-m", "pip", "--version"])

    if has_pip():
        return
    if VENV.exists() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists() and not is_ours(VENV):
        raise SetupError(f"{VENV} exists and is not a virtual environment of Python's. Please move it away first.")
    if importlib.util.find_spec("ensurepip") is None:
        # Debian keeps the part of Python that makes environments in a package of its own.
        VENV.mkdir(parents=True, exist_ok=True)
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        # All that is missing at once, so that nobody has to type a password twice.
        if not LINUX or not install_system_packages([package, *missing_system_packages(profile)]):
            raise SetupError(
                f"Without {package} Python cannot make the folder for the app's parts. Then start this again."
            )
    say(f"Making the environment {VENV} …")
    # A child makes it: ensurepip may have been installed a moment ago.
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if made.returncode != 0 or not has_pip():
        raise SetupError(f"The environment could not be made:\n{made.stdout.strip()}")


def is_ours(folder: Path) -> bool:
    """Whether `folder` holds nothing but files of this script (a set-up that ended before the environment was made)."""
    return all(path.name.startswith("babymonitor-setup") for path in folder.iterdir())


def remove_half_installed() -> None:
    """Remove packages whose installation was cut short.

    pip writes a package's RECORD last. A `*.dist-info` without one is of an installation that was killed; pip would
    take it for complete and leave the package broken.
    """
    import shutil

    for information in VENV.glob("[Ll]ib*/**/site-packages/*.dist-info"):
        if not (information / "RECORD").is_file():
            shutil.rmtree(information, ignore_errors=True)
    for leftover in VENV.glob("[Ll]ib*/**/site-packages/~*"):  # where pip parks what it is replacing
        shutil.rmtree(leftover, ignore_errors=True)


def pip_install(*arguments: str) -> bool:
    """`pip install` into the environment, quietly; whether it succeeded."""
    flags = ["--disable-pip-version-check", "--no-input", "--no-warn-script-location", "--progress-bar=off"]
    # PYTHONPATH would let packages from elsewhere pass for installed.
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    return run_logged([str(PYTHON), "-m", "pip", "install", *flags, *arguments], env=clean)


def install_list(name: str) -> None:
    """Install requirements/`name`."""
    path = ROOT / "requirements" / name
    if name != "torch.txt":
        done = pip_install("-r", str(path))
    else:
        # On Linux the ordinary index has a build with several GB of graphics-card libraries; pip finds the CPU build
        # ("+cpu") where an index or a folder that has it is configured. Elsewhere the ordinary build is the CPU one.
        wanted = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
        pins = ["-c", str(ROOT / "requirements" / "trainer.txt")]
        done = LINUX and pip_install(wanted, *pins)
        if not done:
            done = pip_install(wanted.removesuffix("+cpu"), *pins)
            if done and LINUX:
                say("  PyTorch's CPU build was not found; the larger ordinary build was taken. It works just as well.")
    if not done:
        raise SetupError(
            f"Installing {STEPS[name].split(' (')[0]} did not work. The last lines were:\n{log_tail()}\n"
            f"The whole log is {LOG}. Nothing is lost: the same command goes on from here."
        )


class OneAtATime:
    """Lets one set-up work on the environment while a second one waits. The system frees it should we die."""

    def __enter__(self) -> None:
        VENV.parent.mkdir(parents=True, exist_ok=True)
        self.file = VENV.with_name(VENV.name + ".lock.tmp").open("a+")
        if WINDOWS:
            import msvcrt

            msvcrt.locking(self.file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("Another set-up is at work here; waiting for it …")
                fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


def write_command() -> None:
    """Leave a `babymonitor` beside the environment's Python: the same program as `python -m babymonitor`."""
    import shlex

    if WINDOWS:
        text = f'@set "PYTHONPATH={ROOT};%PYTHONPATH%"\n@"{PYTHON}" -P -m babymonitor %*\n'
        PYTHON.with_name("babymonitor.cmd").write_text(text, encoding="utf-8")
        return
    command = PYTHON.with_name("babymonitor")
    path = f"PYTHONPATH={shlex.quote(str(ROOT))}${{PYTHONPATH:+:$PYTHONPATH}}"
    command.write_text(f'#!/bin/sh\n{path} exec {shlex.quote(str(PYTHON))} -P -m babymonitor "$@"\n', encoding="utf-8")
    command.chmod(0o755)


def system_is_settled(profile: str, stamp: dict[str, Any]) -> bool:
    """Whether the system packages of `profile` were seen to, with success or without."""
    seen = stamp.get("system", {}).get(profile)
    return isinstance(seen, dict) and seen.get("needed") == needed_system_packages(profile)


def set_up(profile: str) -> dict[str, Any]:
    """Install what `profile` still lacks; the new stamp."""
    with OneAtATime():
        stamp = read_stamp()  # again: another set-up may just have ended
        lists = outdated_lists(profile, stamp)
        if lists:
            make_venv(profile)
            LOG.write_text("", encoding="utf-8")
            if not stamp:
                remove_half_installed()
        missing = missing_system_packages(profile)
        if missing:
            install_system_packages(missing)
            missing = missing_system_packages(profile)
        installed = dict(stamp.get("installed", {}))
        if lists:
            STAMP.unlink(missing_ok=True)  # while anything is being changed it is not to claim that all is whole
        for name in lists:
            with Step(STEPS[name]):
                install_list(name)
            installed[name] = digest(name)
        write_command()
        system = {**stamp.get("system", {}), profile: {"needed": needed_system_packages(profile), "missing": missing}}
        stamp = {"installed": installed, "system": system}
        write_stamp(stamp)
        if lists:
            say("Set up.")
        return stamp


# --------------------------------------------------------------------------------------------------------- handing over


def hand_over(arguments: list[str]) -> int:
    """Become the environment's Python running `arguments`; on Windows, wait for it and return its exit status."""
    environment = dict(os.environ)
    # So that the app is found from whatever folder the person is in, and by the trainer it starts.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    # -P keeps the person's own folder out of the import path: a file random.py there is not to break the monitor.
    command = [str(PYTHON), "-P", *arguments]
    sys.stdout.flush()
    if not WINDOWS:
        os.execve(command[0], command, environment)
    import subprocess

    try:
        return subprocess.call(command, env=environment)  # Windows' exec would give the prompt back at once
    except KeyboardInterrupt:
        return 130


# What `run.py test` checks besides running the tests: a title and the words after `python`. Lint takes a second and is
# first; types and imports take most of a minute and are checked while the tests, which often wait, run.
CHECKS_BEFORE: dict[str, list[str]] = {
    "lint": ["-m", "ruff", "check", "."],
    "format": ["-m", "ruff", "format", "--check", "."],
}
CHECKS_BESIDE: dict[str, list[str]] = {
    "types": ["-m", "mypy"],
    "imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
}


def in_parallel() -> list[str]:
    """The words with which pytest runs everything in several processes; whoever asks for less has it sooner in one."""
    cores = os.cpu_count() or 1
    if cores == 1:
        return []
    # Two processes more than cores: tests in real time mostly wait. tests/distribution.py says which test comes when. A
    # process that dies ends the run: pytest-xdist would wait for its tests for ever.
    return ["-n", str(min(cores, 3) + 2), "--max-worker-restart", "0"]


class ChecksBeside:
    """Runs `CHECKS_BESIDE` in a thread while pytest runs. Their results are two files, which pytest waits for.

    pytest prints them (tests/conftest.py), because its closing line, which others read, is to be the last one:
    `report` is what the checks that failed printed; `failed` names them, and is there when all have ended.
    """

    def __init__(self, environment: dict[str, str], failed: list[str]) -> None:
        import tempfile
        import threading

        self.folder = tempfile.TemporaryDirectory(prefix="babymonitor-checks-")
        self.environment = environment
        self.failed = failed
        environment["BABYMONITOR_CHECKS"] = self.folder.name
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        import subprocess

        pipe, merged = subprocess.PIPE, subprocess.STDOUT
        for title, words in CHECKS_BESIDE.items():
            command = [str(PYTHON), *words]
            done = subprocess.run(command, cwd=ROOT, env=self.environment, stdout=pipe, stderr=merged, check=False)
            if done.returncode != 0:
                self.failed.append(title)
                with Path(self.folder.name, "report").open("ab") as report:
                    report.write(f"— {title}\n".encode() + done.stdout)
        partial = Path(self.folder.name, "failed.part")
        partial.write_text(", ".join(self.failed), encoding="utf-8")
        partial.replace(partial.with_suffix(""))

    def close(self) -> None:
        self.thread.join()
        self.folder.cleanup()


def run_tests(arguments: list[str]) -> int:
    """Lint, format, types and import rules, and pytest with `arguments`; non-zero when any of them failed."""
    import subprocess

    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(PYTHON.parent), environment.get("PATH", "")])
    environment.pop("PYTHONPATH", None)
    failed = []
    for title, words in CHECKS_BEFORE.items():
        say(f"— {title}")
        if subprocess.call([str(PYTHON), *words], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL) != 0:
            failed.append(title)
    say(f"— tests, and beside them {', '.join(CHECKS_BESIDE)}")
    beside = ChecksBeside(environment, failed)
    pytest = [str(PYTHON), "-m", "pytest", *(arguments or in_parallel())]
    status = subprocess.call(pytest, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    beside.close()
    return status or (1 if failed else 0)


def main(arguments: list[str]) -> int:
    """Set up what the command in `arguments` needs, then run it; the exit status."""
    verb = arguments[0] if arguments else ""
    if verb in {"-h", "--help", "help"}:
        print((__doc__ or "").strip())
        if outdated_lists("app", read_stamp()):
            return 0
        print("\nThe app's own words:\n", flush=True)
        return hand_over(["-m", "babymonitor", "--help"])
    setting_up_only = verb == "setup"
    if setting_up_only:
        profile = arguments[1] if len(arguments) > 1 else "app"
        if profile not in PROFILES:
            say(f"There is nothing called {profile!r} to set up; there are: {', '.join(PROFILES)}.")
            return 2
    else:
        profile = verb if verb in {"trainer", "test"} else "app"

    try:
        stamp = read_stamp()
        if setting_up_only or outdated_lists(profile, stamp) or not system_is_settled(profile, stamp):
            stamp = set_up(profile)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on from here.")
        return 130

    if setting_up_only:
        return 0
    if verb == "test":
        return run_tests(arguments[1:])
    if not arguments and stamp["system"][profile]["missing"] and not window_libraries_load():
        say("The window's system libraries are missing, so the monitor runs in this terminal.")
        arguments = ["watch"]
    return hand_over(["-m", "babymonitor", *arguments])


def window_libraries_load() -> bool:
    """Whether every library that a window needs is there (PortAudio aside: without it there is still the demo)."""
    return not set(missing_system_packages("app")) - {"libportaudio2", FONT}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
