"""`babymonitor training-pack`: install or remove the packages for full training, or show whether they are there."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from babymonitor.core import training_pack

# Parts of PyTorch for compilers and its own developers only.
_NOT_NEEDED = ("torch/include", "torch/share/cmake", "torch/test", "bin", "share/man")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["install", "remove", "status"])
    parser.add_argument("--yes", action="store_true", help="install without asking")
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="take the files from this folder")
    parser.add_argument(
        "--index",
        default="",
        metavar="ADDRESS",
        help="look here too: on Linux, for PyTorch's build without graphics cards, whose address pytorch.org tells",
    )


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 on success, 1 on failure, 2 if this is not an installed program."""
    if not training_pack.is_offered():
        print("This program runs from source: python3 run.py trainer installs what training needs.", file=sys.stderr)
        return 2
    if arguments.action == "remove":
        training_pack.remove()
        print("The training pack is removed.")
        return 0
    if training_pack.is_installed():
        print(f"The training pack is installed, in {training_pack.folder()}.")
        return 0
    if arguments.action == "status":
        print(f"The training pack is not installed. To get it: {training_pack.HOW}")
        return 1
    return _install(arguments.source, arguments.index, arguments.yes)


def _install(source: Path | None, index: str, yes: bool) -> int:
    about = (
        "The training pack is PyTorch and what else training from scratch needs: about "
        f"{training_pack.ABOUT_MB_FETCHED} MB to fetch, {training_pack.ABOUT_MB_KEPT} MB in {training_pack.folder()}."
    )
    print(about)
    if not yes and not (sys.stdin and sys.stdin.isatty() and input("Install it? [y/N] ").strip().lower() == "y"):
        print("Nothing was installed; --yes installs without asking.")
        return 1
    free = shutil.disk_usage(training_pack.folder().parent).free // 10**6
    if free < 2 * training_pack.ABOUT_MB_KEPT:
        print(f"There is too little room on the disk: {free} MB are free.", file=sys.stderr)
        return 1
    part = training_pack.folder().with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)  # left by an interrupted installation
    lines = training_pack.pins().read_text(encoding="utf-8").split("\n")
    torch = [line for line in lines if line.startswith("torch==")]
    packages = [line for line in lines if line and line not in torch]
    if not (_install_torch(torch, part, source, index) and _pip(packages, part, source)):
        shutil.rmtree(part, ignore_errors=True)
        print(
            "The training pack could not be installed; nothing was changed. The lines above say why.", file=sys.stderr
        )
        return 1
    for name in _NOT_NEEDED:
        shutil.rmtree(part / name, ignore_errors=True)
    training_pack.seal(part)
    print(f"The training pack is installed, in {training_pack.folder()}.")
    return 0


def _install_torch(lines: list[str], part: Path, source: Path | None, index: str) -> bool:
    if not sys.platform.startswith("linux"):
        return _pip([line.replace("+cpu", "") for line in lines], part, source)  # other systems use the ordinary build
    # Never the ordinary build for Linux, which contains gigabytes for graphics cards.
    if _pip([*(["--extra-index-url", index] if index else []), *lines], part, source):
        return True
    if not index and source is None:
        print("PyTorch's build for Linux without graphics cards was not found; name its address by --index.")
    return False


def _pip(words: list[str], part: Path, source: Path | None) -> bool:
    """Install into the folder `part`, in this process, as an installed program contains no other Python."""
    from pip._internal.cli.main import main as pip

    flags = ["--target", str(part), "--no-deps", "--only-binary=:all:", "--no-compile", "--no-input", "--upgrade"]
    quiet = ["--disable-pip-version-check", "--no-warn-conflicts", "--no-cache-dir", "--progress-bar=off"]
    place = ["--no-index", "--find-links", str(source)] if source is not None else []
    return int(pip(["install", *flags, *quiet, *place, *words])) == 0
