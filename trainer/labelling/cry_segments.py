"""Find the crying, laughing and babbling in recordings that are labelled only as a whole.

Sound is labelled in slots of 0.256 s. The first witness is a teacher, YAMNet, whose frames of 0.975 s overlap several
slots; the slots' loudness places the beginning and end of a cry more exactly than such long frames can. The second is
the pitch of the voice (`trainer.labelling.voice_pitch`), which is not learnt from data and finds cries that the teacher
misses. A student, a model of ours trained on a first round of labels, may settle slots that are still open if it is
certain. Slots that remain open are left out: no label is better than a guess.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import LABELS, UNCLEAR
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.features import front_end
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave
from babymonitor.core.whole_file import whole_file
from trainer.data.readers import load
from trainer.data.split import read_sides
from trainer.errors import DataError
from trainer.labelling.voice_pitch import held_voice
from trainer.labelling.yamnet_teacher import SLOT, CachedTeacher, Scores, levelled

# Labels by which a data set promises a baby: the vocabulary's words, and names that are not among its labels.
CRY_PROMISES = {"baby_cry_candidate", *(name for name, known in LABELS.items() if known.crying)}
LAUGH_PROMISES = {"baby_laugh_over_music", "happy"}
OPEN_PROMISES = {"baby_vocal_unsure"}

# donateacry's reasons. Those not listed (discomfort, lonely, scared, hot or cold, don't know) count as unknown.
REASONS = {"hu": "hungry", "bp": "pain", "bu": "pain", "ti": "tired"}

LEAST_SURE = 0.55
"""Score below which the teacher is not believed about babble or laughter in a recording that promises crying. It takes
a trembling cry for laughter, and the beginning or end of a cry for babble (checked on spectrograms)."""
HELD_SECONDS = 0.45
"""A high voice held this long in a recording that promises crying is a cry, if the teacher at least suspects one."""
HELD_SECONDS_BESIDE_CRYING = 0.35
"""The same if the teacher is certain of another cry in the recording. It need not suspect this one then."""

USED_CLASSES = [*range(82), 494]
"""The teacher's classes that are used: voices (0 to 66), animals (67 to 81) and, last, silence."""


@dataclass(frozen=True, slots=True)
class SlotScores:
    """The teacher's scores and the level of each slot, every field (slots,)."""

    cry: Scores
    cry_steady: Scores
    whimper: Scores
    laugh: Scores
    babble: Scores
    speech: Scores
    silence: Scores
    level_db: Scores

    @property
    def sounding(self) -> npt.NDArray[np.bool_]:
        """Slots loud enough to be the event itself: within 22 dB of the clip's loud parts and above its noise floor."""
        loud, floor = np.percentile(self.level_db, 95), np.percentile(self.level_db, 5)
        return (self.level_db > loud - 22) & ((self.level_db > floor + 4) | (loud - floor < 8))


