"""Every sentence that `core` and `live` say to a person: a code with parameters, and its English wording.

Below the window nothing is translated, and nothing is lost for translating: a `Message` is the English sentence, which
can be printed, logged and stored like any text, and it carries the code and the parameters from which the window says
the same in another language (`ui.parts.wording.translated`). Errors whose sentence is meant for a person derive from
`PersonError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, unique
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

Parameter = str | int | float
"""A value in a sentence. A parameter may itself be a `Message`, which is then translated too."""

CONTEXT = "messages"
"""The context of the templates in the files of translations."""


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:  # noqa: N802 - the name that pyside6-lupdate looks for
    """Mark a text for pyside6-lupdate; returns the text. Core imports no Qt."""
    return text


@unique
class Code(Enum):
    """What can be said; the value is the English template. Names begin with the subject: MODEL_, LIBRARY_, SOUND_ …"""

    # Sound files
    SOUND_IS_A_FOLDER = QT_TRANSLATE_NOOP("messages", "{path} is a folder, not a sound file.")
    SOUND_UNREADABLE = QT_TRANSLATE_NOOP("messages", "{path} cannot be read: {reason}.")
    SOUND_FILE_EMPTY = QT_TRANSLATE_NOOP("messages", "{path} is empty.")
    SOUND_RATE_IMPOSSIBLE = QT_TRANSLATE_NOOP("messages", "{path} has an impossible sampling rate ({rate} Hz).")
    SOUND_TOO_MANY_CHANNELS = QT_TRANSLATE_NOOP(
        "messages", "{path} has {channels} channels, which is more than any microphone."
    )
    SOUND_MISSING = QT_TRANSLATE_NOOP("messages", "{path} holds no sound.")
    SOUND_FORMAT_UNKNOWN = QT_TRANSLATE_NOOP(
        "messages", "{path} is not a sound file that can be read, or it is damaged."
    )
    SOUND_NOT_NUMBERS = QT_TRANSLATE_NOOP("messages", "{path} holds values that are no numbers.")
    SOUND_DAMAGED = QT_TRANSLATE_NOOP("messages", "{path} is damaged: it could not be read to its end.")
    SOUND_TOO_LONG = QT_TRANSLATE_NOOP("messages", "{path} is longer than {minutes:.0f} minutes.")
    SOUND_TOO_SHORT_TO_JUDGE = QT_TRANSLATE_NOOP("messages", "{path} is too short to be judged.")

    # The comment in a FLAC file: clauses behind a colon
    FLAC_RATE_IMPOSSIBLE = QT_TRANSLATE_NOOP("messages", "impossible sampling rate")
    FLAC_COMMENT_TOO_LONG = QT_TRANSLATE_NOOP("messages", "comment too long")
    FLAC_COMMENT_DAMAGED = QT_TRANSLATE_NOOP("messages", "damaged comment")
    FLAC_CUT_OFF = QT_TRANSLATE_NOOP("messages", "cut off")
    FLAC_MISSING = QT_TRANSLATE_NOOP("messages", "no FLAC file")

    # Model files
    MODEL_UNUSABLE = QT_TRANSLATE_NOOP("messages", "The model {name} cannot be used: {reason}.")
    MODEL_WRONG_RATE = QT_TRANSLATE_NOOP(
        "messages", "The model {name} hears at {model_rate} Hz, the monitor at {rate} Hz."
    )
    MODEL_REFUSED_KEEPING_CURRENT = QT_TRANSLATE_NOOP("messages", "{reason} The model in use goes on.")
    MODEL_REFUSED_USING_SHIPPED = QT_TRANSLATE_NOOP("messages", "{reason} The shipped model is used instead.")

    MODEL_CANNOT_ALARM = QT_TRANSLATE_NOOP("messages", "{name} has no label that means crying: it can give no alarm.")

    MODEL_FILE_MISSING = QT_TRANSLATE_NOOP("messages", "There is no file {path}; the model in use stays.")
    MODEL_BEFORE_MISSING = QT_TRANSLATE_NOOP(
        "messages", "The previous model, {name}, no longer exists; the shipped one is used."
    )

    # Why a model file cannot be used: clauses behind a colon
    MODEL_TOO_LARGE = QT_TRANSLATE_NOOP("messages", "it is larger than 2 GB")
    MODEL_UNREADABLE = QT_TRANSLATE_NOOP("messages", "it cannot be read ({reason})")
    MODEL_NOT_ONNX = QT_TRANSLATE_NOOP("messages", "it is not a model that ONNX Runtime can open")
    MODEL_WITHOUT_CARD = QT_TRANSLATE_NOOP("messages", "it carries no description of how to use it")
    MODEL_CARD_UNREADABLE = QT_TRANSLATE_NOOP("messages", "its description is not readable")
    MODEL_CARD_TOO_NEW = QT_TRANSLATE_NOOP("messages", "its description is of a kind this version does not know")
    MODEL_CARD_INCOMPLETE = QT_TRANSLATE_NOOP("messages", "its description lacks {names}")
    MODEL_CARD_WRONG = QT_TRANSLATE_NOOP("messages", "its description is wrong: {reason}")
    MODEL_LABELS_WRONG = QT_TRANSLATE_NOOP("messages", "its labels are missing or named twice")
    MODEL_THRESHOLDS_WRONG = QT_TRANSLATE_NOOP("messages", "its thresholds are impossible")
    MODEL_WINDOW_WRONG = QT_TRANSLATE_NOOP("messages", "its window or hop is impossible")
    MODEL_GRAPH_WRONG = QT_TRANSLATE_NOOP("messages", "its input and output are not named as they should be")
    MODEL_FAILS = QT_TRANSLATE_NOOP("messages", "it fails when it is asked")
    MODEL_ANSWER_WRONG = QT_TRANSLATE_NOOP("messages", "its answer makes no sense")
    MODEL_GOLDEN_BROKEN = QT_TRANSLATE_NOOP("messages", "its golden pair is missing or broken")
    MODEL_GOLDEN_DIFFERS = QT_TRANSLATE_NOOP("messages", "it does not reproduce its own golden output on this machine")
    MODEL_UNSEALED = QT_TRANSLATE_NOOP("messages", "it is not one of this program's models, or not whole")
    MODEL_ALTERED = QT_TRANSLATE_NOOP("messages", "it was altered or damaged after it was made")
    MODEL_CUT_OFF = QT_TRANSLATE_NOOP("messages", "it is not whole")
    MODEL_NOT_A_MODEL = QT_TRANSLATE_NOOP("messages", "it is not a model file")
    MODEL_NOT_A_MODEL_OR_CUT_OFF = QT_TRANSLATE_NOOP("messages", "it is not a model file, or it is incomplete")

    # What is wrong with a front end: clauses behind a colon
    FEATURES_UNKNOWN = QT_TRANSLATE_NOOP("messages", "the front end '{kind}' is not known to this version")
    FEATURES_FRAMES_WRONG = QT_TRANSLATE_NOOP("messages", "the front end's frames are impossible")
    FEATURES_WINDOW_WRONG = QT_TRANSLATE_NOOP("messages", "the front end's window, hop or sampling rate is impossible")
    FEATURES_WINDOW_TOO_SHORT = QT_TRANSLATE_NOOP("messages", "the front end's window is too short for a pitch")
    FEATURES_BANDS_WRONG = QT_TRANSLATE_NOOP("messages", "the front end's mel bands are impossible")
    FEATURES_FLOOR_WRONG = QT_TRANSLATE_NOOP("messages", "the front end's floor is impossible")
    FEATURES_INCOMPLETE = QT_TRANSLATE_NOOP("messages", "the front end is not completely described ({names})")
    FEATURES_NOT_NUMBERS = QT_TRANSLATE_NOOP("messages", "the front end is described with something that is no number")

    # Converting a `.pt`
    CONVERSION_BEGINS = QT_TRANSLATE_NOOP(
        "messages", "The model {name} is being prepared; until then the model in use goes on."
    )
    CONVERSION_IS_DONE_ONCE = QT_TRANSLATE_NOOP(
        "messages", "The model {name} is converted for this program; that is done once."
    )
    CONVERSION_TOO_LONG = QT_TRANSLATE_NOOP("messages", "its conversion did not finish")
    CONVERSION_WITHOUT_TRAINER = QT_TRANSLATE_NOOP("messages", "the trainer does not start ({reason})")
    CONVERSION_FAILED = QT_TRANSLATE_NOOP("messages", "its conversion failed")
    CONVERSION_REFUSED = QT_TRANSLATE_NOOP("messages", "The model {name} cannot be used: {reason}")
    """reason: the trainer's own sentence."""

    # Settings
    SETTING_WRONG_KIND = QT_TRANSLATE_NOOP("messages", "{name} must be {kind}, not {value}.")
    SETTING_OUT_OF_RANGE = QT_TRANSLATE_NOOP(
        "messages", "{name} must lie between {least:g} and {most:g}, not {value:g}."
    )
    SETTING_NOT_A_CHOICE = QT_TRANSLATE_NOOP("messages", "{name} must be one of {choices}, not {value}.")
    SETTING_UNKNOWN = QT_TRANSLATE_NOOP("messages", "There is no setting '{name}'; there are {names}.")
    SETTING_DEFAULT_USED = QT_TRANSLATE_NOOP("messages", "{reason} The default, {value}, is used.")
    SETTINGS_UNREADABLE = QT_TRANSLATE_NOOP(
        "messages", "The settings could not be read; defaults are used, and the file is kept as {name}."
    )
    KIND_SWITCH = QT_TRANSLATE_NOOP("messages", "on or off")
    KIND_WHOLE_NUMBER = QT_TRANSLATE_NOOP("messages", "a whole number")
    KIND_NUMBER = QT_TRANSLATE_NOOP("messages", "a number")
    KIND_TEXT = QT_TRANSLATE_NOOP("messages", "text")

    # The history of the nights, and what a person says of them
    HISTORY_CANNOT_BE_OPENED = QT_TRANSLATE_NOOP("messages", "The history {path} cannot be opened: {reason}.")
    HISTORY_TOO_NEW = QT_TRANSLATE_NOOP(
        "messages", "The history {path} was written by a newer version of this program."
    )
    HISTORY_PUT_ASIDE = QT_TRANSLATE_NOOP(
        "messages", "The history was damaged; a new one was started, and the old one is kept as {name}."
    )
    HISTORY_NOT_WRITTEN = QT_TRANSLATE_NOOP("messages", "The history could not be written: {reason}.")
    HISTORY_REFUSED = QT_TRANSLATE_NOOP("messages", "The history could not be written or read: {reason}.")
    REVIEW_WITHOUT_SOUND = QT_TRANSLATE_NOOP("messages", "No sound was kept of this one.")
    REVIEW_SOUND_GONE = QT_TRANSLATE_NOOP("messages", "The sound of this one is no longer on the disk.")
    REVIEW_SOUND_UNREADABLE = QT_TRANSLATE_NOOP("messages", "The sound of this one cannot be read: {reason}")
    REVIEW_WITHOUT_LIBRARY = QT_TRANSLATE_NOOP(
        "messages", "The library cannot be opened, so the sound was not added to it."
    )

    HISTORY_IN_MEMORY = QT_TRANSLATE_NOOP(
        "messages", "{reason} It listens all the same, but nothing of this night is kept."
    )

    # The program as a whole
    PROGRAM_ERROR = QT_TRANSLATE_NOOP("messages", "Something went wrong inside the program ({kind}); see the log.")

    # The library
    LIBRARY_MISSING = QT_TRANSLATE_NOOP(
        "messages", "{reason} Nothing can be recorded or labelled until then; it listens all the same."
    )
    LIBRARY_CANNOT_BE_OPENED = QT_TRANSLATE_NOOP("messages", "The library {path} cannot be opened: {reason}.")
    LIBRARY_TOO_NEW = QT_TRANSLATE_NOOP(
        "messages", "The library {path} was written by a newer version of this program."
    )
    LIBRARY_CANNOT_BE_KEPT = QT_TRANSLATE_NOOP("messages", "The library {path} cannot be kept: {reason}.")
    LIBRARY_UNREADABLE = QT_TRANSLATE_NOOP("messages", "The library {path} cannot be read: {reason}.")
    LIBRARY_ROWS_NOT_WRITTEN = QT_TRANSLATE_NOOP("messages", "The library could not be written: {reason}.")
    LIBRARY_ROWS_NOT_READ = QT_TRANSLATE_NOOP("messages", "The library could not be read: {reason}.")
    LIBRARY_PUT_ASIDE = QT_TRANSLATE_NOOP(
        "messages",
        "The library's list was damaged; it was made anew from the clips themselves, and the old one is kept as "
        "{name}.",
    )
    LIBRARY_CLIP_LOST = QT_TRANSLATE_NOOP("messages", "{count} clip of the library cannot be found in {path}.")
    LIBRARY_CLIPS_LOST = QT_TRANSLATE_NOOP("messages", "{count} clips of the library cannot be found in {path}.")
    LIBRARY_FOREIGN_FILES = QT_TRANSLATE_NOOP(
        "messages",
        "Files in the library's folder that the library did not write: {count}, such as {path}; import them from "
        "elsewhere to see them here.",
    )
    LIBRARY_DUPLICATE_MOVED = QT_TRANSLATE_NOOP(
        "messages", "A sound was in the library twice; {path} was moved to the trash."
    )
    LIBRARY_SOURCE_UNKNOWN = QT_TRANSLATE_NOOP(
        "messages", "'{source}' is not a source of clips; the sources are {sources}."
    )
    LIBRARY_HAS_CLIP = QT_TRANSLATE_NOOP("messages", "This sound is in the library already ({label}, {group}).")
    LIBRARY_CLIP_GONE = QT_TRANSLATE_NOOP("messages", "This clip is not in the library any more.")
    LIBRARY_CLIP_NOT_KEPT = QT_TRANSLATE_NOOP("messages", "The clip could not be kept: {reason}.")
    LIBRARY_CLIP_NOT_CHANGED = QT_TRANSLATE_NOOP("messages", "The clip could not be changed: {reason}.")
    LIBRARY_CLIP_NOT_DELETED = QT_TRANSLATE_NOOP("messages", "The clip could not be deleted: {reason}.")
    LIBRARY_CLIP_NOT_RESTORED = QT_TRANSLATE_NOOP("messages", "The clip could not be brought back: {reason}.")
    LIBRARY_LABEL_WRONG = QT_TRANSLATE_NOOP(
        "messages", "'{name}' cannot be a label: use the letters a to z, digits and _."
    )
    LIBRARY_NOTE_TOO_LONG = QT_TRANSLATE_NOOP("messages", "A note has at most {most} characters; this one has {count}.")
    LIBRARY_CLIP_TOO_SHORT = QT_TRANSLATE_NOOP(
        "messages", "A clip of {seconds:.2f} s is too short: it needs {least:.1f} s or more."
    )
    LIBRARY_CLIP_TOO_LONG = QT_TRANSLATE_NOOP(
        "messages", "A clip of {seconds:.0f} s is too long: at most {most:.0f} s are allowed."
    )
    LIBRARY_CLIP_NOT_NUMBERS = QT_TRANSLATE_NOOP(
        "messages", "This sound holds values that are no numbers: it was not kept."
    )

    # Labels
    LABEL_HUNGRY = QT_TRANSLATE_NOOP("messages", "Hungry")
    LABEL_PAIN = QT_TRANSLATE_NOOP("messages", "Pain")
    LABEL_TIRED = QT_TRANSLATE_NOOP("messages", "Tired")
    LABEL_UNCLEAR = QT_TRANSLATE_NOOP("messages", "Crying, reason unclear")
    LABEL_LAUGHING = QT_TRANSLATE_NOOP("messages", "Laughing")
    LABEL_BABBLING = QT_TRANSLATE_NOOP("messages", "Babbling")
    LABEL_NO_BABY = QT_TRANSLATE_NOOP("messages", "No baby")

    # Other sounds
    SOUND_TALKING = QT_TRANSLATE_NOOP("messages", "Talking")
    SOUND_CHILD_TALKING = QT_TRANSLATE_NOOP("messages", "A child talking")
    SOUND_SINGING = QT_TRANSLATE_NOOP("messages", "Singing")
    SOUND_COUGHING = QT_TRANSLATE_NOOP("messages", "Coughing")
    SOUND_BREATHING = QT_TRANSLATE_NOOP("messages", "Breathing or snoring")
    SOUND_DOG = QT_TRANSLATE_NOOP("messages", "A dog")
    SOUND_CAT = QT_TRANSLATE_NOOP("messages", "A cat")
    SOUND_ANIMAL = QT_TRANSLATE_NOOP("messages", "An animal")
    SOUND_MUSIC = QT_TRANSLATE_NOOP("messages", "Music")
    SOUND_TELEVISION = QT_TRANSLATE_NOOP("messages", "Television")
    SOUND_ALARM = QT_TRANSLATE_NOOP("messages", "An alarm or a ringing")
    SOUND_VEHICLE = QT_TRANSLATE_NOOP("messages", "A vehicle or an engine")
    SOUND_WATER = QT_TRANSLATE_NOOP("messages", "Water")
    SOUND_WEATHER = QT_TRANSLATE_NOOP("messages", "Wind or rain")
    SOUND_HOUSEHOLD = QT_TRANSLATE_NOOP("messages", "Household sounds")
    SOUND_NOISE = QT_TRANSLATE_NOOP("messages", "Steady noise")
    SOUND_QUIET = QT_TRANSLATE_NOOP("messages", "Quiet")
    SOUND_OTHER = QT_TRANSLATE_NOOP("messages", "Other sounds")
    NO_BABY_BUT = QT_TRANSLATE_NOOP("messages", "No baby: {sound!l}")

    # Import and export
    IMPORT_NOT_A_FOLDER = QT_TRANSLATE_NOOP("messages", "{path} is not a folder.")
    IMPORT_NO_SOUND = QT_TRANSLATE_NOOP("messages", "{path} holds no sound file.")
    IMPORT_METADATA_WRONG = QT_TRANSLATE_NOOP("messages", "{path} is not as expected: {shape}.")
    IMPORT_OUTSIDE = QT_TRANSLATE_NOOP(
        "messages", "{file} names {path}, which lies outside {folder}: nothing was imported."
    )
    IMPORT_FAILED = QT_TRANSLATE_NOOP("messages", "{path} could not be imported: {reason}.")
    IMPORT_SKIPPED = QT_TRANSLATE_NOOP("messages", "{name} was skipped: {reason!l}")
    EXPORT_NESTED = QT_TRANSLATE_NOOP(
        "messages", "{path} contains the library or lies inside it: export to a folder elsewhere."
    )
    EXPORT_TARGET_TAKEN = QT_TRANSLATE_NOOP("messages", "{path} is there already: name a folder that is new or empty.")
    EXPORT_EMPTY = QT_TRANSLATE_NOOP("messages", "The library is empty: there is nothing to export.")
    EXPORT_FAILED = QT_TRANSLATE_NOOP("messages", "The library could not be exported to {path}: {reason}.")
    EXPORT_ENDED_EARLY = QT_TRANSLATE_NOOP("messages", "The export was ended early.")

    # What to record next
    ADVICE_LABEL_ONE_CLIP = QT_TRANSLATE_NOOP("messages", "Give 1 clip a label: nothing can be learnt from them yet.")
    ADVICE_LABEL_CLIPS = QT_TRANSLATE_NOOP(
        "messages", "Give {count} clips a label: nothing can be learnt from them yet."
    )
    ADVICE_BEGIN = QT_TRANSLATE_NOOP(
        "messages", "There is nothing yet: record your baby, import files, or take clips out of Nights."
    )
    ADVICE_RECORD_CRYING = QT_TRANSLATE_NOOP(
        "messages", "Record crying too: without any, a model cannot learn to tell it from the rest."
    )
    ADVICE_RECORD_THE_REST = QT_TRANSLATE_NOOP(
        "messages",
        "Record what is not crying too, such as babbling or the empty room: a model learns the difference.",
    )
    ADVICE_MORE_NIGHTS = QT_TRANSLATE_NOOP(
        "messages",
        "Record on other nights too: {labels}; what is known from one night only may hold for no other.",
    )
    ADVICE_MORE_CLIPS = QT_TRANSLATE_NOOP(
        "messages", "Record more of: {labels}; training wants {clips}, from several nights."
    )
    ADVICE_MISSING_LABELS = QT_TRANSLATE_NOOP(
        "messages", "There is nothing yet of: {labels!l}; of the others there is enough to train."
    )
    ADVICE_ENOUGH = QT_TRANSLATE_NOOP(
        "messages", "There is enough to train; {clips} clips of each would be good, most of all {label!l}."
    )
    ADVICE_DONE = QT_TRANSLATE_NOOP("messages", "Nothing is missing: there are {clips} clips of each label or more.")
    ADVICE_AND_MORE = QT_TRANSLATE_NOOP("messages", "{labels} and {count} more")
    ADVICE_LABEL_COUNT = QT_TRANSLATE_NOOP("messages", "{label!l} ({clips} from {nights})")
    ONE_CLIP = QT_TRANSLATE_NOOP("messages", "1 clip")
    SEVERAL_CLIPS = QT_TRANSLATE_NOOP("messages", "{count} clips")
    ONE_NIGHT = QT_TRANSLATE_NOOP("messages", "1 night")
    SEVERAL_NIGHTS = QT_TRANSLATE_NOOP("messages", "{count} nights")
    LIST_LABEL = QT_TRANSLATE_NOOP("messages", "{before!l}, {label!l}")
    LIST_ITEM = QT_TRANSLATE_NOOP("messages", "{before}; {item}")

    # Recording
    RECORDING_IMPOSSIBLE = QT_TRANSLATE_NOOP("messages", "Nothing can be recorded: {reason}")
    RECORDING_NOTHING_HEARD = QT_TRANSLATE_NOOP("messages", "There is no sound to keep: nothing has been heard yet.")
    RECORDING_INTERRUPTED = QT_TRANSLATE_NOOP("messages", "The sound was interrupted.")
    RECORDING_DISK_TOO_SLOW = QT_TRANSLATE_NOOP("messages", "The disk is too slow.")
    RECORDING_AT_ITS_LONGEST = QT_TRANSLATE_NOOP("messages", "The recording is as long as a file can be.")
    RECORDING_ENDED_EARLY = QT_TRANSLATE_NOOP(
        "messages", "{reason} The recording ended there; what was recorded is kept."
    )
    RECORDING_EMPTY = QT_TRANSLATE_NOOP("messages", "{reason} Nothing was recorded.")
    RECORDING_TOO_SHORT = QT_TRANSLATE_NOOP("messages", "That was too short to be kept.")
    RECORDING_NOT_WRITTEN = QT_TRANSLATE_NOOP("messages", "The recording could not be written: {reason}.")
    ALERT_SOUND_NOT_KEPT = QT_TRANSLATE_NOOP("messages", "The sound of an alert could not be kept: {reason}.")

    # The microphone, the loudspeakers and the alarm
    PORTAUDIO_MISSING = QT_TRANSLATE_NOOP(
        "messages", "PortAudio is not installed (on Debian and Ubuntu: apt install libportaudio2)."
    )
    MICROPHONE_MISSING = QT_TRANSLATE_NOOP("messages", "No microphone was found.")
    MICROPHONE_DOES_NOT_OPEN = QT_TRANSLATE_NOOP("messages", "The microphone '{name}' does not open ({reason}).")
    MICROPHONE_UNUSABLE = QT_TRANSLATE_NOOP("messages", "The microphone's sound cannot be used ({reason}).")
    MICROPHONE_SILENT = QT_TRANSLATE_NOOP("messages", "The microphone '{name}' gives no sound; it is tried again.")
    MICROPHONE_MUTED = QT_TRANSLATE_NOOP(
        "messages", "The microphone '{name}' gives only digital silence: it is muted or broken."
    )
    MICROPHONE_SUBSTITUTED = QT_TRANSLATE_NOOP(
        "messages", "The wanted microphone is not there; '{name}' is heard instead."
    )
    LOUDSPEAKER_UNUSABLE = QT_TRANSLATE_NOOP("messages", "No loudspeaker can be used ({reason}).")
    ALARM_WITHOUT_LOUDSPEAKER = QT_TRANSLATE_NOOP(
        "messages", "There is no loudspeaker: the alarm can be seen but not heard."
    )
    ALARM_CANNOT_BE_HEARD = QT_TRANSLATE_NOOP("messages", "The alarm cannot be heard: {reason}")
    CLIP_CANNOT_BE_PLAYED = QT_TRANSLATE_NOOP("messages", "The clip cannot be played: {reason}")
    ALERT_SOUND_LOST = QT_TRANSLATE_NOOP("messages", "The sound of an alert was gone before it could be kept.")

    # The monitor's health
    MODEL_SILENT = QT_TRANSLATE_NOOP("messages", "The model gives no answer.")
    LOUDNESS_STANDS_IN = QT_TRANSLATE_NOOP("messages", "{reason} Until it does, any loud sound gives the alarm.")
    COMPUTER_SLEPT = QT_TRANSLATE_NOOP("messages", "The computer slept from {began} to {ended}: nothing was heard.")
    COMPUTER_MAY_SLEEP = QT_TRANSLATE_NOOP(
        "messages", "The computer may fall asleep by itself and hear nothing: switch that off in its settings."
    )
    MONITOR_STOPPED = QT_TRANSLATE_NOOP("messages", "Listening was stopped.")
    MONITOR_NOT_LISTENING = QT_TRANSLATE_NOOP("messages", "the monitor is not listening.")
    MODEL_FOUND = QT_TRANSLATE_NOOP(
        "messages", "The model {name} from the models folder is ready and is used from now on."
    )
    SETTINGS_NOT_SAVED = QT_TRANSLATE_NOOP("messages", "The settings could not be saved: {reason}.")

    # Training
    TRAINING_CANNOT_BEGIN = QT_TRANSLATE_NOOP("messages", "The training cannot begin: {reason}.")
    TRAINING_CANNOT_BE_WRITTEN = QT_TRANSLATE_NOOP(
        "messages", "The training cannot begin: nothing can be written ({reason})."
    )
    TRAINING_INTERRUPTED = QT_TRANSLATE_NOOP(
        "messages", "The program ended while it was training; nothing was changed."
    )
    TRAINING_INTERRUPTED_RESUMABLE = QT_TRANSLATE_NOOP(
        "messages", "The program ended while it was training; nothing was changed. It can be resumed."
    )
    TRAINING_STOPPED = QT_TRANSLATE_NOOP("messages", "The training was stopped; nothing was changed.")
    TRAINING_STOPPED_RESUMABLE = QT_TRANSLATE_NOOP(
        "messages", "The training was stopped; nothing was changed, and it can be resumed."
    )
    TRAINING_FINISHED = QT_TRANSLATE_NOOP("messages", "The new model is ready.")
    TRAINING_FINISHED_UNCOMPARED = QT_TRANSLATE_NOOP(
        "messages", "The new model is ready, but it could not be compared with the present one: {reason}"
    )
    TRAINING_COMPARISON_ENDED = QT_TRANSLATE_NOOP("messages", "the comparison ended unexpectedly.")
    TRAINING_ENDED = QT_TRANSLATE_NOOP("messages", "The training ended unexpectedly; nothing was changed.")
    TRAINING_ENDED_RESUMABLE = QT_TRANSLATE_NOOP(
        "messages", "The training ended unexpectedly; nothing was changed. It can be resumed."
    )
    TRAINING_LAST_LINE = QT_TRANSLATE_NOOP("messages", "{reason} The last it said: {line}")
    TRAINING_MODEL_NOT_TAKEN = QT_TRANSLATE_NOOP("messages", "The model cannot be taken into use: {reason}.")
    TRAINING_COMPARISON_UNREADABLE = QT_TRANSLATE_NOOP("messages", "The comparison of the two models cannot be read.")
    TRAINER_DOES_NOT_START = QT_TRANSLATE_NOOP("messages", "The trainer does not start.")
    TRAINER_DOES_NOT_START_UNCHANGED = QT_TRANSLATE_NOOP("messages", "The trainer does not start; nothing was changed.")
    TRAINER_FAMILIES_MISSING = QT_TRANSLATE_NOOP("messages", "The trainer did not say which families it knows.")
    PACK_FROM_SOURCE = QT_TRANSLATE_NOOP(
        "messages",
        "The trainer needs packages that are not installed ({missing}): python3 run.py trainer installs them.",
    )
    PACK_DAMAGED = QT_TRANSLATE_NOOP(
        "messages",
        "A part of the program is missing ({missing}). Please install it, and the training pack, again.",
    )
    PACK_NEEDED = QT_TRANSLATE_NOOP(
        "messages",
        "This needs the training pack ({missing} is in it), about {megabytes} MB to fetch. To get it: {command}. "
        "Teaching the model your own baby works without it.",
    )


