"""The installers' configuration and content: read by Briefcase itself, staged, and started like a bundle."""

from __future__ import annotations

import configparser
import os
import re
import struct
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tiny_model
from PySide6.QtCore import QLockFile

import run
from babymonitor import __version__
from babymonitor.core import autostart, paths, training_pack
from babymonitor.core.model.classifier import ModelError
from babymonitor.core.settings import MODEL, PREVIOUS_MODEL, Settings
from babymonitor.terminal import open_model
from scripts import package

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = {"linux": "system", "macOS": "app", "windows": "app"}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package.stage(tmp_path_factory.mktemp("package") / "build")


def read_by_briefcase(staged: Path, system: str) -> Any:
    """Return the app's configuration for a system, as Briefcase reads and checks it."""
    from briefcase.config import DraftAppConfig, GlobalConfig, parse_config
    from briefcase.console import Console

    everything, apps = parse_config(staged / "pyproject.toml", system, SYSTEMS[system], console=Console())
    GlobalConfig(**everything)
    return DraftAppConfig(**apps["babymonitor"])


@pytest.mark.parametrize("system", SYSTEMS)
def test_briefcase_reads_it(staged: Path, system: str) -> None:
    app = read_by_briefcase(staged, system)
    assert str(app.version) == __version__
    assert (app.license, app.license_files) == ("MIT", ["LICENSE"])
    assert app.bundle_identifier == "local.babymonitor"
    assert all((staged / source).is_dir() for source in app.sources)
    assert all("==" in line for line in app.requires)
    names = {line.partition("==")[0] for line in app.requires}
    assert {"onnxruntime", "onnx", "scipy", "pyside6-essentials", "pip"} <= names
    assert not names & {"torch", "transformers", "librosa", "numba", "scikit-learn"}
    assert app.document_types["model"]["extension"] == "onnx"


def test_macos_permits_the_microphone_and_no_app_nap(staged: Path) -> None:
    app = read_by_briefcase(staged, "macOS")
    assert not app.universal_build
    assert "microphone" in app.permission["microphone"]
    assert app.info["NSAppSleepDisabled"] is True


def test_windows_keeps_the_recordings_unless_asked(staged: Path) -> None:
    app = read_by_briefcase(staged, "windows")
    assert not app.system_installer
    (name, option), *more = app.uninstall_options.items()
    assert not more
    assert not option["default"]
    script = (staged / app.pre_uninstall_script).read_text()
    assert f'if not "%OPTION_{name.upper()}%"=="1" exit /b 0' in script.splitlines()


def test_the_debian_package_depends_on_what_the_source_start_needs(staged: Path) -> None:
    tables = tomllib.loads((staged / "pyproject.toml").read_text())["tool"]["briefcase"]["app"]["babymonitor"]
    required = set(tables["linux"]["system"]["debian"]["system_runtime_requires"])
    assert {*run.APP_LIBRARIES.values(), run.FONT, run.ALSA_PLUGIN[0]} <= required


_LOAD_EVERYTHING = """
import importlib, pathlib, sys
import babymonitor.app, pyqtgraph
from PySide6.QtGui import QIcon
app = pyqtgraph.mkQApp()
plot = pyqtgraph.PlotWidget()
plot.plot([0, 1], [0, 1])
plot.addItem(pyqtgraph.ImageItem())
plot.grab()
QIcon(sys.argv[1]).pixmap(16, 16).save(sys.argv[2])
for name in sys.argv[3:]:
    importlib.import_module(name)
files = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
files |= {line.split()[-1] for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if "/" in line}
print(*sorted(files), sep="\\n")
"""


def test_nothing_that_the_program_loads_is_pruned(staged: Path, tmp_path: Path) -> None:
    """Imports everything and draws a plot; the trial in a clean Debian tests the complete program."""
    drawing = str(ROOT / "resources" / "icons" / "app.svg")
    modules = ["onnx", "onnxruntime", "scipy.signal", "scipy.optimize", "scipy.stats", "av", "soxr", "soundfile"]
    command = [sys.executable, "-c", _LOAD_EVERYTHING, drawing, str(tmp_path / "icon.png"), *modules]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "BABYMONITOR_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = [
        f"app_packages/{line.partition('site-packages/')[2]}" for line in done.stdout.split() if "site-pack" in line
    ]
    assert len(loaded) > 300
    patterns = read_by_briefcase(staged, "linux").cleanup_paths
    expressions = [re.compile(_as_expression(pattern)) for pattern in patterns]
    pruned = [name for name in loaded if any(expression.match(name) for expression in expressions)]
    assert not [name for name in pruned if "Test" not in name], "pyqtgraph tries to import QtTest, and works without it"