def slot_scores(wave: Wave, views: list[Scores]) -> SlotScores:
    """Assign the teacher's frames to slots. views: scores of the same wave at several loudnesses, to be averaged."""
    count = min(len(view) for view in views)
    frames = np.mean([view[:count] for view in views], axis=0)
    slots = max(1, -(-wave.size // SLOT))
    cry = np.maximum.reduce([frames[:, 20], 0.9 * frames[:, 19], 0.8 * frames[:, 22]])
    tracks = {
        "cry": np.maximum(cry, 0.8 * frames[:, 21]),
        "whimper": frames[:, 21],
        "laugh": frames[:, 13:19].max(axis=1),
        "babble": frames[:, 4],
        # Adult speech. "Animal" and "child speech" are left out: the teacher reports both for babies.
        "speech": frames[:, [0, 2, 3]].max(axis=1),
        "silence": frames[:, -1],
    }
    by_slot: dict[str, Scores] = {}
    for name, track in tracks.items():
        by_slot[name] = np.array([_covering(track, slot).max() for slot in range(slots)], np.float32)
    steady = np.array([np.median(_covering(cry, slot)) for slot in range(slots)], np.float32)
    padded = np.pad(wave, (0, slots * SLOT - wave.size)).reshape(slots, SLOT)
    level = 10 * np.log10((padded.astype(np.float64) ** 2).mean(axis=1) + 1e-10)
    return SlotScores(cry_steady=steady, level_db=level.astype(np.float32), **by_slot)


def _covering(track: Scores, slot: int) -> Scores:
    """Return the frames that contain a slot: a frame that starts at slot f covers the slots f to f + 3 (nearly)."""
    first = min(max(0, slot - 3), len(track) - 1)
    return track[first : max(first + 1, slot + 1)]


def teacher_labels(sound: SlotScores, promised: str) -> list[str]:
    """Label each slot by the teacher and its loudness; "" stays open. promised: the data set's label."""
    labels = [""] * len(sound.cry)
    sounding = sound.sounding
    for slot in range(len(labels)):
        cry, laugh, babble = sound.cry[slot], sound.laugh[slot], sound.babble[slot]
        if promised in LAUGH_PROMISES:
            # A recording of laughter throughout: the teacher only has to agree that it is not crying.
            if sounding[slot] and babble >= 0.5 and babble > 1.5 * laugh and cry < 0.20:
                labels[slot] = "natural"
            elif sounding[slot] and (laugh >= 0.15 or cry < 0.10):
                labels[slot] = "happy"
            continue
        if sounding[slot] and sound.cry_steady[slot] >= 0.30 and laugh < 0.35:
            labels[slot] = "crying"
        elif sounding[slot] and laugh >= 0.30 and cry < 0.15:
            labels[slot] = "happy"
        elif sounding[slot] and babble >= 0.18 and babble > 1.5 * cry and cry < 0.20 and laugh < 0.20:
            labels[slot] = "natural"
        elif cry < 0.05 and laugh < 0.08 and babble < 0.06:
            # The teacher may not recognise a cry through an 8 kHz codec; then its other classes are no evidence either.
            known = max(sound.speech[slot], sound.silence[slot])
            if known >= 0.35 or not sounding[slot]:
                labels[slot] = "background"
    return labels


def settle_by_student(labels: list[str], sound: SlotScores, student: Scores) -> tuple[list[str], list[bool]]:
    """Settle open slots where the student is certain, and reopen those where teacher and student contradict each other.

    student: (slots, 4), probabilities of crying, happy, natural, background. Returns the labels, and for each slot
    whether the label is the student's.
    """
    names = ("crying", "happy", "natural", "background")
    settled, by_student = list(labels), [False] * len(labels)
    sounding = sound.sounding
    for slot, row in enumerate(student):
        best = int(row.argmax())
        # The teacher takes many a newborn's cry over the telephone for speech. A student that learnt this slot as
        # background and still doubts it is believed early: omitting a slot is harmless, a cry labelled background is
        # not.
        doubted = labels[slot] == "background" and row[0] > 0.30
        if doubted or (labels[slot] and labels[slot] != names[best] and row[best] > 0.90):
            settled[slot] = ""
        elif not labels[slot] and row[best] > (0.93 if best == 0 else 0.95):
            # A cry must also be loud here, and at least faintly suspected by the teacher.
            agreed = {
                0: sounding[slot] and sound.cry[slot] >= 0.05,
                1: sounding[slot] and sound.laugh[slot] >= 0.05,
                2: sounding[slot] and sound.babble[slot] >= 0.05,
                3: sound.cry[slot] < 0.10,
            }
            if agreed[best]:
                settled[slot], by_student[slot] = names[best], True
    return settled, by_student


def settle_by_pitch(labels: list[str], sound: SlotScores, held: Scores) -> tuple[list[str], list[bool]]:
    """Settle slots of a recording that promises crying by the pitch of its voice.

    Crying where a high voice is held and the teacher does not object; open where such a voice sounds at all in what the
    teacher called background. held: (slots,), see `held_voice`. Returns the labels, and for each slot whether the label
    comes from the pitch.
    """
    settled, by_pitch = list(labels), [False] * len(labels)
    cries = "crying" in labels
    long_enough = HELD_SECONDS_BESIDE_CRYING if cries else HELD_SECONDS
    for slot, seconds in enumerate(held):
        if labels[slot] not in ("", "background"):
            continue
        suspected = max(sound.cry[slot], sound.whimper[slot])
        # Adults sing and coo to babies. Where the teacher is sure of speech, it must suspect crying more strongly.
        agreed = cries or suspected >= (0.30 if sound.speech[slot] > 0.5 else 0.07)
        if seconds >= long_enough and agreed and sound.laugh[slot] < 0.35:
            settled[slot], by_pitch[slot] = "crying", True
        elif seconds > 0:
            settled[slot] = ""
    return settled, by_pitch


def student_track(classifier: Classifier, wave: Wave, slots: int) -> Scores:
    """Return a model's probabilities around each slot, (slots, 4): the median over windows with it in their middle.

    Each window speaks for itself, also in a model that weighs evidence over time: neighbouring slots may differ.
    """
    card = classifier.card
    mel = front_end(np.pad(wave, (0, max(0, slots * SLOT + card.window_samples - wave.size))), card.features)
    starts = np.arange(0, slots * SLOT, card.hop_samples) // card.features.hop_length
    table = np.stack(
        [classifier.probabilities(np.ascontiguousarray(mel[:, first : first + card.window_frames])) for first in starts]
    )
    position = {name: index for index, name in enumerate(classifier.labels)}
    crying = table[:, [position[name] for name in ("hungry", "pain", "tired", "sad")]].sum(axis=1)
    coarse = np.stack([crying, *(table[:, position[name]] for name in ("happy", "natural", "background"))], axis=1)
    centres = starts * card.features.hop_length + card.window_samples / 2
    rows = []
    for slot in range(slots):
        distances = np.abs(centres - (slot + 0.5) * SLOT)
        middle = distances <= max(card.window_samples / 4, distances.min())
        rows.append(np.median(coarse[middle], axis=0))
    return np.stack(rows)


def detailed_sounds(sound: SlotScores, labels: list[str]) -> list[str]:
    """Describe each labelled slot in more detail than its label.

    Crying becomes crying or whimper; background becomes speech, silence or noise.
    """
    sounding = sound.sounding
    words = {"happy": "laughing", "natural": "babbling", "": ""}
    sounds = []
    for slot, name in enumerate(labels):
        if name == "crying":
            sounds.append("whimper" if sound.whimper[slot] >= 0.5 * sound.cry_steady[slot] else "crying")
        elif name == "background":
            silent = sound.silence[slot] >= 0.35 or not sounding[slot]
            sounds.append("speech" if sound.speech[slot] >= 0.35 else "silence" if silent else "noise")
        else:
            sounds.append(words[name])
    return sounds


def spans(labels: list[str], sounds: list[str], length: float) -> Iterator[tuple[float, float, str, str, list[int]]]:
    """Yield runs of equal labels and sounds as (start, end, label, sound, slots), times in seconds.

    Single-slot gaps within one label are closed. A run of baby sound shorter than two slots is dropped, because it is
    more often a click than a voice. A sound of a single slot joins the sound before it.
    """
    closed = list(labels)
    for slot in range(1, len(labels) - 1):
        if not labels[slot] and labels[slot - 1] == labels[slot + 1] != "background":
            closed[slot] = labels[slot - 1]
    for name, run in groupby(range(len(closed)), key=closed.__getitem__):
        slots = list(run)
        if not name or (len(slots) < 2 and name != "background"):
            continue
        parts = [(sound, len(list(same))) for sound, same in groupby(slots, key=sounds.__getitem__)]
        position = slots[0]
        merged: list[tuple[str, int, int]] = []
        for sound, count in parts:
            if merged and (count < 2 or not sound or sound == merged[-1][0]):
                merged[-1] = (merged[-1][0], merged[-1][1], position + count)
            else:
                merged.append((sound, position, position + count))
            position += count
        for sound, start, stop in merged:
            end = min(length, stop * SLOT / SAMPLE_RATE)
            yield start * SLOT / SAMPLE_RATE, end, name, sound, list(range(start, stop))


def label_of_cry(detail: str, promised: str = "") -> str:
    """Return the label of a cry: the data set's, else the uploader's reason, else "sad"."""
    if promised in LABELS:
        return promised
    facts = dict(part.split("=", 1) for part in detail.split(";") if "=" in part)
    return REASONS.get(facts.get("reason", ""), UNCLEAR)


COLUMNS = ("path", "start_seconds", "end_seconds", "label", "sound", "confidence", "teacher")


def label_corpus(
    root: Path, yamnet: Path, output: Path, student: Path | None = None, cache: Path | None = None,
    sides: Path | None = None,
) -> dict[str, float]:  # fmt: skip
    """Write the segments of all clips of the corpus in `root`. Returns the seconds of each label.

    Clips that promise no baby are background from end to end, as the data set says. yamnet: the teacher's .tflite file.
    cache: folder for the teacher's scores, so that a second round is faster. sides: a file ``group,split``; its test
    groups are labelled without the student, whose errors would otherwise leak into the test of its successors. Raises
    DataError if the student lacks a label.
    """
    from tqdm import tqdm

    teacher = CachedTeacher(yamnet, cache)
    classifier = Classifier(student) if student else None
    if classifier is not None and (lacking := set(LABELS) - set(classifier.labels)):
        raise DataError(f"{student} cannot be a student: it does not know the label {min(lacking)}.")
    totals: dict[str, float] = {}
    rows: list[tuple[str, ...]] = []
    clips = load(root).clips
    test_groups = {group for group, side in read_sides(sides).items() if side == "test"} if sides else set()
    for clip in tqdm(clips, desc="labelling", unit="clip", disable=None):
        path, promised = clip.path, clip.spans[0].label
        if promised in OPEN_PROMISES:
            continue
        if promised not in CRY_PROMISES | LAUGH_PROMISES:
            rows.append((path, "0", "", "background", "", "1", "manifest"))
            continue
        try:
            wave = read_wave(root / path)
        except AudioError as error:
            tqdm.write(f"Skipped {path}: {error}", file=sys.stderr)
            continue
        views = [teacher.scores(view).astype(np.float32)[:, USED_CLASSES] for view in (wave, levelled(wave))]
        sound = slot_scores(wave, views)
        labels = teacher_labels(sound, promised)
        by_student = by_pitch = [False] * len(labels)
        if promised in CRY_PROMISES:
            labels, by_pitch = settle_by_pitch(labels, sound, held_voice(wave))
            if classifier is not None and clip.group not in test_groups:
                labels, by_student = settle_by_student(labels, sound, student_track(classifier, wave, len(labels)))
        cries = "crying" in labels
        for start, end, label, sound_name, slots in spans(
            labels, detailed_sounds(sound, labels), wave.size / SAMPLE_RATE
        ):
            name = label_of_cry(clip.detail, promised) if label == "crying" else label
            track = {"crying": sound.cry_steady, "happy": sound.laugh, "natural": sound.babble}.get(label)
            sure = 1.0 - float(sound.cry[slots].max()) if track is None else float(track[slots].mean())
            if promised in CRY_PROMISES and label in ("happy", "natural") and (cries or sure < LEAST_SURE):
                continue
            witnesses = {"pitch": by_pitch, "student": by_student}
            origin = "+".join(["yamnet", *(name for name, by in witnesses.items() if any(by[slot] for slot in slots))])
            rows.append((path, f"{start:.3f}", f"{end:.3f}", name, sound_name, f"{sure:.2f}", origin))
            totals[name] = totals.get(name, 0.0) + end - start
    output.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(output) as partial, partial.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return totals
