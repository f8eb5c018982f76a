"""Published corpora as data sets: who speaks and what is heard, as each corpus writes it into its file names.

`import_corpus` reads the names under a folder and makes a data set of them: a `manifest.csv` and the sound files,
linked where the file system allows and copied where not. The group is whoever made the sound (actor, speaker,
installation of an app, recording), so that a split never sets one voice against itself.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from babymonitor.core.labels import canonical
from babymonitor.core.sound.files import AUDIO_SUFFIXES, sound_files
from trainer.data.readers import Notice
from trainer.errors import DataError

_MARK = ".unfinished"
"""Says of a folder TARGET.part that an import began it, so that the next one may take it away."""


@dataclass(frozen=True, slots=True)
class FileNameFacts:
    """What the name of one file says.

    recording: two files of one corpus with the same value are copies of each other. licence: where it is not the
    corpus's.
    """

    label: str
    group: str
    recording: str
    detail: str = ""
    licence: str = ""


Parse = Callable[[Path], FileNameFacts | None]
"""Path within the corpus → what its name says, None where it is not a name of that corpus."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus that can be imported. example: a name that fits. note: what a person ought to know before training."""

    parser: Callable[[Path, bool], Parse]
    example: str
    licence: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A line of the manifest.

    use: all corpora here allow research, so all may be trained on. Whether the model may be passed on is for the
    licence to say, which training writes into the model's card.
    """

    path: str
    label: str
    group: str
    source: str
    detail: str
    licence: str
    use: str = "train"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of an import. copies: files that were there twice. misfits: files whose names say nothing."""

    rows: tuple[ManifestRow, ...]
    copies: int
    misfits: tuple[str, ...]

    @property
    def groups(self) -> int:
        return len({row.group for row in self.rows})

    @property
    def licences(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.licence for row in self.rows if row.licence))

    @property
    def labels(self) -> dict[str, int]:
        """Files of each label, the most frequent first."""
        return dict(Counter(row.label for row in self.rows).most_common())


