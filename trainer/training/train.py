"""One training run from data set to model file."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from babymonitor.core.labels import label
from babymonitor.core.model.classifier import Classifier
from trainer.audio import augment
from trainer.data.dataset import SIDES, DataSet
from trainer.data.decoded_audio import DecodedAudio, merge_duplicate_groups, trim_to_audio
from trainer.data.readers import Roots, load
from trainer.data.split import Division, group_hash, split
from trainer.errors import DataError
from trainer.labelling.yamnet_teacher import Teacher
from trainer.model_file import torch_file
from trainer.model_file.export import write_model
from trainer.networks import FAMILIES
from trainer.networks.classical import Estimator
from trainer.networks.heads import Calibration, TwoLevel
from trainer.networks.network import Ensemble, Network
from trainer.training.calibration import PRIOR, calibrate, group_weights, thresholds
from trainer.training.distributed import World, join, leave
from trainer.training.loop import Event, Recipe, fit, logits_of, windows_of
from trainer.windows.grid import Windows, fixed_windows
from trainer.windows.sampler import WindowSampler


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be trained. checkpoint and cache: where the run keeps what it can continue from.

    augmentation: as `augment.strength_of` reads it; "": by what the labels are. begin_from: a model file whose weights
    to start from, or a training's checkpoint; an estimator's body is taken from it as it is. weights: of a family that
    has pretrained ones, see `Family.network`. members: networks that answer together, see `Ensemble`. kept: where drawn
    windows lie for other families, see `WindowPrefetcher`. teacher: YAMNet's .tflite, whose word is learnt beside the
    labels. elder: a model file, larger or several in one, whose answers are learnt as well. licence: of the model; "":
    as its data, whose licences the card names.
    """

    data: Roots
    family: str
    output: Path
    recipe: Recipe
    cache: Path
    segments: Path | None = None
    merged: Mapping[str, str] = field(default_factory=dict)
    division: Division = field(default_factory=Division)
    augmentation: str = ""
    begin_from: Path | None = None
    weights: str | None = None
    members: int = 1
    resume: bool = False
    codecs: bool = True
    device: str = "auto"
    kept: Path | None = None
    teacher: Path | None = None
    elder: Path | None = None
    licence: str = ""
    name: str = ""

    @property
    def checkpoint(self) -> Path:
        return self.output.with_suffix(".checkpoint")

    @property
    def pools(self) -> Path:
        """Where members find the windows drawn for the first, if nothing is kept elsewhere."""
        return self.output.with_suffix(".pools")

    @property
    def checkpoints(self) -> list[Path]:
        """Of every member."""
        return [self.member(number).checkpoint for number in range(self.members)]

    def member(self, number: int) -> Request:
        """The training of one network of several: a seed and a checkpoint of its own, the same windows."""
        if self.members == 1:
            return self
        one = replace(
            self,
            recipe=replace(self.recipe, seed=self.recipe.seed + number),
            output=self.output.with_suffix(f".{number}.onnx"),
            kept=self.kept or self.pools,
        )
        return replace(one, resume=self.resume and (number == 0 or one.checkpoint.is_file()))


def default_output(request: Request) -> Path:
    """Where a model goes if nobody says: named after the weights it was fine-tuned from, or after its family."""
    return Path("models") / f"{torch_file.default_stem(FAMILIES[request.family], request.weights)}.onnx"


def recipe_of(family: str, **given: Any) -> Recipe:
    """The family's own recipe, but for what is given (None: not given)."""
    known = {**FAMILIES[family].recipe, **{name: value for name, value in given.items() if value is not None}}
    return Recipe(**known)


Prepared = tuple[DataSet, DecodedAudio]


def prepared(request: Request) -> Prepared:
    """→ what may be trained on, divided into sides, and its decoded sound; the same for all requests of these data
    and this division. DataError for what cannot be divided.
    """
    whole = load(request.data, request.segments, request.merged)
    known = tuple(clip for clip in whole.clips if clip.usable and clip.spans)
    # What cannot be divided is refused before hours of decoding.
    split(replace(whole, clips=known), request.division, whole)
    waves = DecodedAudio(whole, request.cache, request.codecs)
    usable = tuple(clip for clip in merge_duplicate_groups(trim_to_audio(whole.clips, waves), waves) if clip.usable)
    return split(replace(whole, clips=usable), request.division, whole), waves


