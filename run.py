#!/usr/bin/env python3
"""Set up Baby Monitor in this folder and run it.

    python3 run.py                    set up what is missing, then open the monitor
    python3 run.py watch demo         any further words go to the app
    python3 run.py trainer …          the same, with what training needs (PyTorch)
    python3 run.py test …             set up everything, check lint, types and imports, run the tests
    python3 run.py setup [app|trainer|test]     set up only

Only the standard library is used, because nothing else is installed yet. Everything is installed into `.venv` beside
this file (or the folder named by the environment variable BABYMONITOR_VENV), from the pinned lists in requirements/.
A stamp in that folder, written last, records what was installed: a second start compares it, installs nothing and
starts the app at once. On Windows write `py run.py` for `python3 run.py`.
"""

from __future__ import annotations

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 — for people with an older Python
    sys.exit(f"Baby Monitor needs Python 3.11 or newer; this is {sys.version.split()[0]}. Nothing was changed.")

# Modules that only set-up needs are imported there, so that a second start is as fast as possible.
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

# The lists that each profile installs, in this order. Each list is complete (it pins everything below it too), and all
# were resolved together, so that installing a larger one after a smaller one changes no version.
PROFILES: dict[str, tuple[str, ...]] = {
    "app": ("app.txt",),
    "trainer": ("app.txt", "torch.txt", "trainer.txt"),
    "test": ("app.txt", "torch.txt", "trainer.txt", "test.txt"),
}
# Said to the person before each step: what it is, and roughly how much is downloaded.
STEPS: dict[str, str] = {
    "app.txt": "the app's parts (about 200 MB, once)",
    "torch.txt": "PyTorch for training, the CPU build (about 200 MB, once)",
    "trainer.txt": "what training needs (about 130 MB, once)",
    "test.txt": "what the tests need (about 50 MB, once)",
}

# Debian and Ubuntu packages by the library that each one brings. Whether a library loads is asked of the loader itself,
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
FONT = "fonts-dejavu-core"  # any font would do; this one is small
# The package through which a program that only knows ALSA (PortAudio) reaches PulseAudio, and the file that proves it.
ALSA_PLUGIN = ("libasound2-plugins", "*/alsa-lib/libasound_module_pcm_pulse.so")


class SetupError(Exception):
    """Set-up cannot continue; the text is one or two sentences for the person."""


# --------------------------------------------------------------------------------------------------- what is set up now


def digest(name: str) -> str:
    """Return the hash of requirements/`name`, which shows whether the list has changed."""
    return sha256((ROOT / "requirements" / name).read_bytes()).hexdigest()


def read_stamp() -> dict[str, Any]:
    """Return what `set_up` has installed completely; empty if nothing.

    {"installed": {list name: digest}, "system": {profile: {"needed": [packages], "missing": [packages]}}}
    """
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: dict[str, Any]) -> None:
    """Replace the stamp in one step, so that a kill leaves either the old or the new one."""
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    os.replace(part, STAMP)


def outdated_lists(profile: str, stamp: dict[str, Any]) -> list[str]:
    """Return the requirement lists of `profile` that are not installed in their present form."""
    if not PYTHON.exists():  # also if the Python that it was made with is gone and the link points nowhere
        return list(PROFILES[profile])
    installed = stamp.get("installed")
    if not isinstance(installed, dict):
        return list(PROFILES[profile])
    return [name for name in PROFILES[profile] if installed.get(name) != digest(name)]


# ------------------------------------------------------------------------------------------------------------ saying it


def say(text: str) -> None:
    """Print a line for the person, on standard error, because standard output carries `watch --json`."""
    print(text, file=sys.stderr, flush=True)


class Step:
    """Announces a step before it starts, and its duration after it ends."""

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
    """Run `command` and log everything it prints. Returns whether it succeeded."""
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
    """Run `command` without showing its output. Returns whether it succeeded."""
    import subprocess

    null = subprocess.DEVNULL
    return subprocess.call(command, stdin=null, stdout=null, stderr=null) == 0


def log_tail(lines: int = 12) -> str:
    """Return the end of the log, indented, for an error message."""
    try:
        text = LOG.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])


# ------------------------------------------------------------------------------------------------------ system packages


def needed_system_packages(profile: str) -> list[str]:
    """Return the Debian packages that `profile` needs on Linux. The list shows whether a package has been added."""
    if not LINUX:
        return []
    tests = [*TEST_PROGRAMS.values(), ALSA_PLUGIN[0]] if profile == "test" else []
    return [*APP_LIBRARIES.values(), FONT, *tests]


def missing_system_packages(profile: str) -> list[str]:
    """Return the Debian packages whose library or program is not found here. Empty on macOS and Windows."""
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
    """Return the words before `apt-get` that let it install without a password; None if there are none."""
    import shutil

    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run_quiet(["sudo", "-n", "true"]):
        return ["sudo", "-n"]
    return None


