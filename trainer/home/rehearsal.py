"""What a model rehearses while it is taught at home, so that it forgets nobody: a small file beside it, no sound in it.

``NAME.rehearsal.npz`` belongs to one model file, by its SHA-256. It holds embeddings of other people's babies and
homes, projected onto the directions in which embeddings differ most and rounded to 8 bits, with the model's answers:
``fit`` windows of the training side, altered as in training, which teaching is to leave as they are; and ``held``
clips, of the validation side (where teaching looks whether it was too bold) and of the test side (whose figures are
told), a dozen windows in a row of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.labels import label
from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.features import fit_frames, front_end
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.core.whole_file import whole_file
from trainer.audio import synthetic
from trainer.data.dataset import Clip, stable_random
from trainer.data.readers import Roots, load
from trainer.data.split import Division, group_hash
from trainer.errors import DataError
from trainer.home.adapter import FAINTEST, Body, Floats, in_threads
from trainer.home.adapter_fit import Known
from trainer.home.clip_embeddings import Projection

FORMAT = 1
SUFFIX = ".rehearsal.npz"
DIRECTIONS = 192
FIT_WINDOWS = 1500
HELD_WINDOWS = 8
"""In a row, of one clip: nearly 4 s."""
_MOST_CLIPS = 200
"""Of a side and of a kind (cries, others)."""
_MADE_WINDOWS = 400
_WHITENED = 0.5
"""How far directions in which embeddings differ less are brought to the others' size: 0 not at all, 1 altogether."""


@dataclass(frozen=True, slots=True)
class Held:
    """Clips nobody learnt from, of one side: answers (N, labels), projected embeddings (N, D), the clip (N,) each
    window is of; per clip whether it is crying, and its group.
    """

    given: Floats
    embeddings: Floats
    clip: npt.NDArray[np.int64]
    cries: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.str_]

    def raised(self, answers: Floats, card: ModelCard) -> npt.NDArray[np.bool_]:
        """Which clips raise an alert: P(crying) is up for as long as one needs, (clips,)."""
        crying = answers[:, [at for at, name in enumerate(card.labels) if label(name).crying]].sum(1)
        rows = [crying[self.clip == at].tolist() for at in range(len(self.cries))]
        return np.array([AlertRules().held_up(row, card.hop_seconds) for row in rows]) >= card.thresholds["start"]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """See the module. `is_made`: there was no file, and only sounds made from nothing are rehearsed; held is empty."""

    base_sha256: str
    labels: tuple[str, ...]
    projection: Projection
    fit: Known
    held: dict[str, Held]
    is_made: bool = False


def place_beside(model: Path) -> Path:
    """Where the rehearsal of a model file lies."""
    return model.with_name(model.stem + SUFFIX)


def found(sha256: str, folders: Sequence[Path]) -> Rehearsal | None:
    """The rehearsal of the model file with this hash, in any of the folders; None where none is whole."""
    for folder in dict.fromkeys(folders):
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                    if int(stored["format"]) == FORMAT and str(stored["base_sha256"]) == sha256:
                        return _read(stored)
            except Exception:  # a damaged archive has a dozen ways to say it
                continue  # or of another version: as if it were not there
    return None


def _read(stored: Any) -> Rehearsal:
    scale = stored["scale"].astype(np.float32)

    def known(name: str) -> tuple[Floats, Floats]:
        given = np.exp(stored[f"{name}_logs"].astype(np.float32))
        return given / given.sum(1, keepdims=True), stored[f"{name}_codes"].astype(np.float32) * scale

    held = {}
    for side in ("validation", "test"):
        given, embeddings = known(side)
        of_clips = (stored[f"{side}_{name}"] for name in ("clip", "cries", "groups"))
        held[side] = Held(given, embeddings, *of_clips)
    directions = stored["directions"].astype(np.float32) * stored["sizes"]
    projection = Projection(stored["centre"].astype(np.float32), directions)
    labels = tuple(str(name) for name in stored["labels"])
    return Rehearsal(str(stored["base_sha256"]), labels, projection, Known(*known("fit")), held)


