"""What a model rehearses while it is taught at home, so that it forgets nobody: a small file beside it, without sound.

``NAME.rehearsal.npz`` belongs to one model file, by its SHA-256. It holds embeddings of other people's babies and
homes with the model's probabilities; the embeddings are projected onto the directions in which they differ most and
rounded to 8 bits, as are the other sounds that the model names. ``fit``: windows of the training side, altered as in
training, which teaching must leave as they are. ``validation`` and ``test``: clips of those sides, `HELD_OUT_SECONDS`
in successive windows of each. By the validation side teaching decides whether it was too bold; the figures that are
reported are of the test side.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.labels import label
from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.evidence import LIMIT
from babymonitor.core.model.features import fit_frames, front_end
from babymonitor.core.model.scorer import over_time
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.core.whole_file import write_whole
from trainer.audio import synthetic
from trainer.data.dataset import Clip, stable_random
from trainer.data.readers import Roots, load
from trainer.data.split import Division, group_hash
from trainer.errors import DataError
from trainer.home.adapter import LOWEST_PROBABILITY, BaseModel, Floats, in_threads
from trainer.home.adapter_fit import RehearsalWindows, label_for_model
from trainer.home.clip_embeddings import Projection

FORMAT, FORMAT_WITH_SOUNDS = 1, 2
"""A model that weighs evidence over time could not be judged without its other sounds."""
SUFFIX = ".rehearsal.npz"
DIRECTIONS = 192
FIT_WINDOWS = 1500
HELD_OUT_SECONDS = 4.0
"""Of each clip, in windows one hop apart."""
_MOST_CLIPS = 200
"""Per side and kind (cries, others)."""
_SYNTHETIC_WINDOWS = 400
_SOUND_STEP = LIMIT / 127
"""Log-odds of the other sounds are rounded to 8 bits."""
_WHITENING = 0.5
"""How far directions in which embeddings differ less are scaled up to the others: 0 not at all, 1 completely."""


@dataclass(frozen=True, slots=True)
class HeldOutClips:
    """Clips of one side that the model did not learn from.

    probabilities (N, labels), embeddings (N, D), sounds (N, sounds), clip (N,): of each window, the last being the
    index of its clip. cries, groups (clips,): whether a clip is crying, and its hashed group.
    """

    probabilities: Floats
    embeddings: Floats
    sounds: Floats
    clip: npt.NDArray[np.int64]
    cries: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.str_]

    def raising_alert(self, probabilities: Floats, card: ModelCard) -> npt.NDArray[np.bool_]:
        """Which clips raise an alert, (clips,), given probabilities (N, labels) of their windows.

        A clip does when P(crying) stays at the model's start threshold for as long as an alert needs.
        """
        crying = over_time(card, probabilities, self.sounds, self.clip).crying
        rows = [crying[self.clip == index].tolist() for index in range(len(self.cries))]
        rules = AlertRules.of_card(card)
        return np.array([rules.held_up(row, card.hop_seconds) for row in rows]) >= card.thresholds["start"]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """See the module.

    held: clips by side. is_synthetic: there was no file, so that only synthetic sounds are rehearsed; held is empty.
    """

    base_sha256: str
    labels: tuple[str, ...]
    projection: Projection
    fit: RehearsalWindows
    held: dict[str, HeldOutClips]
    is_synthetic: bool = False


def place_beside(model: Path) -> Path:
    """Where the rehearsal file of a model file lies."""
    return model.with_name(model.stem + SUFFIX)


def find_rehearsal(sha256: str, folders: Sequence[Path]) -> Rehearsal | None:
    """Read the rehearsal of the model file with this hash from the first folder that has it.

    Returns None where there is none that this version can read.
    """
    for folder in dict.fromkeys(folders):
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                    is_known = int(stored["format"]) in (FORMAT, FORMAT_WITH_SOUNDS)
                    if is_known and str(stored["base_sha256"]) == sha256:
                        return _read(stored)
            except Exception:  # a damaged archive fails in a dozen ways, and counts as missing
                continue
    return None


def _read(stored: Any) -> Rehearsal:
    scale = stored["scale"].astype(np.float32)

    def windows(name: str) -> tuple[Floats, Floats, Floats]:
        probabilities = np.exp(stored[f"{name}_logs"].astype(np.float32))
        sounds = np.zeros((len(probabilities), 0), np.float32)
        if int(stored["format"]) == FORMAT_WITH_SOUNDS:
            sounds = stored[f"{name}_sounds"].astype(np.float32) * np.float32(_SOUND_STEP)
        return (
            probabilities / probabilities.sum(1, keepdims=True),
            stored[f"{name}_codes"].astype(np.float32) * scale,
            sounds,
        )

    held = {}
    for side in ("validation", "test"):
        columns = (stored[f"{side}_{name}"] for name in ("clip", "cries", "groups"))
        held[side] = HeldOutClips(*windows(side), *columns)
    directions = stored["directions"].astype(np.float32) * stored["sizes"]
    projection = Projection(stored["centre"].astype(np.float32), directions)
    labels = tuple(str(name) for name in stored["labels"])
    return Rehearsal(str(stored["base_sha256"]), labels, projection, RehearsalWindows(*windows("fit")), held)


def projection_of(embeddings: Floats, directions: int = DIRECTIONS, whitening: float = _WHITENING) -> Projection:
    """At most `directions` principal directions of embeddings (N, E), scaled to a mean variance of one."""
    centre = embeddings.mean(0)
    _, spread, rows = np.linalg.svd((embeddings - centre).astype(np.float64), full_matrices=False)
    count = min(directions, int((spread > 1e-3 * spread[0]).sum()))
    deviation = spread[:count] / np.sqrt(len(embeddings))
    size = deviation**whitening
    scale = np.sqrt(np.mean((deviation / size) ** 2))
    return Projection(centre.astype(np.float32), (rows[:count].T / size / scale).astype(np.float32))


def synthetic_rehearsal(base: BaseModel) -> Rehearsal:
    """A makeshift of synthetic noises, tones and cries, for a model without a rehearsal file."""
    rng = np.random.default_rng(11)
    makers = [maker for kinds in synthetic.GENERATORS_BY_LABEL.values() for maker in kinds.values()] + [synthetic.cry]
    samples = base.card.window_samples
    waves = [makers[number % len(makers)](rng, samples) for number in range(_SYNTHETIC_WINDOWS)]
    probabilities, embeddings, sounds = base(np.stack([_window(wave, base) for wave in waves]))
    projection = projection_of(embeddings)
    windows = RehearsalWindows(probabilities, projection(embeddings), sounds)
    return Rehearsal(base.sha256, base.card.labels, projection, windows, {}, is_synthetic=True)


def _window(wave: Wave, base: BaseModel) -> Floats:
    return fit_frames(front_end(wave, base.card.features), base.card.window_frames)


def make(
    model: Path,
    data: Roots,
    output: Path,
    cache: Path,
    segments: Path | None = None,
    division: Division | None = None,
    merged: dict[str, str] | None = None,
    threads: int = 1,
    left_out: Collection[str] | None = None,
) -> dict[str, int]:
    """Write the rehearsal of a model from the data and the sides that it was trained with; returns counts by kind.

    left_out: for a model that was trained on no sides: the paths of the clips that its training left out. Their groups
    are divided between validation and test.

    Raises DataError for a taught model, and where no clip remains that the model did not learn from: then these are
    not the sides of its training.
    """
    from trainer.audio.augment import strength_of
    from trainer.data.decoded_audio import DecodedAudio
    from trainer.evaluation.judgements import clips_of_side
    from trainer.networks.registry import Front
    from trainer.windows.sampler import WindowSampler

    base = BaseModel(model)
    if base.was_taught:
        raise DataError(f"{model.name} was taught already: a rehearsal is made of the model that it was taught from.")
    card = base.card
    data_set = load(data, segments, merged)
    waves = DecodedAudio(data_set, cache, codecs=False)
    front = Front(card.features, card.window_frames, card.hop_frames)
    if left_out is None:
        sides = {name: clips_of_side(data_set, waves, name, division) for name in ("train", "validation", "test")}
    else:
        plain = load(data, notice=lambda sentence: None) if segments else data_set
        sides = _sides_left_out(described(data_set.clips, plain.clips), waves, left_out, card)
    maker = WindowSampler(sides["train"], waves, card.labels, front, strength_of("night,warp=0.3"), seed=23)
    windows = maker.pool(0, FIT_WINDOWS).mels.astype(np.float32)
    probabilities, embeddings, sounds = _run(base, windows, threads)
    projection = projection_of(embeddings)
    fit, sizes = projection(embeddings), np.abs(projection.directions).max(0)
    scale = np.maximum(np.percentile(np.abs(fit), 99.95, axis=0), 1e-6) / 127
    arrays: dict[str, Any] = {
        "format": FORMAT_WITH_SOUNDS if card.sounds else FORMAT,
        "base_sha256": base.sha256,
        "labels": np.array(card.labels),
        "centre": projection.centre.astype(np.float32),
        "directions": (projection.directions / sizes).astype(np.float16),
        "sizes": sizes,
        "scale": scale.astype(np.float32),
        "fit_logs": _logs(probabilities),
        "fit_codes": _codes(fit, scale),
    }
    if card.sounds:
        arrays["fit_sounds"] = _steps(sounds)
    counts = {"fit_windows": len(fit)}
    for side in ("validation", "test"):
        # Groups that the model met in training, under an earlier division say, are no test of strangers.
        strangers = [clip for clip in sides[side] if not _was_learnt(card, clip)]
        held = _drawn(strangers, waves)
        if not held:
            raise DataError(f"{model.name} has learnt from the {side} side: give the sides of its training.")
        clip_windows = [_successive_windows(clip, waves, base) for clip, _ in held]
        probabilities, embeddings, sounds = _run(base, np.concatenate(clip_windows), threads)
        window_counts = [len(windows) for windows in clip_windows]
        arrays |= {
            f"{side}_logs": _logs(probabilities),
            f"{side}_codes": _codes(projection(embeddings), scale),
            f"{side}_clip": np.repeat(np.arange(len(held)), window_counts).astype(np.uint16),
            f"{side}_cries": np.array([is_cry for _, is_cry in held]),
            f"{side}_groups": np.array([group_hash(clip.group) for clip, _ in held]),
        }
        if card.sounds:
            arrays[f"{side}_sounds"] = _steps(sounds)
        cries = sum(is_cry for _, is_cry in held)
        counts |= {f"{side}_cries": cries, f"{side}_others": len(held) - cries}
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, archive.getvalue())
    return counts


def described(labelled: Sequence[Clip], plain: Sequence[Clip]) -> list[Clip]:
    """The clips with their segments; those that segments do not name with the data set's own label, where it decides.

    A recording of a baby who may be crying, babbles or fusses does not: its label begins with "baby".
    """
    own = {clip.path: clip.spans for clip in plain}
    described = []
    for clip in labelled:
        spans = clip.spans or own[clip.path]
        described.append(replace(clip, spans=tuple(span for span in spans if not span.label.startswith("baby"))))
    return described


def side_of(group: str) -> str:
    """The side of a group that training left out; the same on every machine."""
    return "test" if stable_random(group, "rehearsal side") % 2 else "validation"


def _sides_left_out(
    clips: Sequence[Clip], waves: Any, left_out: Collection[str], card: ModelCard
) -> dict[str, list[Clip]]:
    """The clips by side: groups left out of training, with copies of them, are divided; ``train`` is the rest.

    Groups that may not be trained on are left out too, where their licence lets figures of them be published.
    """
    from trainer.data.decoded_audio import merge_duplicate_groups, trim_to_audio

    clips = merge_duplicate_groups(trim_to_audio(clips, waves), waves)
    strangers = {clip.group for clip in clips if clip.path in left_out}
    learnt = {clip.group for clip in clips if clip.usable} - strangers
    sides: dict[str, list[Clip]] = {"train": [], "validation": [], "test": []}
    for clip in clips:
        if clip.group not in learnt:
            if _may_be_published(clip):
                sides[side_of(clip.group)].append(clip)
        elif clip.usable:
            spans = (replace(span, label=label_for_model(span.label, card.labels)) for span in clip.spans)
            sides["train"].append(replace(clip, spans=tuple(spans)))
    return sides


def _may_be_published(clip: Clip) -> bool:
    """Whether figures made of a clip that was not learnt from can go into a public file without binding it."""
    licence = clip.licence.casefold()
    if any(words in licence for words in ("-nd", "-nc", "-sa", "research")):
        return False
    return clip.usable or (bool(licence) and "none stated" not in licence)


def _was_learnt(card: ModelCard, clip: Clip) -> bool:
    """Whether the model learnt from the clip's group."""
    from trainer.evaluation.judgements import training_overlap

    overlap = training_overlap(card, [clip])
    return bool(overlap and overlap["train"])


