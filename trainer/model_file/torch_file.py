"""The `.pt` beside a model file: the network as torch has it, to go on from; and the way from one kind to the other.

A dictionary written by `torch.save`: ``format``, ``family``, ``card`` (the model file's, as JSON), ``config`` (as JSON:
what the family needs beside labels and front end to build the network anew) and ``state_dict``. Only numbers and text:
it is read with ``weights_only=True``, never otherwise, for a pickle may run whatever its author wished.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from babymonitor.core.model.classifier import Classifier, ModelCard, ModelError, decode_golden
from babymonitor.core.model.features import fit_frames, front_end
from babymonitor.core.whole_file import whole_file
from trainer.errors import DataError, existing
from trainer.labelling.yamnet_teacher import CLASSES
from trainer.model_file.export import write_model
from trainer.model_file.quantise import quantise_model
from trainer.networks import FAMILIES, Family, Front
from trainer.networks.classical import Estimator
from trainer.networks.heads import Calibrated, Calibration
from trainer.networks.network import Network, Taught

FORMAT = "babymonitor-network-1"

_GOLDEN_TOLERANCE = 5e-2
"""Between the network and the model file said to be made of it, which may be quantised; another one is off by more."""
_UNNAMED = ("head.", "onnx::")
"""What weights are called in a model file whose layers were folded into each other when it was written."""
_CALIBRATION = tuple(asdict(Calibration()))
_MADE_BY_EXPORT = ("features", "window_frames", "hop_frames", "golden")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network brought back, with what the file says of it."""

    network: Network
    family: Family
    card: ModelCard

    @property
    def front(self) -> Front:
        """What it sees; by the card, for the family's own may be another by now."""
        return Front(self.card.features, self.card.window_frames, self.card.hop_frames)

    @property
    def calibration(self) -> Calibration:
        return Calibration(**{name: float(self.card.calibration[name]) for name in _CALIBRATION})


def default_stem(family: Family, weights: str | None = None) -> str:
    """How a family's files are called where nobody says: ``hubert-base-ls960_emotion``, or just ``cnn_tiny``."""
    origin = Path(weights or family.weights).name
    # Of families that begin from nothing unless told otherwise several may begin from the same file.
    return family.name if family.weights in ("", "random") or origin == "random" else f"{origin}_emotion"


