"""The recipe of a training, each setting declared once.

Options of the command line, the JSON that the app's form is made from, limits, and what `trainer tune` tries are all
derived from the declarations below. Nothing heavy is imported here: `--help` reads this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from trainer.errors import DataError

RECIPE, MACHINE, TEACHER = "recipe", "machine", "teacher"
"""Sections of --help that a setting may stand in; the last is offered where a teacher can be named."""


@dataclass(frozen=True, slots=True)
class Search:
    """The values that `trainer tune` tries: from `low` to `high`, or `choices`. log: evenly in the logarithm."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RecipeSetting:
    """What a field of the recipe may be, and how it is offered.

    help, metavar, section: for the command line; a setting without a section is no option. least, most: inclusive, but
    for `least` where `above_least` is set. choices: the values of a text. matters_when_fitted: also for families that
    are fitted at once (SVM, trees) and have no epochs. search: None where `trainer tune` leaves it alone.
    """

    help: str = ""
    metavar: str = "N"
    section: str = RECIPE
    least: float | None = None
    most: float | None = None
    above_least: bool = False
    choices: tuple[str, ...] = ()
    matters_when_fitted: bool = False
    search: Search | None = None

    def check(self, name: str, value: Any) -> None:
        """Raises DataError for a value that the setting cannot have."""
        if self.choices:
            if value not in self.choices:
                raise DataError(f"There is no {name} '{value}'; there is {', '.join(self.choices)}.")
        elif self.least is None:
            return
        elif self.most is None:
            if not value >= self.least:
                raise DataError(f"The setting {name} must be at least {self.least}, not {value}.")
        elif self.above_least:
            if not self.least < value <= self.most:
                words = name.replace("_", " ")
                raise DataError(f"The {words} must be above {self.least:g} and at most {self.most:g}, not {value}.")
        elif not self.least <= value <= self.most:
            raise DataError(f"The setting {name} must be between {self.least:g} and {self.most:g}, not {value}.")


def _setting(default: Any, help: str = "", **limits: Any) -> Any:
    return field(default=default, metadata={"setting": RecipeSetting(help, **limits)})


def _share(default: float, help: str, most: float = 1.0, **limits: Any) -> Any:
    return _setting(default, help, metavar="SHARE", least=0.0, most=most, **limits)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one training.

    epoch_windows: windows of one epoch; 0: four for each clip, 1,024 to 24,576. schedule: of the learning rate: one
    cycle up and down, halved when validation stands still, or constant. patience: epochs without a better validation
    after which training ends and the best epoch is kept; 0: never, and the last is kept. balance: rare labels are
    drawn as often as others (``sampling``), weigh more in the loss (``weights``), or neither. reason_weight: of why a
    child cries beside whether it does. mixup, overlay, noise, mask: shares of a batch, see
    `trainer.training.batch_augment`. average: how much the averaged weights, which are what is kept, remember at each
    step. precision: of the products while training; the weights are always float32. ``bfloat16`` is twice as quick for
    dense convolutions where the processor knows it, slower for separable ones, and very slow elsewhere; ``auto``,
    which families of dense convolutions have, takes it where it is known. reuse: epochs that share the windows drawn,
    because drawing costs more than learning. workers: processes that draw ahead; they do not change what is drawn.
    """

    epochs: int = _setting(12, "passes over the windows", least=1)
    epoch_windows: int = _setting(
        0, "windows of one epoch (default: four for each clip, 1,024 to 24,576)", least=0, matters_when_fitted=True
    )
    batch: int = _setting(128, "windows per step", least=2, search=Search(choices=(32, 64, 128)))
    learning_rate: float = _setting(
        3e-3, "maximum of the schedule", metavar="RATE", least=0.0, most=1.0, above_least=True,
        search=Search(1e-4, 1e-2, log=True),
    )  # fmt: skip
    weight_decay: float = _setting(
        1e-3, "of AdamW", metavar="RATE", least=0.0, most=10.0, search=Search(1e-5, 1e-1, log=True)
    )
    schedule: str = _setting("one_cycle", "of the learning rate", choices=("one_cycle", "plateau", "constant"))
    patience: int = _setting(0, "end after N epochs without better validation; 0: never", least=0)
    balance: str = _setting("sampling", "how rare labels are given weight", choices=("sampling", "weights", "none"))
    reason_weight: float = _setting(0.1, section="")
    lesson_weight: float = _setting(
        0.1, "weight of the teacher's scores (default: 0.1)", section=TEACHER, least=0.0, most=10.0
    )
    mixup: float = _share(0.15, "of a batch mixed with other windows, labels included", search=Search(high=0.6))
    overlay: float = _share(0.0, "of a batch overlaid with other windows; a cry stays a cry")
    noise: float = _share(0.0, "of a batch with steady noise over it")
    mask: float = _share(1.0, "of a batch with bands and frames masked (SpecAugment)", search=Search())
    smoothing: float = _share(0.0, "of each label given to the others", most=0.5, search=Search(high=0.2))
    precision: str = _setting("float32", "of products while training", choices=("float32", "bfloat16", "auto"))
    average: float = _share(0.998, "of the averaged weights that remains at each step (EMA)", most=0.99999)
    reuse: int = _setting(3, "epochs that share drawn windows", least=1)
    seed: int = _setting(1, "of everything drawn at random", least=0, matters_when_fitted=True)
    workers: int = _setting(1, "processes that draw windows (default: 1)", section=MACHINE, least=0)

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            setting.check(name, getattr(self, name))

    @classmethod
    def of_family(cls, own: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Recipe:
        """Return a family's own recipe with changes; a change to None is none. Raises DataError for what cannot be."""
        chosen = {name: value for name, value in (changes or {}).items() if value is not None}
        return cls(**{**own, **chosen})

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SETTINGS}


SETTINGS: dict[str, RecipeSetting] = {declared.name: declared.metadata["setting"] for declared in fields(Recipe)}
"""Every setting of a recipe, by name."""

KINDS: dict[str, Any] = {declared.name: type(declared.default) for declared in fields(Recipe)}
"""What each setting is: int, float or str."""


def settings_json(fitted_at_once: bool) -> list[dict[str, Any]]:
    """Return the options that matter to a family, as JSON for a form.

    Each has a name, a kind (``integer``, ``number`` or ``choice``), choices, help, and the limits least and most (null:
    none; above_least: least itself is not allowed).
    """
    kinds = {int: "integer", float: "number", str: "choice"}
    return [
        {
            "name": name,
            "kind": kinds[KINDS[name]],
            "least": setting.least,
            "above_least": setting.above_least,
            "most": setting.most,
            "choices": list(setting.choices),
            "help": setting.help,
        }
        for name, setting in SETTINGS.items()
        if setting.section == RECIPE and (setting.matters_when_fitted or not fitted_at_once)
    ]