def joined(first: Windows, second: Windows) -> Windows:
    """Both, one after the other."""
    return Windows(
        *(
            np.concatenate((getattr(first, name), getattr(second, name)))
            for name in ("mels", "labels", "groups", "clips")
        )
    )


def altered_windows(maker: WindowSampler, count: int) -> Windows:
    """Windows drawn as in training (rooms, noise, devices), each its own group: to calibrate on the world as it is."""
    drawn = maker.pool(0, count)
    mels, labels = drawn.mels.astype(np.float32), drawn.targets.argmax(1)
    names = np.array([f"drawn-{at}" for at in range(len(labels))])
    return Windows(mels, labels, names, names)


def train(request: Request, event: Event | None = None, ready: Prepared | None = None) -> dict[str, Any]:
    """Train, calibrate, write the model file; → its metrics on validation groups (in the leading process, else {}).

    ready: what `prepared` gave of this request, if that is at hand already.
    """
    world = join(request.device)
    try:
        metrics = _train(request, world, event if world.leads else None, ready)
        world.wait()
        return metrics
    finally:
        leave()


def _train(request: Request, world: World, event: Event | None, ready: Prepared | None) -> dict[str, Any]:
    family = FAMILIES[request.family]
    _check_output(request.output)
    strength = strength_for(request)
    data, waves = ready or prepared(request)
    labels, front, recipe = data.labels, family.front, request.recipe
    if event:
        sides = {side: len({clip.group for clip in data.side(side)}) for side in SIDES}
        event({"event": "started", "family": family.name, "labels": list(labels), "groups": sides})
    two_level = TwoLevel(labels)
    if strength is None:
        strength = augment.NIGHT if two_level.two_sided else augment.SPEECH
    known = data.side("train")
    if (request.teacher or request.elder) and isinstance(
        family.network(labels, family.weights and "random"), Estimator
    ):
        raise DataError(f"The family {family.name} is fitted, not trained step by step: a teacher is for networks.")
    teacher = Teacher(request.teacher) if request.teacher else None
    maker = WindowSampler(known, waves, labels, front, strength, recipe.seed, balance=recipe.balance, teacher=teacher)
    plain = fixed_windows(data.side("validation"), waves, labels, front)
    members = [
        _trained(request.member(number), data, waves, maker, plain, world, _of_member(number, request.members, event))
        for number in range(request.members)
    ]
    trained = members[0] if request.members == 1 else Ensemble(members)
    if not world.leads:
        return {}

    judged = plain
    if strength.bed or strength.noise > 0.4:
        # Calibrated for the world as it is: rooms, noise and devices of the validation groups too. But no made sounds:
        # their makers were learnt from.
        held_out = WindowSampler(data.side("validation"), waves, labels, front, strength, recipe.seed + 1, {})
        count = min(3072, recipe.epoch_windows or windows_of(maker.clips, front))
        judged = joined(plain, altered_windows(held_out, count))
    logits, truth = logits_of(trained, judged), torch.from_numpy(judged.labels)
    calibration = calibrate(logits, truth, judged.groups, two_level)
    metrics = _figures(two_level, logits, truth, calibration)
    crying = _crying(two_level, logits, calibration)
    card = {
        "name": request.name or request.output.stem,
        "family": family.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "labels": labels,
        "thresholds": thresholds(
            crying[: len(plain.labels)], two_level.crying.numpy()[plain.labels], group_weights(plain.groups)
        ),
        "operating_curve": [],
        "calibration": {"prior_of_crying": PRIOR, "prior_of_reasons": "each alike", "on": "validation groups"},
        "training": _training(request, data, waves, strength, trained),
        "metrics": {"validation": metrics},
        "licence": request.licence or _as_the_data(licences_of(data)),
    }
    written = write_model(request.output, trained, front, calibration, card)
    if request.members > 1 and request.kept is None:
        shutil.rmtree(request.pools, ignore_errors=True)
    if family.weights and isinstance(trained, Network):
        # What was fine-tuned from somebody's weights is kept as torch has it too, for whoever goes on from it.
        torch_file.save(request.output.with_suffix(".pt"), trained, family.name, written)
    return metrics


