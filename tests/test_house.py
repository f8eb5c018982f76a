"""House rules that can be checked: direction of imports, what the app's process loads, what is committed."""

from __future__ import annotations

import ast
import os
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import babymonitor

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "librosa", "sklearn", "transformers", "numba", "onnx", "trainer"}
DRAWING = {"PySide6.QtGui", "PySide6.QtWidgets", "pyqtgraph"}


def tracked_files() -> list[Path]:
    """The files under version control; skips where this is not a checkout."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("This is not a git checkout: the committed files were not checked.")
    return [path for name in listing.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def modules_of(package: str) -> list[str]:
    """List the names of all modules below `package`, from the folder, without importing any."""
    folder = ROOT.joinpath(*package.split("."))
    if not folder.is_dir():
        return []
    names = [package]
    for module in pkgutil.iter_modules([str(folder)], f"{package}."):
        names += modules_of(module.name) if module.ispkg else [module.name]
    return names


def loaded_after_importing(modules: list[str]) -> set[str]:
    """Return the names of all modules that a fresh Python has loaded after importing `modules`."""
    program = f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_imports_run_one_way(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


def test_the_app_loads_nothing_that_only_training_needs() -> None:
    modules = modules_of("babymonitor")
    assert len(modules) > 20
    loaded = {name.partition(".")[0] for name in loaded_after_importing(modules)}
    assert not loaded & HEAVY


@pytest.mark.parametrize("package", ["babymonitor.core", "babymonitor.live", "babymonitor.terminal"])
def test_nothing_is_drawn_below_the_window(package: str) -> None:
    modules = modules_of(package)
    if not modules:
        pytest.skip(f"There is no {package} yet.")
    assert not loaded_after_importing(modules) & DRAWING


def test_the_command_line_starts_without_qt() -> None:
    loaded = loaded_after_importing(["babymonitor.__main__"])
    assert not {name.partition(".")[0] for name in loaded} & {"PySide6", "pyqtgraph", "onnxruntime", *HEAVY}


def test_live_names_no_widget_anywhere() -> None:
    """Imports inside functions count, too: the import contracts see them, a running program only when they run."""
    offenders = []
    for path in sorted((ROOT / "babymonitor" / "live").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            origin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            offenders += [f"{path.name}: {origin}{name}" for name in names if {origin[:-1], origin + name} & DRAWING]
    assert not offenders


def bindings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of every variable, parameter, attribute, function, class and import that `tree` binds."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.alias(name=name, asname=alias):
                yield node.lineno, alias or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case ast.MatchMapping(rest=str(name)):
                yield node.lineno, name


def parsed(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield each Python file below `folders`, with its syntax tree."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", ["babymonitor", "trainer", "resources", "benchmarks", "scripts", "tests"])
def test_names_say_what_they_are_names_of(folder: str) -> None:
    vague = {"one", "told", "said", "heard", "whole"}
    offenders = [
        f"{path}:{line}: {name}"
        for path, tree in parsed(folder)
        for line, name in sorted(bindings(tree))
        if name in vague
    ]
    if offenders:
        pytest.fail("\n".join(offenders), pytrace=False)


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for path, tree in parsed("babymonitor", "trainer"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{path}:{node.lineno}")
    offenders = [f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items()) if len(paths) > 1]
    if offenders:
        pytest.fail("\n".join(offenders), pytrace=False)


@pytest.mark.parametrize(("folder", "most"), [("trainer", 5), ("babymonitor/ui", 4)])
def test_modules_lie_in_folders_by_their_job(folder: str, most: int) -> None:
    assert len(list((ROOT / folder).glob("*.py"))) <= most


LONG_MODULES: dict[str, int] = {}
"""Modules of more than 450 lines, with their lines: the list may only shrink."""


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_module_has_outgrown_a_readers_patience() -> None:
    assert {
        path.name: lines_of(path) for path in tracked_files() if path.suffix == ".py" and lines_of(path) > 600
    } == {}


def test_long_modules_become_fewer_and_shorter() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines_of(path)
        for folder in ("babymonitor", "trainer")
        for path in (ROOT / folder).rglob("*.py")
        if lines_of(path) > 450
    }
    grown = {name: lines for name, lines in long.items() if lines > LONG_MODULES.get(name, 0)}
    assert grown == {}, "a module over 450 lines may be two modules"
    assert LONG_MODULES.keys() <= long.keys(), "what is shorter now, or gone, leaves the list"


def test_nothing_large_is_committed() -> None:
    assert not [path for path in tracked_files() if path.stat().st_size > 10 * 2**20]


def test_every_model_file_has_its_card() -> None:
    for model in (ROOT / "models").glob("*.onnx"):
        card = model.with_suffix(".md")
        assert card.is_file(), f"{model.name} has no model card {card.name}"
        assert "licen" in card.read_text(encoding="utf-8").lower(), f"{card.name} does not say under which licence"


def test_requirement_lists_agree() -> None:
    """A package has the same pinned version in every list: a larger profile changes nothing of a smaller one."""
    lists = sorted((ROOT / "requirements").glob("*.txt"))
    assert [path.name for path in lists] == ["app.txt", "test.txt", "torch.txt", "trainer.txt"]
    versions: dict[str, dict[str, set[str]]] = {}
    for path in lists:
        for line in path.read_text(encoding="utf-8").splitlines():
            name, equals, version = line.partition(";")[0].strip().partition("==")
            assert equals, f"{path.name} does not pin {line!r}"
            # A package may have one version for each Python; then it has them in every list.
            versions.setdefault(name, {}).setdefault(path.name, set()).add(version)
    differing = {
        name: pins for name, pins in versions.items() if len({frozenset(numbers) for numbers in pins.values()}) > 1
    }
    assert differing == {}


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == babymonitor.__version__
    assert f"[{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_installer_tables_are_in_their_own_file() -> None:
    """Briefcase is handed pyproject.toml plus briefcase.toml: together they must be one valid file."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "[tool.briefcase" not in project
    both = tomllib.loads(project + "\n" + (ROOT / "briefcase.toml").read_text(encoding="utf-8"))
    app = both["tool"]["briefcase"]["app"]["babymonitor"]
    assert (ROOT / app["icon"]).with_suffix(".ico").is_file()
    assert app["macOS"]["universal_build"] is False
    assert app["macOS"]["permission"]["microphone"]


def test_no_registry_is_named_in_what_is_committed() -> None:
    """Where packages come from is the business of pip's own settings."""
    asks = ("--index-url", "--extra-index-url", "--find-links")
    for path in [*(ROOT / "requirements").glob("*.txt"), ROOT / "run.py", ROOT / ".ci" / "run"]:
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in asks), path.name
