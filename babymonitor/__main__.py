"""The command line: dispatches to a command or the window. Only the window's branch imports Qt."""

from __future__ import annotations

import argparse
import io
import os
import sys
from types import ModuleType

from babymonitor import __version__


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # Names of microphones and files may contain characters that the terminal cannot encode.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if argv[:1] == ["trainer"]:
        return _train(argv[1:])
    parser = argparse.ArgumentParser(prog="babymonitor", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"babymonitor {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    from babymonitor.terminal import autostart, devices, open_model, predict, selftest, training_pack, watch

    modules = {"watch": watch, "predict": predict, "devices": devices, "selftest": selftest, "open": open_model}
    modules |= {"autostart": autostart, "training-pack": training_pack}
    for name, module in modules.items():
        lines = (module.__doc__ or "").partition(": ")
        module.add_arguments(commands.add_parser(name, help=lines[2].rstrip(".\n"), description=lines[2]))
    commands.add_parser("trainer", help="train, evaluate and compare models", add_help=False)
    arguments = parser.parse_args(argv)
    if arguments.command in modules:
        status = _run(modules[arguments.command], arguments)
        if status and arguments.command == "open" and _has_screen() and not sys.stderr.isatty():
            _show(arguments.complaint)  # after a double click nobody sees a terminal
        if arguments.command != "open" or status:
            return status
    if not _has_screen():
        print("There is no screen: the monitor runs in the terminal.", flush=True)
        return watch.run(parser.parse_args(["watch"]))
    from babymonitor import app

    return app.run()


_DESCRIPTION = "Without a command: the window. Without a screen: the monitor in the terminal."


def _run(module: ModuleType, arguments: argparse.Namespace) -> int:
    try:
        status: int = module.run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`): discard the output that is still buffered.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _show(sentence: str) -> None:
    from PySide6.QtWidgets import QApplication, QMessageBox

    qt = QApplication(sys.argv[:1])
    QMessageBox.warning(None, "Baby Monitor", sentence)
    qt.quit()


def _has_screen() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def _train(argv: list[str]) -> int:
    from babymonitor.core import training_pack

    training_pack.activate()
    try:
        from trainer.__main__ import main as train

        return train(argv)
    except ModuleNotFoundError as error:
        print(training_pack.sentence(error.name or "a package"), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