def save(path: Path, network: Network, family: str, card: ModelCard) -> None:
    """Write a trained network (temporary, then replace).

    network: as it was exported, on any device. card: of the model file written from it (`write_model` gives it back).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: values.detach().cpu().contiguous() for name, values in network.state_dict().items()}
    told = {"format": FORMAT, "family": family, "card": card.to_json(), "config": json.dumps(dict(network.config))}
    with whole_file(path) as partial:
        torch.save({**told, "state_dict": state}, partial)


def load(path: Path) -> Loaded:
    """Read what `save` wrote; DataError in one sentence for anything else."""
    values = _read(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DataError(f"{path} is not one of this trainer's .pt files.")
    family = FAMILIES.get(str(values.get("family")))
    if family is None:
        raise DataError(f"{path} is of the family {values.get('family')}, which this version does not know.")
    try:
        card = ModelCard.from_json(values["card"])
        front = Front(card.features, card.window_frames, card.hop_frames)
        network = _built(family, card.labels, front, json.loads(values["config"]))
        network.load_state_dict(values["state_dict"])
        loaded = Loaded(network.eval(), family, card)
        loaded.calibration  # noqa: B018 # whether the card has one
    except (ModelError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not whole: its parts do not make a network of the family {family.name}.") from error
    return loaded


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise DataError(f"{path} holds more than numbers and text, or is damaged: it is not opened.") from error
        except Exception as error:  # torch has a dozen ways to say it
            raise DataError(f"{path} is damaged, or not a .pt file at all.") from error


def _built(family: Family, labels: tuple[str, ...], front: Front, config: dict[str, Any]) -> Network:
    # Its weights follow: nothing is to be fetched for it.
    network = family.build(labels, front, config or "random") if family.weights else family.build(labels, front)
    if not isinstance(network, Network):
        raise DataError(f"The family {family.name} has no .pt: it is fitted, not trained step by step.")
    return network


def is_fitted(family: str, training: Mapping[str, Any]) -> bool:
    """Whether a model file, or a part of what was combined in it, is an estimator; both as its card says."""
    known = FAMILIES.get(family)
    # Nothing is fetched for it.
    network = known and known.network(("crying", "natural"), known.weights and "random")
    return isinstance(network, Estimator) or any(is_fitted(one["family"], one) for one in training.get("parts", []))


def export(source: Path, format: str, output: Path, int8: bool = False) -> None:
    """Make `output` of `source`: an .onnx of a .pt or of an .onnx (to quantise it), a .pt of either.

    An .onnx alone cannot become a torch network again: training leaves FILE.pt beside FILE.onnx for that, or at least
    FILE.checkpoint. Either is believed only if it reproduces the model file's golden pair.
    """
    if format == "pt":
        if int8:
            raise DataError("A .pt file is not quantised: --int8 is for --format onnx.")
        loaded = load(source) if _is_torch(source) else beside(source)
        save(output, loaded.network, loaded.family.name, loaded.card)
        return
    if _is_torch(source):
        loaded = load(source)
        card = {name: getattr(loaded.card, name) for name in ModelCard.__slots__ if name not in _MADE_BY_EXPORT}
        # Quantised from a temporary of its own: at no time does the output's name stand for the larger model.
        whole = output.with_suffix(".float.onnx") if int8 else output
        try:
            write_model(whole, loaded.network, loaded.front, loaded.calibration, card)
            if int8:
                quantise_model(whole, output)
        finally:
            if int8:
                whole.unlink(missing_ok=True)
    elif int8:
        told = Classifier(source).card
        if is_fitted(
            told.family, told.training
        ):  # measured on an SVM: answers off by 0.27, and one in ten another label
            raise DataError(f"{source} is not quantised: 8 bits are too few for SVMs and trees.")
        quantise_model(source, output)
    else:
        Classifier(source)  # what is no model file at all is told so
        raise DataError(f"{source} is an .onnx file already; with --int8 it becomes a smaller and quicker one.")


def beside(model: Path) -> Loaded:
    """The network that a model file was made of, from the .pt or the checkpoint that lies beside it."""
    card = Classifier(model).card
    if is_fitted(card.family, card.training):
        raise DataError(f"The family {card.family} has no .pt: it is fitted, not trained step by step.")
    twin, checkpoint = model.with_suffix(".pt"), model.with_suffix(".checkpoint")
    loaded = None
    if twin.is_file():
        loaded = load(twin)
    elif checkpoint.is_file():
        loaded = _of_checkpoint(checkpoint, card)
    if loaded is None:
        raise DataError(
            f"{model} cannot be turned back into a torch network by itself: neither {twin.name} nor {checkpoint.name}, "
            "which training leaves beside it, is there."
        )
    # The model file's card may have been told more since: figures on test groups, the operating curve.
    training = {name: value for name, value in card.training.items() if name != "quantised"}
    loaded = Loaded(loaded.network, loaded.family, replace(card, training=training))
    if not _reproduces_golden(loaded):
        raise DataError(f"What lies beside {model} is of another network: it does not reproduce its golden output.")
    return loaded


def take_over(path: Path, network: nn.Module, labels: tuple[str, ...]) -> None:
    """Begin from a trained model of the same family, .pt or .onnx: its weights by name, the head too where the labels
    are the same. DataError where they do not fit, and for a graph that does not carry them by name (estimators,
    quantised files, some recurrent layers) and has no .pt beside it.
    """
    state = network.state_dict()
    known, stored = _weights(path)
    wanted = {
        name: tensor
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked") and (known == labels or not name.startswith("head."))
    }
    lacking = [name for name, tensor in wanted.items() if stored.get(name, tensor[None]).shape != tensor.shape]
    if lacking and path.suffix != ".pt" and path.with_suffix(".pt").is_file():
        take_over(path.with_suffix(".pt"), network, labels)
        return
    if lacking and stored and all(name.startswith(_UNNAMED) for name in stored):
        twin = path.with_suffix(".pt").name
        raise DataError(f"{path.name} does not carry its weights by name: begin from a .pt; {twin} is not there.")
    if lacking:
        raise DataError(f"The weights in {path.name} do not fit this family: {lacking[0]} is not there, or another.")
    network.load_state_dict({name: stored[name] for name in wanted}, strict=False)


def _weights(path: Path) -> tuple[tuple[str, ...], dict[str, torch.Tensor]]:
    """The labels and the weights by name that a file carries."""
    import onnx
    from onnx import numpy_helper

    if path.suffix == ".pt":
        loaded = load(path)
        return loaded.card.labels, loaded.network.state_dict()
    labels = Classifier(path).labels
    carried = onnx.load_from_string(path.read_bytes()).graph.initializer
    return labels, {
        one.name.removeprefix("network."): torch.from_numpy(numpy_helper.to_array(one).copy()) for one in carried
    }


def _of_checkpoint(path: Path, card: ModelCard) -> Loaded | None:
    family = FAMILIES.get(card.family)
    values = _read(path)
    if family is None or not isinstance(values, dict):
        return None
    state = values.get("best") or values.get("averaged") or {}
    network = _built(family, card.labels, Front(card.features, card.window_frames, card.hop_frames), {})
    learner = Taught(network, CLASSES) if "lesson.weight" in state else network
    try:
        learner.load_state_dict(state)
    except (RuntimeError, TypeError):
        return None
    return Loaded(network.eval(), family, card)


def _reproduces_golden(loaded: Loaded) -> bool:
    card = loaded.card
    if loaded.network.head.out_features != len(card.labels):
        return False
    window = fit_frames(front_end(decode_golden(card.golden["wave"]), card.features), card.window_frames)
    with torch.no_grad():
        whole = Calibrated(loaded.network, card.labels, loaded.calibration).eval()
        answer = whole(torch.from_numpy(window[None]))[0]
    expected = torch.tensor(card.golden["probabilities"])
    return answer.shape == expected.shape and bool((answer - expected).abs().max() < _GOLDEN_TOLERANCE)


def _is_torch(path: Path) -> bool:
    """Whether a file is torch's, by its name or by what is in it."""
    return existing(path).suffix.lower() == ".pt" or zipfile.is_zipfile(path)