class _Formatter(Formatter):
    """As `str.format`, with the conversion ``!l``: the first letter in lower case, for a sentence behind a colon."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion == "l":
            return str(value)[:1].lower() + str(value)[1:]
        return super().convert_field(value, conversion)


_FORMATTER = _Formatter()


def fill(template: str, parameters: Mapping[str, Parameter]) -> str:
    """Put parameters into a template, English or translated. KeyError where one is missing."""
    return _FORMATTER.vformat(template, (), parameters)


class Message(str):
    """An English sentence, or clause, with the code and the parameters it was made of. Make one with `message`."""

    code: Code
    parameters: Mapping[str, Parameter]

    def __new__(cls, code: Code, parameters: Mapping[str, Parameter]) -> Message:
        if parameters.keys() != _names(code):
            raise TypeError(f"{code.name} takes {sorted(_names(code))}, not {sorted(parameters)}.")
        self = super().__new__(cls, fill(code.value, parameters))
        self.code = code
        self.parameters = parameters
        return self

    def __str__(self) -> Message:
        """Itself, so that `str(error)` keeps the code."""
        return self

    def __getnewargs__(self) -> tuple[Code, Mapping[str, Parameter]]:  # type: ignore[override]
        return self.code, self.parameters


def message(code: Code, **parameters: Parameter | Path) -> Message:
    """The sentence of a code. TypeError where a parameter is missing, or one too many."""
    return Message(
        code, {name: value.__fspath__() if isinstance(value, Path) else value for name, value in parameters.items()}
    )


@cache
def _names(code: Code) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in _FORMATTER.parse(code.value) if name)


class PersonError(Exception):
    """An error whose `message` is a sentence for a person. Made of a code with its parameters, or of a message."""

    def __init__(self, sentence: Code | Message, **parameters: Parameter | Path) -> None:
        self.message = sentence if isinstance(sentence, Message) else message(sentence, **parameters)
        super().__init__(self.message)
