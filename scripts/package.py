"""Build the installer for this system: stage a folder, have Briefcase build in it, measure the result.

    python scripts/package.py build [--template FOLDER]     the package, into dist/
    python scripts/package.py stage                         only the folder that Briefcase would build in
    python scripts/package.py contents FOLDER               a table of an unpacked package's content, by part

Run it with a Python that has Briefcase (pinned in requirements/test.txt). On Linux that Python must have the system's
version, because the package uses the system's Python.

Briefcase reads its tables from pyproject.toml only. The staged pyproject.toml is put together from [project] in ours,
the tables in briefcase.toml, and the pinned versions in requirements/. Only files that run are staged.
"""

from __future__ import annotations

import argparse
import compileall
import datetime
import os
import py_compile
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
APP = "babymonitor"

# The fields of [project] that concern the package. Dependencies are pinned instead, and the extras are for development.
PROJECT_KEYS = ("name", "version", "description", "readme", "requires-python", "license", "license-files", "authors")
# pip installs the training pack inside the app's own process, because a bundle contains no other Python.
INSTALLER = "pip"
PACK_LIST = "training-pack.txt"

# The parts of the table of contents, by the beginning of a path below the package; the first match counts.
PARTS = {
    "Qt (PySide6, shiboken6)": ("PySide6", "pyside6", "shiboken6"),
    "ONNX Runtime": ("onnxruntime",),
    "SciPy": ("scipy",),
    "NumPy": ("numpy",),
    "FFmpeg (PyAV)": ("av",),
    "ONNX (for teaching)": ("onnx", "ml_dtypes"),
    "libsndfile, soxr, sounddevice": ("soundfile", "_soundfile", "soxr", "sounddevice", "_sounddevice"),
    "pyqtgraph": ("pyqtgraph",),
    "pip (for the training pack)": ("pip",),
    "PyTorch": ("torch", "functorch", "torchgen"),
    "transformers": ("transformers", "tokenizers", "huggingface_hub", "hf_xet", "safetensors"),
    "librosa, numba": ("librosa", "numba", "llvmlite", "pooch", "audioread"),
    "scikit-learn, XGBoost": ("sklearn", "scikit_learn", "xgboost", "skl2onnx", "onnxmltools", "joblib"),
}
OURS = {
    "app/babymonitor": "Baby Monitor",
    "app/trainer": "the trainer",
    "app/models": "models",
    "app/resources": "sounds, icons, demo",
}


# ----------------------------------------------------------------------------------------------------------- staging


def pins(name: str) -> dict[str, str]:
    """Return the lines of requirements/`name`, by package name in lower case."""
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    pinned = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {line.partition("==")[0].lower(): line for line in pinned}


def requires() -> list[str]:
    """Return the packages in the bundle, pinned: the app's list, and pip for the training pack.

    PyTorch is not included; `babymonitor training-pack install` fetches it for those who train from scratch.
    """
    return [*pins("app.txt").values(), pins("test.txt")[INSTALLER]]


def pack_list() -> list[str]:
    """Return the packages of the training pack, pinned: the trainer's list without what the bundle contains."""
    carried = {line.partition("==")[0].lower() for line in requires()}
    lists = {**pins("torch.txt"), **pins("trainer.txt")}
    return [line for name, line in lists.items() if name not in carried]


