"""Published corpora: the labels, speakers and recordings that each of them writes into its file names.

The group is whoever made the sound (actor, speaker, installation of an app, recording), so that a split never puts the
same voice on two sides.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from babymonitor.core.sound.files import AUDIO_SUFFIXES
from trainer.errors import DataError


@dataclass(frozen=True, slots=True)
class FileNameFacts:
    """What a file's name says about it.

    recording: files of a corpus with the same value are copies of each other. licence: if it differs from the corpus's.
    """

    label: str
    group: str
    recording: str
    detail: str = ""
    licence: str = ""


Parse = Callable[[Path], FileNameFacts | None]
"""Maps a path within the corpus to the facts in its name; None for names that are not of that corpus."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus that can be imported. example: a matching file name. note: what to know before training on it."""

    parser: Callable[[Path, bool], Parse]
    example: str
    licence: str = ""
    note: str = ""


def _stem(path: Path) -> str:
    """Return a name without its suffix, or without both: some uploads are called `….caf.caf`."""
    stem = Path(path.stem)
    return stem.stem if stem.suffix.lower() in AUDIO_SUFFIXES else path.stem


_RAVDESS = re.compile(r"0[13]-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def _ravdess(path: Path) -> FileNameFacts | None:
    """`modality-channel-emotion-intensity-statement-repetition-actor`, two digits each.

    Modality 02 is video without sound. Modality 01 is the film of a take that 03 holds as sound only, so both are the
    same recording. Actors with odd numbers are men. Livingstone, S. and Russo, F. (2018), "The Ryerson Audio-Visual
    Database of Emotional Speech and Song", PLoS ONE 13.
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
    return FileNameFacts(_RAVDESS_EMOTIONS[int(emotion) - 1], f"rav-{actor}", stem[3:], _joined(detail))


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
    """`actor_sentence_emotion_level`, actors 1001 to 1091; one published file (1040_ITH_SAD_X) lacks an X.

    Cao, H. et al. (2014), "CREMA-D: crowd-sourced emotional multimodal actors dataset", IEEE Transactions on Affective
    Computing 5.
    """
    stem = _stem(path)
    match = _CREMAD.fullmatch(stem)
    if match is None:
        return None
    actor, sentence, emotion, level = match.groups()
    detail = {"sentence": sentence, "level": level.ljust(2, "X")}
    return FileNameFacts(_CREMAD_EMOTIONS[emotion], f"cremad-{actor}", stem, _joined(detail))


_TESS = re.compile(r"(OA|YA)F?_([a-z'-]+)_(angry|disgust|fear|happy|neutral|ps|pleasant_surprised?|sad)", re.IGNORECASE)
_TESS_AGES = {"OA": 64, "YA": 26}


def _tess(path: Path) -> FileNameFacts | None:
    """`speaker_word_emotion`: OAF is the older, YAF the younger actress; "ps" is pleasant surprise.

    One published file (OA_bite_neutral) lacks the F. The best-known archive contains everything twice. Pichora-Fuller,
    K. and Dupuis, K. (2020), "Toronto emotional speech set", Borealis.
    """
    stem = _stem(path)
    match = _TESS.fullmatch(stem)
    if match is None:
        return None
    speaker = match[1].upper()
    detail = {"word": match[2].lower(), "age_years": str(_TESS_AGES[speaker]), "sex": "f"}
    return FileNameFacts(match[3], f"tess-{speaker}F", stem.lower(), _joined(detail))


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
    """`SpeakerTextEmotionVersion`, as in 03a01Fa; the emotion's letter is the initial of its German name.

    Burkhardt, F. et al. (2005), "A database of German emotional speech", Interspeech.
    """
    stem = _stem(path)
    match = _EMODB.fullmatch(stem)
    if match is None:
        return None
    speaker, text, emotion, version = match.groups()
    detail = {"text": text, "version": version, "sex": "m" if speaker in _EMODB_MEN else "f"}
    return FileNameFacts(_EMODB_EMOTIONS[emotion], f"emo-{speaker}", stem, _joined(detail))


_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_DONATEACRY = re.compile(
    # The first version of the app wrote fractions of a second, and a second UUID after its version.
    rf"({_UUID})-(\d{{10,13}})(?:\.\d+)?-(\d[\d.]*)-(?:{_UUID}-)?([mf])-(04|48|26|72|22)-(hu|bu|bp|dc|ti|lo|ch|sc|dk)"
)
_DONATEACRY_FOLDERS = frozenset(
    {"hungry", "burping", "belly_pain", "discomfort", "tired", "lonely", "cold_hot", "scared"}
)


def _donateacry(path: Path) -> FileNameFacts | None:
    """`installation-timestamp-version-sex-age-reason`, as uploaded or in the cleaned layout of one folder per reason.

    In the cleaned layout the folder decides, because files were sorted into folders without being renamed. The reason
    is the uploader's guess and applies to a file of which half may be silence or talk; `trainer label` finds out which
    parts are crying.
    """
    stem = _stem(path)
    match = _DONATEACRY.fullmatch(stem)
    if match is None:
        return None
    installation, _, version, sex, age, reason = match.groups()
    folder = path.parent.name.lower().replace(" ", "_")
    label = folder if folder in _DONATEACRY_FOLDERS else reason
    detail = {"reason": reason, "age": age, "sex": sex, "version": version}
    return FileNameFacts(label, f"don-{installation.lower()}", stem.lower(), _joined(detail))


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
"""Classes with another name in ESC-10."""


def _esc50(source: Path, keep_classes: bool) -> Parse:
    """`fold-clip-take-target`. If meta/esc50.csv exists, its class takes precedence over the target's.

    Piczak, K. (2015), "ESC: dataset for environmental sound classification", ACM Multimedia. ESC-10 and older copies
    have no target in the name; the folder is the class then.

    For the monitor the corpus answers one question, baby or not: `crying_baby` is crying without a known reason, and
    all other classes are background. That includes `laughing`: by the titles of the clips, those are men, women, groups
    and children. As `happy`, which means a laughing baby, they would teach the model to detect babies on television.
    keep_classes keeps all fifty classes, for other purposes; `laughing` then becomes `laughing_people`, because a data
    set's `laughing` is read as `happy`. Folds are noted in the detail rather than used as a split: there are five, and
    none is for validation.
    """
    classes = _esc50_meta(source)

    def parse(path: Path) -> FileNameFacts | None:
        stem = _stem(path)
        match = _ESC50.fullmatch(stem)
        if match is None:
            return None
        fold, clip, take, target = match.groups()
        class_name = classes.get(stem) or _class_of(target, path.parent.name)
        if not class_name:
            return None
        if keep_classes:
            label = "laughing_people" if class_name == "laughing" else class_name
        else:
            label = class_name if class_name == "crying_baby" else "background"
        detail = _joined({"class": class_name, "fold": fold, "take": take})
        licence = "CC BY 3.0 (ESC-10)" if class_name in _ESC10_CLASSES else ""
        return FileNameFacts(label, f"esc-{clip}", f"{fold}-{clip}-{take}", detail, licence)

    return parse


def _class_of(target: str | None, folder: str) -> str:
    """Return the class by its number, else by the folder, which older copies number too; "" if unknown."""
    if target is not None:
        return _ESC50_CLASSES[int(target)] if int(target) < len(_ESC50_CLASSES) else ""
    name = re.sub(r"^\d+ - ", "", folder).strip().lower().replace(" ", "_")
    name = _ESC10_NAMES.get(name, name)
    return name if name in _ESC50_CLASSES else ""


def _esc50_meta(source: Path) -> Mapping[str, str]:
    """Return the class of each file name in meta/esc50.csv; empty if there is no such file."""
    path = source / "meta" / "esc50.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {Path(row["filename"]).stem: row["category"] for row in csv.DictReader(file)}
    except (KeyError, TypeError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not the table of ESC-50: it needs the columns filename and category.") from error


def _folders(path: Path) -> FileNameFacts | None:
    """`label/file` or `label/group/…/file`. A group in several labels' folders is the same baby."""
    if len(path.parts) < 2:
        return None
    group = path.parts[1] if len(path.parts) > 2 else path.as_posix()
    return FileNameFacts(path.parts[0], group, path.as_posix())


def _joined(detail: Mapping[str, str]) -> str:
    """Join facts to ``name=value;name=value``."""
    return ";".join(f"{name}={value}" for name, value in detail.items())


def _by_name(parse: Parse) -> Callable[[Path, bool], Parse]:
    """A parser that needs only the names."""
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
        "The reasons are the uploaders' guesses, and much of the sound is no cry: `trainer label` finds out which "
        "parts are.",
    ),
    "esc50": Corpus(_esc50, "1-100032-A-0.wav", "CC BY-NC 3.0"),
    "folders": Corpus(_by_name(_folders), "crying/anna/night-1.wav"),
}
"""All corpora, by their names on the command line."""