def import_corpus(name: str, source: Path, target: Path, notice: Notice, keep_classes: bool = False) -> ImportResult:
    """Make the data set `target` of the corpus under `source`: all of it, or nothing.

    It is built beside its place and moved there when it is whole. notice: told of each file that is left out, in a
    sentence. keep_classes: of ESC-50, all fifty instead of the monitor's two. DataError where nothing fits, or `target`
    is taken.
    """
    if name not in CORPORA:
        raise DataError(f"There is no importer '{name}'; there is {', '.join(CORPORA)}.")
    if keep_classes and name != "esc50":
        raise DataError(f"Only esc50 has classes to keep, not {name}: leave out --keep-classes.")
    if not source.is_dir():
        what = "is a file: unpack it and name the folder" if source.is_file() else "does not exist"
        raise DataError(f"The corpus folder {source} {what}.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise DataError(f"{target} is there already: name a folder that is new or empty.")
    if target.resolve().is_relative_to(source.resolve()):
        raise DataError(f"{target} lies inside the corpus {source}: name a folder outside it.")
    found = _read_names(name, source, keep_classes)
    for path in found.misfits:
        notice(f"Skipped {path}: it is not named as in {name}, such as {CORPORA[name].example}.")
    _build(found.rows, source, target)
    if name == "folders" and found.groups == len(found.rows) > len(found.labels):
        notice("Each file counts as a voice of its own; if one is heard in several, sort them as LABEL/WHO/FILE.")
    return found


def _read_names(name: str, source: Path, keep_classes: bool) -> ImportResult:
    corpus = CORPORA[name]
    parse = corpus.parser(source, keep_classes)
    rows: list[ManifestRow] = []
    misfits: list[str] = []
    seen: set[str] = set()
    copies = 0
    # The nearest first: some archives hold the whole corpus a second time in a folder further down.
    paths = [file.relative_to(source) for file in sound_files(source)]
    paths = sorted((path for path in paths if not _is_hidden(path)), key=lambda path: (len(path.parts), path))
    for path in paths:
        shown = path.as_posix().encode(errors="replace").decode()
        heard = parse(path) if shown == path.as_posix() else None  # what is no text cannot stand in a manifest
        if heard is None:
            misfits.append(shown)
        elif heard.recording in seen:
            copies += 1
        else:
            seen.add(heard.recording)
            licence = heard.licence or corpus.licence
            rows.append(ManifestRow(path.as_posix(), canonical(heard.label), heard.group, name, heard.detail, licence))
    if not paths:
        raise DataError(f"{source} holds no sound file.")
    if not rows:
        raise DataError(f"No sound file in {source} is named as in {name}, such as {corpus.example}.")
    return ImportResult(tuple(rows), copies, tuple(misfits))


def _is_hidden(path: Path) -> bool:
    """Whether a system put it there, not the corpus: macOS adds a "._" file for each file of an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _build(rows: tuple[ManifestRow, ...], source: Path, target: Path) -> None:
    from tqdm import tqdm

    target = Path(os.path.abspath(target))
    part = target.with_name(target.name + ".part")
    if part.exists():
        if not (part / _MARK).is_file():
            raise DataError(f"{part} is in the way: move it, or name another folder than {target}.")
        shutil.rmtree(part)
    part.mkdir(parents=True)
    try:
        (part / _MARK).touch()
        for row in tqdm(rows, desc="importing", unit="file", file=sys.stderr, disable=None):
            file = part / row.path
            file.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(source / row.path, file)
        with (part / "manifest.csv").open("w", newline="", encoding="utf-8") as manifest:
            writer = csv.DictWriter(manifest, [field.name for field in fields(ManifestRow)])
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)
        (part / _MARK).unlink()
        if target.is_dir():
            target.rmdir()  # Empty, as was made sure of; not every system moves a folder onto one.
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        # Resolved, else a link to a symbolic link is made, which points nowhere from its new place.
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)


def _stem(path: Path) -> str:
    """The name without its suffix, and without a second one: some uploads are called `….caf.caf`."""
    stem = Path(path.stem)
    return stem.stem if stem.suffix.lower() in AUDIO_SUFFIXES else path.stem


_RAVDESS = re.compile(r"0[13]-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def _ravdess(path: Path) -> FileNameFacts | None:
    """`modality-channel-emotion-intensity-statement-repetition-actor`, two digits each.

    Modality 02 is video without sound; 01 is the film of a take that 03 holds as sound alone, so both are one
    recording. Actors with odd numbers are men.
    """
    stem = _stem(path)
    match = _RAVDESS.fullmatch(stem)
    if match is None:
        return None
    channel, emotion, intensity, statement, repetition, actor = match.groups()
    detail = {
        "channel": "song" if channel == "02" else "speech",
        "intensity": "strong" if intensity == "02" else "normal",
        "statement": statement,
        "repetition": repetition,
        "sex": "m" if int(actor) % 2 else "f",
    }
    return FileNameFacts(_RAVDESS_EMOTIONS[int(emotion) - 1], f"rav-{actor}", stem[3:], _written(detail))


_CREMAD = re.compile(
    r"(100[1-9]|10[1-8]\d|109[01])_(IEO|TIE|IOM|IWW|TAI|MTI|IWL|ITH|DFA|ITS|TSI|WSI)_(ANG|DIS|FEA|HAP|NEU|SAD)"
    r"_(LO|MD|HI|XX?)"
)
_CREMAD_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}


def _cremad(path: Path) -> FileNameFacts | None:
    """`actor_sentence_emotion_level`, actors 1001 to 1091; one published file (1040_ITH_SAD_X) lacks an X."""
    stem = _stem(path)
    match = _CREMAD.fullmatch(stem)
    if match is None:
        return None
    actor, sentence, emotion, level = match.groups()
    detail = {"sentence": sentence, "level": level.ljust(2, "X")}
    return FileNameFacts(_CREMAD_EMOTIONS[emotion], f"cremad-{actor}", stem, _written(detail))


_TESS = re.compile(r"(OA|YA)F?_([a-z'-]+)_(angry|disgust|fear|happy|neutral|ps|pleasant_surprised?|sad)", re.IGNORECASE)
_TESS_AGES = {"OA": 64, "YA": 26}


def _tess(path: Path) -> FileNameFacts | None:
    """`speaker_word_emotion`: OAF is the older, YAF the younger actress; "ps" is pleasant surprise.

    One published file (OA_bite_neutral) lacks the F. The best-known archive holds everything twice.
    """
    stem = _stem(path)
    match = _TESS.fullmatch(stem)
    if match is None:
        return None
    speaker = match[1].upper()
    detail = {"word": match[2].lower(), "age_years": str(_TESS_AGES[speaker]), "sex": "f"}
    return FileNameFacts(match[3], f"tess-{speaker}F", stem.lower(), _written(detail))


_EMODB = re.compile(r"(03|08|09|1[0-6])([ab]\d\d)([WLEAFTN])([a-z]?)")
_EMODB_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_EMODB_MEN = frozenset({"03", "10", "11", "12", "15"})


def _emodb(path: Path) -> FileNameFacts | None:
    """`SpeakerTextEmotionVersion`, as in 03a01Fa; the letter of the emotion is that of its German name."""
    stem = _stem(path)
    match = _EMODB.fullmatch(stem)
    if match is None:
        return None
    speaker, text, emotion, version = match.groups()
    detail = {"text": text, "version": version, "sex": "m" if speaker in _EMODB_MEN else "f"}
    return FileNameFacts(_EMODB_EMOTIONS[emotion], f"emo-{speaker}", stem, _written(detail))


_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_DONATEACRY = re.compile(
    # The first version of the app wrote fractions of a second, and a second number behind its version.
    rf"({_UUID})-(\d{{10,13}})(?:\.\d+)?-(\d[\d.]*)-(?:{_UUID}-)?([mf])-(04|48|26|72|22)-(hu|bu|bp|dc|ti|lo|ch|sc|dk)"
)
_DONATEACRY_FOLDERS = frozenset(
    {"hungry", "burping", "belly_pain", "discomfort", "tired", "lonely", "cold_hot", "scared"}
)


def _donateacry(path: Path) -> FileNameFacts | None:
    """`installation-timestamp-version-sex-age-reason`, as uploaded or in the cleaned layout of one folder per reason.

    There the folder decides: whoever cleaned the corpus sorted by it, and did not change the names. The reason is what
    the uploader guessed, and it speaks for a whole file of which half may be silence or talk: `trainer label` finds
    out what is heard when.
    """
    stem = _stem(path)
    match = _DONATEACRY.fullmatch(stem)
    if match is None:
        return None
    installation, _, version, sex, age, reason = match.groups()
    folder = path.parent.name.lower().replace(" ", "_")
    label = folder if folder in _DONATEACRY_FOLDERS else reason
    detail = {"reason": reason, "age": age, "sex": sex, "version": version}
    return FileNameFacts(label, f"don-{installation.lower()}", stem.lower(), _written(detail))


_ESC50 = re.compile(r"([1-5])-(\d+)-([A-Z])(?:-(\d{1,2}))?")
_ESC50_CLASSES = (
    *("dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow"),
    *("rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds"),
    *("water_drops", "wind", "pouring_water", "toilet_flush", "thunderstorm"),
    *("crying_baby", "sneezing", "clapping", "breathing", "coughing"),
    *("footsteps", "laughing", "brushing_teeth", "snoring", "drinking_sipping"),
    *("door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening"),
    *("washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking"),
    *("helicopter", "chainsaw", "siren", "car_horn", "engine"),
    *("train", "church_bells", "airplane", "fireworks", "hand_saw"),
)
_ESC10_CLASSES = frozenset(
    {"dog", "rooster", "rain", "sea_waves", "crackling_fire", "crying_baby", "sneezing", "clock_tick", "helicopter"}
    | {"chainsaw"}
)
_ESC10_NAMES = {
    "dog_bark": "dog",
    "fire_crackling": "crackling_fire",
    "baby_cry": "crying_baby",
    "person_sneeze": "sneezing",
}
"""Classes that ESC-10 calls otherwise."""


def _esc50(source: Path, keep_classes: bool) -> Parse:
    """`fold-clip-take-target`; where meta/esc50.csv is there, its class of a name goes before the target's.

    ESC-10 and older copies have no target in the name; the folder says the class then.

    For this monitor the corpus answers one question, baby or no baby: `crying_baby` is crying without a known reason,
    every other class is background. So is `laughing`: by their authors' titles those are men, women, groups and
    children, and as `happy`, which means a laughing baby, they would teach the model to hear babies on television.
    keep_classes leaves all fifty as they are, for other uses than the monitor's; `laughing` is then `laughing_people`,
    since a data set's `laughing` is read as `happy`. Folds go into the detail, not into a split: there are five of
    them, and none is for validation.
    """
    classes = _esc50_meta(source)

    def parse(path: Path) -> FileNameFacts | None:
        stem = _stem(path)
        match = _ESC50.fullmatch(stem)
        if match is None:
            return None
        fold, clip, take, target = match.groups()
        heard = classes.get(stem) or _class_of(target, path.parent.name)
        if not heard:
            return None
        if keep_classes:
            label = "laughing_people" if heard == "laughing" else heard
        else:
            label = heard if heard == "crying_baby" else "background"
        detail = _written({"class": heard, "fold": fold, "take": take})
        licence = "CC BY 3.0 (ESC-10)" if heard in _ESC10_CLASSES else ""
        return FileNameFacts(label, f"esc-{clip}", f"{fold}-{clip}-{take}", detail, licence)

    return parse


def _class_of(target: str | None, folder: str) -> str:
    """The class by its number, else by the folder's name, before which older copies put a number; "" of neither."""
    if target is not None:
        return _ESC50_CLASSES[int(target)] if int(target) < len(_ESC50_CLASSES) else ""
    name = re.sub(r"^\d+ - ", "", folder).strip().lower().replace(" ", "_")
    name = _ESC10_NAMES.get(name, name)
    return name if name in _ESC50_CLASSES else ""


def _esc50_meta(source: Path) -> Mapping[str, str]:
    """The class of each name that meta/esc50.csv lists."""
    path = source / "meta" / "esc50.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {Path(row["filename"]).stem: row["category"] for row in csv.DictReader(file)}
    except (KeyError, TypeError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not the table of ESC-50: it needs the columns filename and category.") from error


def _folders(path: Path) -> FileNameFacts | None:
    """`label/file` or `label/group/…/file`. One group may stand in several labels' folders: it is the same baby."""
    if len(path.parts) < 2:
        return None
    group = path.parts[1] if len(path.parts) > 2 else path.as_posix()
    return FileNameFacts(path.parts[0], group, path.as_posix())


def _written(detail: Mapping[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in detail.items())


def _by_name(parse: Parse) -> Callable[[Path, bool], Parse]:
    """A corpus whose names alone say everything."""
    return lambda source, keep_classes: parse


CORPORA: Mapping[str, Corpus] = {
    "ravdess": Corpus(_by_name(_ravdess), "03-01-06-01-02-01-12.wav", "CC BY-NC-SA 4.0"),
    "cremad": Corpus(_by_name(_cremad), "1001_DFA_ANG_XX.wav", "ODbL 1.0 / DbCL 1.0"),
    "tess": Corpus(
        _by_name(_tess),
        "OAF_back_angry.wav",
        "CC BY-NC-ND 4.0",
        "TESS permits no derivatives: keep a model trained on it to yourself. Its two speakers are too few for a split "
        "by speaker.",
    ),
    "emodb": Corpus(_by_name(_emodb), "03a01Fa.wav", "free, cite Burkhardt et al. 2005"),
    "donateacry": Corpus(
        _by_name(_donateacry),
        "0D1AD73E-4C5E-45F3-85C4-9A3CB71E8856-1430742197-1.0-m-04-hu.caf",
        "ODbL 1.0 / DbCL 1.0",
        "The reasons are the uploaders' guesses, and much of the sound is no cry: `trainer label` finds out what is "
        "heard when.",
    ),
    "esc50": Corpus(_esc50, "1-100032-A-0.wav", "CC BY-NC 3.0"),
    "folders": Corpus(_by_name(_folders), "crying/anna/night-1.wav"),
}
"""Every corpus by the name that the command line knows it by."""