def configuration() -> dict[str, Any]:
    """Return the staged pyproject.toml as a dictionary."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tables = tomllib.loads((ROOT / "briefcase.toml").read_text(encoding="utf-8"))
    tables["tool"]["briefcase"]["app"][APP]["requires"] = requires()
    return {"project": {name: project[name] for name in PROJECT_KEYS if name in project}, **tables}


def tracked(folder: str) -> list[Path]:
    """Return the files below `folder` that are under version control, else all of them; relative to the root."""
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]


def stage(folder: Path) -> Path:
    """Write the build folder anew, without anything that Briefcase built there before. Returns the folder."""
    import tomli_w

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = configuration()
    sources: Iterable[str] = settings["tool"]["briefcase"]["app"][APP]["sources"]
    for source in (*sources, "installers"):
        for path in tracked(source):
            if path.suffix in {".pyc", ".pyo"}:
                continue
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    for name in ("README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / "resources" / PACK_LIST).write_text("\n".join(pack_list()) + "\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text(tomli_w.dumps(settings), encoding="utf-8")
    return folder


# ---------------------------------------------------------------------------------------------------------- building


def briefcase(folder: Path, *words: str) -> None:
    """Run Briefcase in the staged folder; on failure, exit with its status."""
    command = [sys.executable, "-m", "briefcase", *words, "--no-input"]
    done = subprocess.run(command, cwd=folder, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def system_words() -> list[str]:
    """Return Briefcase's words for this system's platform and format."""
    return {"linux": ["linux", "system"], "darwin": ["macOS", "app"], "win32": ["windows", "app"]}[sys.platform]


def build(folder: Path, template: str, dist: Path) -> Path:
    """Stage, create, build and package. Returns the package in `dist`."""
    stage(folder)
    system = system_words()
    template_options = ["--config", f'template="{Path(template).resolve().as_posix()}"'] if template else []
    briefcase(folder, "create", *system, *template_options)
    strip_debugging(folder)
    compile_all(folder)
    briefcase(folder, "build", *system, *template_options)
    if system[0] == "linux":
        lay_over(folder)
    signing = ["--adhoc-sign"] if system[0] != "linux" or _knows_signing(folder) else []
    briefcase(folder, "package", *system, *template_options, *signing)
    built = sorted((folder / "dist").iterdir(), key=lambda path: path.stat().st_mtime)[-1]
    dist.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy2(built, dist / built.name))


def _knows_signing(folder: Path) -> bool:
    words = [sys.executable, "-m", "briefcase", "package", "linux", "system", "--help"]
    return "--adhoc-sign" in subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stdout


def compile_all(folder: Path) -> None:
    """Compile all Python in the bundle, which never writes bytecode itself, so that each start would compile it anew.

    The bytecode is marked as unchecked: it is valid for the source beside it, whatever time a package manager sets.
    """
    if sys.platform == "darwin":
        # The bundle there has its own Python, and its signature covers only what Briefcase itself put in.
        return
    for name in ("app", "app_packages"):
        for path in sorted((folder / "build").rglob(name)):
            if path.is_dir() and path.parent.name in {APP, "src", "system"}:
                compileall.compile_dir(
                    path,
                    quiet=2,
                    stripdir=str(path.parent),
                    prependdir=f"/usr/lib/{APP}",
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                    workers=1,
                )


def strip_debugging(folder: Path) -> None:
    """Strip the debugging symbols of PyAV: three quarters of its 214 modules. Other packages come without any."""
    if sys.platform.startswith("linux"):
        modules = [str(path) for path in (folder / "build").rglob("app_packages/av/**/*.so")]
        subprocess.run(["strip", "--strip-unneeded", *modules], check=True)


def lay_over(folder: Path) -> None:
    """Add the desktop's files to the Linux package: entry, metadata, file type, icon."""
    version = configuration()["project"]["version"]
    package = next(path.parent for path in (folder / "build").glob(f"*/*/*/{APP}-*/usr"))
    share = package / "usr" / "share"
    source = folder / "installers" / "linux"
    for entry in (share / "applications").glob("*.desktop"):
        entry.unlink()
    # Qt gives a Wayland desktop the name "babymonitor", by which the desktop finds the entry and its icon.
    places = {
        f"{APP}.desktop": share / "applications",
        "local.babymonitor.xml": share / "mime" / "packages",
        "local.babymonitor.metainfo.xml": share / "metainfo",
    }
    for name, place in places.items():
        place.mkdir(parents=True, exist_ok=True)
        text = (source / name).read_text(encoding="utf-8")
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        (place / name).write_text(text.replace("@VERSION@", version).replace("@DATE@", date), encoding="utf-8")
    scalable = share / "icons" / "hicolor" / "scalable" / "apps"
    scalable.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "resources" / "icons" / "app.svg", scalable / "local.babymonitor.svg")


# ------------------------------------------------------------------------------------------------------- what is in it


def contents(folder: Path, place: str = "") -> list[tuple[str, int, int]]:
    """Return (part, bytes, files) of an unpacked package, largest first. place: the folder's path in the package."""
    sizes: dict[str, list[int]] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            entry = sizes.setdefault(part_of(place + path.relative_to(folder).as_posix()), [0, 0])
            entry[0] += path.stat().st_size
            entry[1] += 1
    return sorted(((part, size, files) for part, (size, files) in sizes.items()), key=lambda row: -row[1])


def part_of(path: str) -> str:
    """Return the row of the table to which a file belongs."""
    for place, part in OURS.items():
        if f"/{place}/" in f"/{path}":
            return part
    for place in ("app_packages/", "site-packages/", "training-pack/"):
        _, separator, below = path.partition(place)
        if separator:
            name = below.partition("/")[0].replace("-", "_")
            # Names must match up to a separator, or "onnx" would also match "onnxruntime".
            for part, beginnings in PARTS.items():
                if any(name == word or name.startswith((f"{word}.", f"{word}_")) for word in beginnings):
                    return part
            return "other Python packages"
    return "launcher, desktop entry, icons, manual"


def table(rows: list[tuple[str, int, int]]) -> str:
    """Format the table as Markdown."""
    lines = ["| part | MB | files |", "|---|---:|---:|"]
    lines += [f"| {part} | {size / 1e6:.1f} | {files:,} |" for part, size, files in rows]
    total = sum(size for _, size, _ in rows), sum(files for _, _, files in rows)
    return "\n".join([*lines, f"| **all** | **{total[0] / 1e6:.1f}** | **{total[1]:,}** |"])


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="the package for this system, into dist/")
    building.add_argument(
        "--template",
        default=os.environ.get("BRIEFCASE_TEMPLATE", ""),
        help="a local copy of Briefcase's template (or BRIEFCASE_TEMPLATE); without it Briefcase fetches its own",
    )
    building.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the package goes")
    staging = commands.add_parser("stage", help="only the folder that Briefcase would build in")
    for command in (building, staging):
        command.add_argument("--folder", type=Path, default=ROOT / "build" / "package", help="where to build")
    measuring = commands.add_parser("contents", help="what is in an unpacked or installed package, by part")
    measuring.add_argument("package", type=Path)
    arguments = parser.parse_args(words)
    if arguments.command == "stage":
        print(stage(arguments.folder))
    elif arguments.command == "build":
        print(build(arguments.folder, arguments.template, arguments.dist))
    else:
        print(table(contents(arguments.package)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