def _trained(
    request: Request,
    data: DataSet,
    waves: DecodedAudio,
    maker: WindowSampler,
    plain: Windows,
    world: World,
    event: Event | None,
) -> nn.Module:
    """One network of the family, trained or fitted."""
    family, labels, recipe = FAMILIES[request.family], maker.labels, request.recipe
    torch.manual_seed(recipe.seed)
    network = family.network(labels, request.weights)
    whole = request.begin_from if request.begin_from and request.begin_from.suffix == ".checkpoint" else None
    if request.begin_from is not None and whole is None:
        begun = network.body if isinstance(network, Estimator) else network
        if begun is None:
            raise DataError(f"The family {family.name} is fitted at once: there is nothing to begin from.")
        torch_file.initialise_weights(request.begin_from, begun, labels)
    if isinstance(network, Estimator):
        if whole is not None:
            raise DataError(f"The family {family.name} is fitted at once: no checkpoint is of it.")
        if request.members > 1:
            raise DataError(f"The family {family.name} is fitted, the same for every seed: --members is for networks.")
        known = fixed_windows(data.side("train"), waves, labels, family.front)
        _fit_estimator(network, known, maker, plain, request, world, event)
        return network
    return fit(
        network,
        labels,
        maker,
        plain,
        recipe,
        request.checkpoint,
        request.resume,
        event,
        world,
        request.kept,
        origin_of(request),
        _elder(request, labels),
        whole,
    )


def _elder(request: Request, labels: tuple[str, ...]) -> Classifier | None:
    """The model that is learnt from; DataError where it does not see and say the same."""
    if request.elder is None:
        return None
    elder, front = Classifier(request.elder), FAMILIES[request.family].front
    if elder.labels != labels or (elder.card.features, elder.card.window_frames) != (
        front.features,
        front.window_frames,
    ):
        raise DataError(f"{request.elder.name} is no elder of this training: its labels or its front end are others.")
    return elder


def _of_member(number: int, members: int, event: Event | None) -> Event | None:
    if event is None or members == 1:
        return event
    return lambda values: event({**values, "member": number + 1, "members": members})


def strength_for(request: Request) -> augment.Strength | None:
    """How sound is altered; None: by what the labels are. DataError for what there is not."""
    if not request.augmentation:
        return None
    try:
        return augment.strength_of(request.augmentation)
    except ValueError as error:
        raise DataError(f"--augment: {error}.") from error


def origin_of(request: Request) -> list[Any]:
    """What, beside recipe and data, makes a run what it is."""
    first, elder = (path.read_bytes() if path else b"" for path in (request.begin_from, request.elder))
    told = [request.family, request.weights, hashlib.sha256(first).hexdigest()[:16]]
    return [*told, hashlib.sha256(elder).hexdigest()[:16]] if elder else told


