"""A screen and a sound card for a machine that has neither: Xvfb, and a private PulseAudio with a virtual microphone.

The microphone `mic` hears whatever is played into the sink `crib`; what the app plays goes into the sink `speaker`.
Unplugging is unloading PulseAudio's modules: PortAudio sees a device that dies, as it does when a cable is pulled.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import soundfile

_ALSA = "pcm.!default { type pulse }\nctl.!default { type pulse }\npcm.pulse { type pulse }\n"
_MICROPHONE = (
    ("module-null-sink", "sink_name=crib", "rate=16000", "channels=1"),
    ("module-remap-source", "master=crib.monitor", "source_name=mic"),
)
PLAYER = ("paplay", "--device=crib", "--latency-msec=200")
"""The command that plays a file into the microphone."""


class VirtualScreen:
    """An X server without a monitor; sets DISPLAY for this process."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
        self._process = _begin(command, pass_fds=[write_end])
        os.close(write_end)
        with os.fdopen(read_end) as numbers:
            os.environ["DISPLAY"] = f":{numbers.readline().strip()}"
        # There is no desktop here: looking for one would start a bus of its own, or wait for it.
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"

    def close(self) -> None:
        _end(self._process)
        os.environ.pop("DISPLAY", None)


class VirtualSoundCard:
    """A private PulseAudio; sets the environment so that PortAudio and `paplay` of this process find it."""

    def __init__(self) -> None:
        # A short path: the name of a socket may not be longer than about a hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pa"))
        (self.folder / "alsa.conf").write_text(_ALSA)
        os.environ["XDG_RUNTIME_DIR"] = str(self.folder)
        os.environ["ALSA_CONFIG_PATH"] = str(self.folder / "alsa.conf")
        for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH"):
            os.environ.pop(name, None)
        self._modules: list[str] = []
        self._silence: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []
        # Without shared memory: with it PulseAudio 16 aborts now and then when a client is killed (memblock.c:780).
        daemon = ["pulseaudio", "--daemonize=no", "-n", "--exit-idle-time=-1", "--disable-shm=yes"]
        modules = "module-native-protocol-unix", "module-cli-protocol-unix"
        speaker = "module-null-sink sink_name=speaker rate=44100 channels=1"
        loads = [word for module in (*modules, speaker) for word in ("-L", module)]
        self._daemon = _begin([*daemon, *loads])
        deadline = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("PulseAudio did not start.")
            time.sleep(0.05)
        self.rest()
        self._pactl("set-default-sink", "speaker")

    def close(self) -> None:
        self.quiet()
        self._end_silence()
        _end(self._daemon)
        shutil.rmtree(self.folder, ignore_errors=True)

    def plug(self) -> None:
        """Plug the microphone in; it hears silence in small blocks."""
        if not self._modules:
            self._modules = [self._pactl("load-module", *module) for module in _MICROPHONE]
        if self._silence is None:
            # The null sink wakes as often as the most urgent of its streams asks; left alone it hands on up to two
            # seconds of sound at once, as no microphone does. Silence is urgent here, so that what is played need not
            # be: with so short a buffer a busy machine would play it with holes.
            silence = "paplay", "--device=crib", "--latency-msec=20", "--raw", "--rate=16000", "--channels=1"
            self._silence = _begin([*silence, "/dev/zero"])
            # A microphone that is opened before the silence plays keeps the long blocks.
            deadline = time.monotonic() + 10
            while "16000" not in self._pactl("list", "short", "sink-inputs"):
                if time.monotonic() > deadline:
                    raise RuntimeError("PulseAudio does not play.")
                time.sleep(0.02)

    def rest(self) -> None:
        """Leave the microphone plugged in, but idle: its silence takes 3 % of a core."""
        self.quiet()
        self.plug()
        self._end_silence()

    def _end_silence(self) -> None:
        if self._silence is not None:
            _end(self._silence)
            self._silence = None

    def unplug(self) -> float:
        """Pull the microphone out and end what is played into it. Returns the moment (time.monotonic)."""
        self.quiet()
        self._end_silence()
        # Otherwise PulseAudio moves the stream to another source, and nothing dies as it does when a cable is pulled.
        listening = [
            line.split()[0]
            for line in self._pactl("list", "short", "source-outputs").splitlines()
            if "protocol-native" in line  # not the link between the two modules
        ]
        pulled = time.monotonic()
        for number in listening:
            subprocess.run(["pacmd", "kill-source-output", number], check=True, capture_output=True)
        for module in reversed(self._modules):
            self._pactl("unload-module", module)
        self._modules = []
        return pulled

    @contextlib.contextmanager
    def second_microphone(self, name: str = "second") -> Iterator[str]:
        """Plug in another microphone, which hears the same room. Yields its name; a refresh of the card finds it."""
        module = self._pactl("load-module", "module-remap-source", "master=crib.monitor", f"source_name={name}")
        configuration = self.folder / "alsa.conf"
        configuration.write_text(f'{_ALSA}pcm.{name} {{ type pulse device "{name}" }}\n')
        try:
            yield name
        finally:
            configuration.write_text(_ALSA)
            self._pactl("unload-module", module)

    def play(self, wave: npt.NDArray[np.float32], sample_rate: int = 16000) -> subprocess.Popen[bytes]:
        """Play (samples,) into the microphone; returns at once."""
        path = self.folder / f"{len(self._players)}.wav"
        soundfile.write(path, wave, sample_rate, subtype="PCM_16")
        player = subprocess.Popen([*PLAYER, str(path)], stderr=subprocess.DEVNULL)
        self._players.append(player)
        return player

    def check(self) -> None:
        """Raise RuntimeError if the sound server has ended."""
        if self._daemon.poll() is not None:
            raise RuntimeError(f"PulseAudio ended with status {self._daemon.returncode}.")

    def quiet(self) -> None:
        """End everything that is played."""
        for player in self._players:
            with contextlib.suppress(ProcessLookupError):
                player.kill()
            player.wait()
        self._players.clear()

    def loudspeaker(self, seconds: float) -> npt.NDArray[np.float32]:
        """Record what comes out of the loudspeakers in the next seconds, (samples,) at 44.1 kHz."""
        with self._recorder() as recorder:
            data = recorder.read(4 * int(44100 * seconds))
        return np.frombuffer(data, np.float32)

    def sounds(self, above: float, seconds: float = 10.0) -> bool:
        """Return whether anything louder comes out of the loudspeakers, as soon as it does or `seconds` are over."""
        with self._recorder() as recorder:
            for _ in range(int(10 * seconds)):
                if np.abs(np.frombuffer(recorder.read(4 * 4410), np.float32)).max(initial=0.0) > above:
                    return True
        return False

    @contextlib.contextmanager
    def _recorder(self) -> Iterator[IO[bytes]]:
        command = ["parec", "--device=speaker.monitor", "--format=float32le", "--rate=44100", "--channels=1"]
        with subprocess.Popen([*command, "--latency-msec=50"], stdout=subprocess.PIPE) as recorder:
            assert recorder.stdout is not None
            try:
                yield recorder.stdout
            finally:
                recorder.terminate()
                recorder.stdout.close()

    @staticmethod
    def _pactl(*words: str) -> str:
        return subprocess.run(["pactl", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _begin(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a server that ends with this process, also where pytest kills it because a test hangs."""
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "TERM", *command]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=10)


def missing_programs() -> list[str]:
    """List the programs that the virtual hardware needs and this machine lacks."""
    return [name for name in ("Xvfb", "pulseaudio", "pactl", "paplay", "parec") if shutil.which(name) is None]