def _run(base: BaseModel, windows: Floats, threads: int) -> tuple[Floats, Floats, Floats]:
    """Windows (N, rows, frames) → probabilities (N, labels), embeddings (N, E), sounds (N, sounds)."""
    parts = list(in_threads(base, np.array_split(windows, max(1, len(windows) // 32)), threads))
    probabilities, embeddings, sounds = (np.concatenate(column) for column in zip(*parts, strict=True))
    return probabilities, embeddings, sounds


def _logs(probabilities: Floats) -> npt.NDArray[np.float16]:
    return np.log(np.maximum(probabilities, LOWEST_PROBABILITY)).astype(np.float16)


def _steps(sounds: Floats) -> npt.NDArray[np.int8]:
    return np.round(np.clip(sounds, -LIMIT, LIMIT) / _SOUND_STEP).astype(np.int8)


def _codes(projected: Floats, scale: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
    return np.clip(np.round(projected / scale), -127, 127).astype(np.int8)


def _drawn(clips: Sequence[Clip], waves: Any) -> list[tuple[Clip, bool]]:
    """Draw clips with at least a second of crying and clips known to hold none, as evenly over groups as possible.

    Returns each with whether it is crying; the same on every machine.
    """
    kinds: dict[bool, dict[str, list[Clip]]] = {True: {}, False: {}}
    for clip in clips:
        cry_seconds = sum(span.end - span.start for span in clip.spans if label(span.label).crying)
        is_known = clip.seconds() >= 0.9 * waves.samples(clip.path) / SAMPLE_RATE
        if cry_seconds >= 1 or (cry_seconds == 0 and is_known):
            kinds[cry_seconds > 0].setdefault(clip.group, []).append(clip)
    drawn: list[tuple[Clip, bool]] = []
    for is_cry, groups in kinds.items():
        turns = [
            (turn, stable_random(clip.path, "rehearsal"), clip)
            for group in groups.values()
            for turn, clip in enumerate(sorted(group, key=lambda clip: stable_random(clip.path, "rehearsal")))
        ]
        drawn += [(clip, is_cry) for *_, clip in sorted(turns, key=lambda turn: turn[:2])[:_MOST_CLIPS]]
    return drawn


def _successive_windows(clip: Clip, waves: Any, base: BaseModel) -> Floats:
    """At most `HELD_OUT_SECONDS` in windows (N, rows, frames), one hop apart: of the longest cry, or somewhere.

    Complete windows only, unlike a replay of the clip: the stretch is cut out of its middle, and in a night sound would
    come before it. A stretch shorter than a window gives one, its beginning mirrored.
    """
    card = base.card
    hops = max(0, int(HELD_OUT_SECONDS * SAMPLE_RATE) - card.window_samples) // card.hop_samples
    length = card.window_samples + hops * card.hop_samples
    size = waves.samples(clip.path)
    cries = [span for span in clip.spans if label(span.label).crying]
    if cries:
        longest = max(cries, key=lambda span: span.end - span.start)
        begin, end = int(longest.start * SAMPLE_RATE), int(longest.end * SAMPLE_RATE)
        start = begin - card.window_samples // 2
        if end - begin > length:
            # A recording that is labelled as a whole may begin with silence.
            energy = np.concatenate(([0.0], np.cumsum(waves.read(clip.path, begin, end).astype(np.float64) ** 2)))
            start = begin + int(np.argmax(energy[length:] - energy[:-length]))
    else:
        start = stable_random(clip.path, "row") % max(1, size - length)
    start = min(max(0, start), max(0, size - length))
    wave = waves.read(clip.path, start, start + length)
    if wave.size < card.features.n_fft:
        wave = np.pad(wave, (card.features.n_fft - wave.size, 0))
    mel = front_end(wave, card.features)
    if mel.shape[1] <= card.window_frames:
        return fit_frames(mel, card.window_frames)[None]
    first_frames = range(0, mel.shape[1] - card.window_frames + 1, card.hop_frames)
    return np.stack([mel[:, first : first + card.window_frames] for first in first_frames])


def everyone_else(held: HeldOutClips, card: ModelCard, new: Floats) -> dict[str, Any]:
    """What teaching did to everybody else, as plain values fit for JSON.

    new: probabilities (N, labels) of the taught model. Shares of cries found and of other clips that would raise an
    alert, before and after; low and high: the 95 % interval of the change on cries, over groups.
    """
    from trainer.evaluation.metrics import ClusterBootstrap, rounded

    old_alerts, new_alerts = (held.raising_alert(rows, card) for rows in (held.probabilities, new))
    cries, others = held.cries, ~held.cries
    effect: dict[str, Any] = {
        "cries": int(cries.sum()),
        "groups": len(set(held.groups[cries])),
        "old_found": rounded(old_alerts[cries].mean()) if cries.any() else None,
        "new_found": rounded(new_alerts[cries].mean()) if cries.any() else None,
        "low": None,
        "high": None,
        "others": int(others.sum()),
        "others_raised_old": rounded(old_alerts[others].mean()) if others.any() else None,
        "others_raised_new": rounded(new_alerts[others].mean()) if others.any() else None,
    }
    if cries.any():
        bootstrap = ClusterBootstrap(held.groups[cries])
        change = 1.0 * new_alerts[cries] - old_alerts[cries]
        gained, count = bootstrap.sums(np.stack((change, np.ones(cries.sum())), 1)).T
        interval = bootstrap.estimate(gained / np.maximum(count, 1))
        effect |= {"low": interval["low"], "high": interval["high"]}
    return effect