def _as_expression(pattern: str) -> str:
    """Convert a Briefcase glob to a regular expression: ** is any folders, * stays within a name."""
    parts = [re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("/")]
    return "/".join(parts).replace("[^/]*[^/]*/", "(?:.*/)?") + "(?:/.*)?$"


def test_no_table_is_written_twice() -> None:
    assert "briefcase" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert set(tomllib.loads((ROOT / "briefcase.toml").read_text())) == {"tool"}


def test_only_what_runs_is_staged(staged: Path) -> None:
    names_at_top = {path.name for path in staged.iterdir()}
    wanted = {"babymonitor", "trainer", "models", "resources", "installers", "pyproject.toml"}
    assert names_at_top == wanted | {"README.md", "LICENSE", "CHANGELOG.md"}
    names = [path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith(".pyc") or "test" in Path(name).stem.split("_")]
    assert "models/default.onnx" in names


def test_the_training_pack_holds_what_the_package_does_not() -> None:
    pack = {line.partition("==")[0].lower() for line in package.pack_list()}
    assert {"torch", "librosa", "transformers"} <= pack
    assert not pack & {line.partition("==")[0] for line in package.requires()}


# ---------------------------------------------------------------------------------------------------- one entry point

# What Briefcase's launchers do: run the module as __main__, with the folder on the path, without site and bytecode.
# `hidden` are modules that the package lacks.
_LAUNCHER = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
hidden = set(sys.argv[2].split(","))
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
sys.meta_path.insert(0, Missing())
sys.argv[1:] = sys.argv[3:]
try:
    runpy._run_module_as_main("babymonitor", alter_argv=False)
finally:
    print("Qt was loaded" if "PySide6" in sys.modules else "without Qt")
"""


def started(staged: Path, home: Path, *words: str, hidden: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BABYMONITOR_HOME": str(home)}
    command = [sys.executable, "-P", "-c", _LAUNCHER, str(staged), hidden, *words]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)


def test_the_trainer_is_dispatched_before_qt(staged: Path, tmp_path: Path) -> None:
    done = started(staged, tmp_path, "trainer", "--help", hidden="PySide6")
    assert done.returncode == 0, done.stderr
    assert "teach" in done.stdout
    assert "without Qt" in done.stdout


def test_without_the_training_pack_one_sentence_says_how_to_get_it(staged: Path, tmp_path: Path) -> None:
    done = started(staged, tmp_path, "trainer", "families", hidden="torch")
    assert done.returncode == 2
    assert training_pack.HOW in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_teaching_does_not_need_the_training_pack(staged: Path, tmp_path: Path) -> None:
    hidden = ",".join(line.partition("==")[0] for line in package.pack_list()) + ",sklearn"
    done = started(staged, tmp_path, "trainer", "teach", "--help", hidden=hidden)
    assert done.returncode == 0, done.stderr
    program = (
        f"import sys; sys.path.insert(0, {str(staged)!r}); sys.modules.update(dict.fromkeys({hidden!r}.split(',')))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{program}; import trainer.home.teach"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --------------------------------------------------------------------------------------------------- the training pack


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this process look like an installed program; returns the file that lists its training pack."""
    pins = tmp_path / "resources" / "training-pack.txt"
    pins.parent.mkdir()
    pins.write_text("torch==2.13.0\n")
    monkeypatch.setattr(training_pack, "pins", lambda: pins)
    monkeypatch.setenv("BABYMONITOR_HOME", str(tmp_path / "home"))
    return pins


def write_pack() -> None:
    part = training_pack.folder().with_suffix(".part")
    part.mkdir()
    (part / "in_the_training_pack.py").write_text("")
    training_pack.seal(part)