def _check_output(path: Path) -> None:
    """Refuse, before hours are spent, a file that could not be written in the end."""
    if path.suffix != ".onnx":
        raise DataError(f"A model file is called NAME.onnx; {path.name} is not.")
    if path.is_dir():
        raise DataError(f"{path} is a folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"Nothing can be written into {path.parent}.")


def _fit_estimator(
    estimator: Estimator, known: Windows, maker: WindowSampler, plain: Windows,
    request: Request, world: World, event: Event | None,
) -> None:  # fmt: skip
    """Fit on the training side's plain windows and about as many altered ones; its body, if it needs one, first."""
    recipe = request.recipe
    if estimator.body is not None and request.begin_from is None:
        body = fit(estimator.body, maker.labels, maker, plain, recipe, request.checkpoint, request.resume, event, world)
        estimator.body = cast("Network", body)  # averaged, of the best epoch, back on the processor
    drawn = maker.pool(0, recipe.epoch_windows or windows_of(maker.clips, maker.front))
    vectors = np.concatenate((estimator.describe_all(known.mels), estimator.describe_all(drawn.mels)))
    estimator.fit(vectors, np.concatenate((known.labels, drawn.targets.argmax(1))), None, recipe.seed)


def _crying(two_level: TwoLevel, logits: torch.Tensor, calibration: Calibration) -> Any:
    rows = two_level.probabilities(logits, calibration)
    return rows[:, two_level.crying_at].sum(1).numpy()


def _figures(
    two_level: TwoLevel, logits: torch.Tensor, truth: torch.Tensor, calibration: Calibration
) -> dict[str, float]:
    from trainer.evaluation import metrics

    guess = two_level.probabilities(logits, calibration).argmax(1).numpy()
    table = metrics.confusion(truth.numpy(), guess, logits.shape[1])
    figures = {"balanced_accuracy": metrics.balanced_accuracy(table), "macro_f1": metrics.macro_f1(table)}
    if two_level.two_sided:
        cries = two_level.crying.numpy()[truth.numpy()]
        scores = _crying(two_level, logits, calibration)
        figures["crying_auc"] = metrics.roc_area(scores, cries)
        figures["crying_found_at_1_percent"] = metrics.found_at(scores, cries, 0.01)
    return {name: round(value, 4) for name, value in figures.items()}


def licences_of(data: DataSet) -> dict[str, list[str]]:
    """What each source of a data set may be used for, as its manifest says it; nothing of a source that is silent."""
    found: dict[str, set[str]] = {}
    for clip in data.clips:
        if clip.licence:
            found.setdefault(clip.source or "folders", set()).add(clip.licence)
    return {source: sorted(found[source]) for source in sorted(found)}


def _as_the_data(licences: Mapping[str, Sequence[str]]) -> str:
    """What a card says of the licence where nobody chose one."""
    text = "as the data it was trained on"
    told = [f"{source}: {', '.join(some)}" for source, some in licences.items()]
    text += f" ({'; '.join(told)})" if told else ""
    if any(re.search(r"\bND\b", one) for some in licences.values() for one in some):
        text += "; part of it permits no derivatives, so the model is not to be passed on"
    return text


def _named(told: str) -> str:
    """Words as a card has them: of a file or a folder only its name, for where it lay is nobody's business."""
    return Path(told).name if Path(told).exists() else told


def _training(
    request: Request, data: DataSet, waves: DecodedAudio, strength: augment.Strength, trained: nn.Module
) -> dict[str, Any]:
    """What the card says of how it came about: sources, seconds and groups per side and label, the recipe."""
    sides: dict[str, Any] = {}
    for side in ("train", "validation", "test"):
        clips = data.side(side)
        sides[side] = {
            name: {
                "groups": len({clip.group for clip in clips if clip.seconds(name) > 0}),
                "seconds": round(sum(clip.seconds(name) for clip in clips)),
            }
            for name in data.labels
        }
    recipe = {name: getattr(request.recipe, name) for name in Recipe.__slots__}
    told = {"importances": trained.importances()} if isinstance(trained, Estimator) else {}
    return {
        **told,
        "sources": sorted({clip.source or "folders" for clip in data.clips}),
        "licences": licences_of(data),
        "sides": sides,
        "recipe": recipe,
        "members": request.members,
        "augmentation": asdict(strength),
        "teacher": request.teacher.name if request.teacher else "",
        "elder": request.elder.name if request.elder else "",
        "weights": _named(FAMILIES[request.family].weights if request.weights is None else request.weights),
        "skipped": [path for path, _ in waves.skipped],
        "crying_labels": [name for name in data.labels if label(name).crying],
        "division": {name: _named(str(value)) for name, value in asdict(request.division).items()},
        "merged": dict(request.merged),
        "folders": sorted({clip.folder for clip in data.clips} - {""}),
        "groups": {
            side: sorted({group_hash(name) for clip in data.side(side) for name in (clip.group, clip.own_group)})
            for side in SIDES[:2]
        },
    }