def install_system_packages(packages: list[str]) -> bool:
    """Install Debian packages if that needs no password; otherwise say how. Returns whether it was done."""
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
    # `env` passes the setting through sudo, which drops the environment.
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    with Step(f"system packages: {names}"):
        run_logged([*apt, "update"])  # if it fails, the present lists may still do
        done = run_logged([*apt, "install", "--no-install-recommends", *packages])
    if not done:
        say(f"The system packages could not be installed (log: {LOG}). To try it yourself:  apt-get install {names}")
    return done


# ------------------------------------------------------------------------------------------------------------- the venv


def make_venv(profile: str) -> None:
    """Make the virtual environment for `profile`, or repair an incomplete one. Raises SetupError."""
    import importlib.util
    import subprocess

    def has_pip() -> bool:
        return PYTHON.exists() and run_quiet([str(PYTHON), "-m", "pip", "--version"])

    if has_pip():
        return
    if VENV.exists() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists() and not is_ours(VENV):
        raise SetupError(f"{VENV} exists and is not a virtual environment of Python's. Please move it away first.")
    if importlib.util.find_spec("ensurepip") is None:
        # Debian keeps the part of Python that makes environments in a separate package.
        VENV.mkdir(parents=True, exist_ok=True)
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        # Everything that is missing at once, so that nobody has to type a password twice.
        if not LINUX or not install_system_packages([package, *missing_system_packages(profile)]):
            raise SetupError(
                f"Without {package} Python cannot make the folder for the app's parts. Then start this again."
            )
    say(f"Making the environment {VENV} …")
    # In a child process, because ensurepip may only just have been installed.
    process = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if process.returncode != 0 or not has_pip():
        raise SetupError(f"The environment could not be made:\n{process.stdout.strip()}")


def is_ours(folder: Path) -> bool:
    """Whether `folder` holds only files of this script, as after a set-up that ended before it made the environment."""
    return all(path.name.startswith("babymonitor-setup") for path in folder.iterdir())


def remove_half_installed() -> None:
    """Remove packages whose installation was interrupted.

    pip writes a package's RECORD last. A `*.dist-info` without it is left by an installation that was killed; pip would
    consider it complete, and the package would stay broken.
    """
    import shutil

    for information in VENV.glob("[Ll]ib*/**/site-packages/*.dist-info"):
        if not (information / "RECORD").is_file():
            shutil.rmtree(information, ignore_errors=True)
    for leftover in VENV.glob("[Ll]ib*/**/site-packages/~*"):  # where pip moves what it replaces
        shutil.rmtree(leftover, ignore_errors=True)


def pip_install(*arguments: str) -> bool:
    """Run `pip install` in the environment. Returns whether it succeeded."""
    flags = ["--disable-pip-version-check", "--no-input", "--no-warn-script-location", "--progress-bar=off"]
    # Packages in PYTHONPATH would be taken for installed ones.
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    return run_logged([str(PYTHON), "-m", "pip", "install", *flags, *arguments], env=clean)


def install_list(name: str) -> None:
    """Install requirements/`name`. Raises SetupError."""
    path = ROOT / "requirements" / name
    if name != "torch.txt":
        done = pip_install("-r", str(path))
    else:
        # On Linux the default index has a build with several GB of graphics-card libraries; pip finds the CPU build
        # ("+cpu") if an index or folder that has it is configured. Elsewhere the default build is the CPU one.
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


class SetupLock:
    """Lets only one set-up work on the environment while another one waits. The system frees it if the process dies."""

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
    """Write a `babymonitor` command beside the environment's Python, the same as `python -m babymonitor`."""
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
    """Whether the system packages of `profile` have been taken care of, successfully or not."""
    settled = stamp.get("system", {}).get(profile)
    return isinstance(settled, dict) and settled.get("needed") == needed_system_packages(profile)


def set_up(profile: str) -> dict[str, Any]:
    """Install what `profile` still lacks. Returns the new stamp."""
    with SetupLock():
        stamp = read_stamp()  # again, because another set-up may just have ended
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
            STAMP.unlink(missing_ok=True)  # while something changes, the stamp must not claim that all is installed
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
    """Become the environment's Python running `arguments`; on Windows, wait for it. Returns the exit status."""
    environment = dict(os.environ)
    # So that the app, and the trainer that it starts, is found from any folder.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    # -P keeps the current folder out of the import path: a file random.py there must not break the monitor.
    command = [str(PYTHON), "-P", *arguments]
    sys.stdout.flush()
    if not WINDOWS:
        os.execve(command[0], command, environment)
    import subprocess

    try:
        return subprocess.call(command, env=environment)  # Windows' exec would return to the prompt at once
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
    """Return pytest's options for several processes. A part of the tests is faster in a single one."""
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
    """Set up what the command in `arguments` needs, then run it. Returns the exit status."""
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
    """Whether all libraries that a window needs are installed. PortAudio does not count: without it the demo works."""
    return not set(missing_system_packages("app")) - {"libportaudio2", FONT}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