def test_a_pack_is_found_once_it_is_complete(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    training_pack.folder().mkdir(parents=True)  # as left by an interrupted installation
    training_pack.activate()
    assert not training_pack.is_installed()
    assert str(training_pack.folder()) not in sys.path
    write_pack()
    training_pack.activate()
    assert training_pack.is_installed()
    assert sys.path[-1] == str(training_pack.folder())


def test_a_pack_for_another_list_does_not_count(bundle: Path) -> None:
    write_pack()
    bundle.write_text("torch==2.14.0\n")
    assert not training_pack.is_installed()
    training_pack.remove()
    assert not training_pack.folder().exists()


def test_a_start_from_source_offers_no_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not training_pack.is_offered()
    assert "run.py trainer" in training_pack.sentence("torch")


# ------------------------------------------------------------------------------------------------------ on the desktop


def test_it_starts_at_login_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "with a space"))
    monkeypatch.setattr(paths, "program", lambda: (["/usr/bin/babymonitor"], {}))
    assert not autostart.is_on()
    autostart.turn_on()
    assert autostart.is_on()
    entry = configparser.ConfigParser(interpolation=None)
    entry.read(autostart.entry())
    assert entry["Desktop Entry"]["Exec"] == "/usr/bin/babymonitor"
    autostart.turn_off()
    autostart.turn_off()
    assert not autostart.is_on()


def test_a_model_file_is_checked_copied_and_taken_into_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABYMONITOR_HOME", str(tmp_path / "home"))
    model = tiny_model.write(tmp_path / "ours.onnx")
    assert open_model.take_into_use(model)
    installed = paths.models_folder() / "ours.onnx"
    assert Settings(paths.settings_file())[MODEL] == str(installed)
    assert installed.read_bytes() == model.read_bytes()
    (tmp_path / "downloads").mkdir()
    namesake = tiny_model.write(tmp_path / "downloads" / "ours.onnx", name="another")
    open_model.take_into_use(namesake)
    assert installed.read_bytes() == model.read_bytes(), "another model of the same name replaces nothing"
    assert Path(Settings(paths.settings_file())[MODEL]).read_bytes() == namesake.read_bytes()
    assert Settings(paths.settings_file())[PREVIOUS_MODEL] == str(installed), "the way back"
    for file in (model, installed):
        open_model.take_into_use(file)
        assert Settings(paths.settings_file())[MODEL] == str(installed)
    broken = tmp_path / "theirs.onnx"
    broken.write_bytes(b"not ours")
    with pytest.raises(ModelError):
        open_model.take_into_use(broken)
    assert Settings(paths.settings_file())[MODEL] == str(installed)


def test_an_open_window_keeps_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABYMONITOR_HOME", str(tmp_path / "home"))
    lock = QLockFile(str(paths.data_folder() / "lock"))
    assert lock.tryLock(0)
    assert "Settings" in open_model.take_into_use(tiny_model.write(tmp_path / "ours.onnx"))
    assert (paths.models_folder() / "ours.onnx").is_file()
    assert not Settings(paths.settings_file())[MODEL]
    lock.unlock()


def test_the_desktop_files_agree() -> None:
    folder = ROOT / "installers" / "linux"
    entry = configparser.ConfigParser(interpolation=None)
    entry.read(folder / "babymonitor.desktop")
    mime_types = ElementTree.parse(folder / "local.babymonitor.xml").getroot()
    metadata = ElementTree.parse(folder / "local.babymonitor.metainfo.xml").getroot()
    mime = mime_types[0].get("type")
    assert entry["Desktop Entry"]["MimeType"] == f"{mime};"
    assert metadata.findtext("provides/mediatype") == mime
    assert metadata.findtext("launchable") == "babymonitor.desktop"
    assert metadata.findtext("id") == entry["Desktop Entry"]["Icon"] == "local.babymonitor"


def test_icons_are_there_in_every_size() -> None:
    folder = ROOT / "installers" / "icons"
    for size in (16, 32, 64, 128, 256, 512):
        assert struct.unpack(">II", (folder / f"app-{size}.png").read_bytes()[16:24]) == (size, size)
    windows = (folder / "app.ico").read_bytes()
    count = struct.unpack("<HHH", windows[:6])[2]
    assert [windows[6 + 16 * entry] or 256 for entry in range(count)] == [16, 32, 48, 64, 256]
    macos = (folder / "app.icns").read_bytes()
    assert macos[:4] == b"icns"
    assert struct.unpack(">I", macos[4:8])[0] == len(macos)


def test_the_content_of_a_package_is_listed_by_part() -> None:
    assert package.part_of("usr/lib/babymonitor/app_packages/onnxruntime/capi/a.so") == "ONNX Runtime"
    assert package.part_of("usr/lib/babymonitor/app_packages/onnx/a.py") == "ONNX (for teaching)"
    assert package.part_of("usr/lib/babymonitor/app_packages/av.libs/a.so") == "FFmpeg (PyAV)"
    assert package.part_of("usr/lib/babymonitor/app/models/default.onnx") == "models"