def projection_of(embeddings: Floats, directions: int = DIRECTIONS, whitened: float = _WHITENED) -> Projection:
    """Principal directions of (N, E), at most `directions` of them, scaled to a mean variance of one."""
    centre = embeddings.mean(0)
    _, spread, rows = np.linalg.svd((embeddings - centre).astype(np.float64), full_matrices=False)
    kept = min(directions, int((spread > 1e-3 * spread[0]).sum()))
    deviation = spread[:kept] / np.sqrt(len(embeddings))
    size = deviation**whitened
    scale = np.sqrt(np.mean((deviation / size) ** 2))
    return Projection(centre.astype(np.float32), (rows[:kept].T / size / scale).astype(np.float32))


def made(body: Body) -> Rehearsal:
    """A makeshift of made noises, tones and cries, for a model without a file."""
    rng = np.random.default_rng(11)
    makers = [maker for kinds in synthetic.GENERATORS_BY_LABEL.values() for maker in kinds.values()] + [synthetic.cry]
    samples = body.card.window_samples
    waves = [makers[at % len(makers)](rng, samples) for at in range(_MADE_WINDOWS)]
    given, embeddings = body(np.stack([_window(wave, body) for wave in waves]))
    projection = projection_of(embeddings)
    return Rehearsal(body.sha256, body.card.labels, projection, Known(given, projection(embeddings)), {}, is_made=True)


def _window(wave: Wave, body: Body) -> Floats:
    return fit_frames(front_end(wave, body.card.features), body.card.window_frames)


def make(
    model: Path,
    data: Roots,
    output: Path,
    cache: Path,
    segments: Path | None = None,
    division: Division | None = None,
    merged: dict[str, str] | None = None,
    threads: int = 1,
) -> dict[str, int]:
    """Write the rehearsal of a model from the data and the sides that it was trained with → counts, to be told.

    DataError where nothing is left to hold out that the model did not learn from: then these are not its sides.
    """
    from trainer.audio.augment import strength_of
    from trainer.data.decoded_audio import DecodedAudio
    from trainer.evaluation.judgements import chosen
    from trainer.networks.registry import Front
    from trainer.windows.sampler import WindowSampler

    body = Body(model)
    if body.was_taught:
        raise DataError(f"{model.name} was taught already: a rehearsal is made of the model that it was taught from.")
    card = body.card
    whole = load(data, segments, merged)
    waves = DecodedAudio(whole, cache, codecs=False)
    front = Front(card.features, card.window_frames, card.hop_frames)
    clips = chosen(whole, waves, "train", division)
    maker = WindowSampler(clips, waves, card.labels, front, strength_of("night,warp=0.3"), seed=23)
    mels = maker.pool(0, FIT_WINDOWS).mels.astype(np.float32)
    given, embeddings = _asked(body, mels, threads)
    projection = projection_of(embeddings)
    fit, sizes = projection(embeddings), np.abs(projection.directions).max(0)
    scale = np.maximum(np.percentile(np.abs(fit), 99.95, axis=0), 1e-6) / 127
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "base_sha256": body.sha256,
        "labels": np.array(card.labels),
        "centre": projection.centre.astype(np.float32),
        "directions": (projection.directions / sizes).astype(np.float16),
        "sizes": sizes,
        "scale": scale.astype(np.float32),
        "fit_logs": _logs(given),
        "fit_codes": _codes(fit, scale),
    }
    counts = {"fit_windows": len(fit)}
    for side in ("validation", "test"):
        # Whoever the model met in training, under an earlier division say, tells nothing of babies that it never met.
        strangers = [clip for clip in chosen(whole, waves, side, division) if not _has_met(card, clip)]
        held = _drawn(strangers, waves)
        if not held:
            raise DataError(f"{model.name} has learnt from the {side} side: give the sides of its training.")
        windows = [_row_of_windows(clip, waves, body) for clip, _ in held]
        given, embeddings = _asked(body, np.concatenate(windows), threads)
        arrays |= {
            f"{side}_logs": _logs(given),
            f"{side}_codes": _codes(projection(embeddings), scale),
            f"{side}_clip": np.repeat(np.arange(len(held)), [len(each) for each in windows]).astype(np.uint16),
            f"{side}_cries": np.array([cries for _, cries in held]),
            f"{side}_groups": np.array([group_hash(clip.group) for clip, _ in held]),
        }
        counts |= {f"{side}_cries": sum(cries for _, cries in held), f"{side}_others": len(held)}
        counts[f"{side}_others"] -= counts[f"{side}_cries"]
    output.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(output) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return counts


def _has_met(card: ModelCard, clip: Clip) -> bool:
    from trainer.evaluation.judgements import met

    known = met(card, [clip])
    return bool(known and known["train"])


def _asked(body: Body, mels: Floats, threads: int) -> tuple[Floats, Floats]:
    parts = list(in_threads(body, np.array_split(mels, max(1, len(mels) // 32)), threads))
    given, embeddings = (np.concatenate(column) for column in zip(*parts, strict=True))
    return given, embeddings


def _logs(given: Floats) -> npt.NDArray[np.float16]:
    return np.log(np.maximum(given, FAINTEST)).astype(np.float16)


def _codes(projected: Floats, scale: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
    return np.clip(np.round(projected / scale), -127, 127).astype(np.int8)


def _drawn(clips: Sequence[Clip], waves: Any) -> list[tuple[Clip, bool]]:
    """Clips that are crying for a second or more, and such that hold none for sure; of every group as evenly as may be,
    the same on every machine.
    """
    kinds: dict[bool, dict[str, list[Clip]]] = {True: {}, False: {}}
    for clip in clips:
        cries = sum(span.end - span.start for span in clip.spans if label(span.label).crying)
        if cries >= 1 or (cries == 0 and clip.seconds() >= 0.9 * waves.samples(clip.path) / SAMPLE_RATE):
            kinds[cries > 0].setdefault(clip.group, []).append(clip)
    found: list[tuple[Clip, bool]] = []
    for cries, groups in kinds.items():
        turns = [
            (turn, stable_random(clip.path, "rehearsal"), clip)
            for some in groups.values()
            for turn, clip in enumerate(sorted(some, key=lambda clip: stable_random(clip.path, "rehearsal")))
        ]
        found += [(clip, cries) for _, _, clip in sorted(turns, key=lambda one: one[:2])[:_MOST_CLIPS]]
    return found


def _row_of_windows(clip: Clip, waves: Any, body: Body) -> Floats:
    """At most `HELD_WINDOWS` windows in a row: about the longest cry, or somewhere."""
    card = body.card
    row = card.window_samples + (HELD_WINDOWS - 1) * card.hop_samples
    size = waves.samples(clip.path)
    cries = [span for span in clip.spans if label(span.label).crying]
    if cries:
        longest = max(cries, key=lambda span: span.end - span.start)
        start = int(longest.start * SAMPLE_RATE) - card.window_samples // 2
    else:
        start = stable_random(clip.path, "row") % max(1, size - row)
    start = min(max(0, start), max(0, size - row))
    wave = waves.read(clip.path, start, start + row)
    if wave.size < card.features.n_fft:
        wave = np.pad(wave, (card.features.n_fft - wave.size, 0))
    mel = front_end(wave, card.features)
    if mel.shape[1] <= card.window_frames:
        return fit_frames(mel, card.window_frames)[None]
    starts = range(0, mel.shape[1] - card.window_frames + 1, card.hop_frames)
    return np.stack([mel[:, first : first + card.window_frames] for first in starts])


def everyone_else(held: Held, card: ModelCard, new: Floats) -> dict[str, Any]:
    """What teaching did to everybody else: shares of their cries found and of other clips that would be raised, before
    and after, with the 95 % interval of what was gained on the cries (whole groups drawn). new: answers (N, labels).
    """
    from trainer.evaluation.metrics import Rounds, rounded

    old_up, new_up = (held.raised(answers, card) for answers in (held.given, new))
    cries, others = held.cries, ~held.cries
    told: dict[str, Any] = {
        "cries": int(cries.sum()),
        "groups": len(set(held.groups[cries])),
        "old_found": rounded(old_up[cries].mean()) if cries.any() else None,
        "new_found": rounded(new_up[cries].mean()) if cries.any() else None,
        "low": None,
        "high": None,
        "others": int(others.sum()),
        "others_raised_old": rounded(old_up[others].mean()) if others.any() else None,
        "others_raised_new": rounded(new_up[others].mean()) if others.any() else None,
    }
    if cries.any():
        rounds = Rounds(held.groups[cries])
        gained, count = rounds.sums(np.stack((1.0 * new_up[cries] - old_up[cries], np.ones(cries.sum())), 1)).T
        interval = rounds.told(gained / np.maximum(count, 1))
        told |= {"low": interval["low"], "high": interval["high"]}
    return told
