"""The `.pt` file beside a model file: the torch network to continue training from; and conversion between the two.

A `.pt` is a dictionary written by `torch.save`: ``format``, ``family``, ``card`` (the model file's, as JSON),
``config`` (JSON: what the family needs besides labels and front end to rebuild the network) and ``state_dict``. It
holds only numbers and text and is read with ``weights_only=True`` without exception: a pickle can execute any code.
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
from trainer.networks.network import DistillationNetwork, Network

FORMAT = "babymonitor-network-1"

_GOLDEN_TOLERANCE = 5e-2
"""Between a network and the model file exported from it, which may be quantised. Other networks differ more."""
_UNNAMED = ("head.", "onnx::")
"""Prefixes of weight names in a model file whose layers were folded into each other when it was written."""
_CALIBRATION = tuple(asdict(Calibration()))
_MADE_BY_EXPORT = ("features", "window_frames", "hop_frames", "golden")


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A network read from a file, with its family and card."""

    network: Network
    family: Family
    card: ModelCard

    @property
    def front(self) -> Front:
        """The front end by the card; the family's own may have changed since."""
        return Front(self.card.features, self.card.window_frames, self.card.hop_frames)

    @property
    def calibration(self) -> Calibration:
        return Calibration(**{name: float(self.card.calibration[name]) for name in _CALIBRATION})


def default_stem(family: Family, weights: str | None = None) -> str:
    """Return the default file name of a family's models, such as ``hubert-base-ls960_emotion`` or ``cnn_tiny``."""
    origin = Path(weights or family.weights).name
    # Families that start from random weights by default may share a weights file, so its name would be ambiguous.
    return family.name if family.weights in ("", "random") or origin == "random" else f"{origin}_emotion"


def save(path: Path, network: Network, family: str, card: ModelCard) -> None:
    """Write a trained network (to a temporary, then replace).

    network: as it was exported, on any device. card: the card that `write_model` returned for its model file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: values.detach().cpu().contiguous() for name, values in network.state_dict().items()}
    description = {
        "format": FORMAT,
        "family": family,
        "card": card.to_json(),
        "config": json.dumps(dict(network.config)),
    }
    with whole_file(path) as partial:
        torch.save({**description, "state_dict": state}, partial)


def load(path: Path) -> LoadedNetwork:
    """Read a file that `save` wrote. Raises DataError, in one sentence, for anything else."""
    values = _read(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DataError(f"{path} is not one of this trainer's .pt files.")
    family = FAMILIES.get(str(values.get("family")))
    if family is None:
        raise DataError(f"{path} is of the family {values.get('family')}, which this version does not know.")
    try:
        card = ModelCard.from_json(values["card"])
        front = Front(card.features, card.window_frames, card.hop_frames)
        network = _build(family, card.labels, front, json.loads(values["config"]))
        network.load_state_dict(values["state_dict"])
        loaded = LoadedNetwork(network.eval(), family, card)
        loaded.calibration  # noqa: B018 # raises if the card has none
    except (ModelError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not whole: its parts do not make a network of the family {family.name}.") from error
    return loaded


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise DataError(f"{path} holds more than numbers and text, or is damaged: it is not opened.") from error
        except Exception as error:  # torch raises a dozen different ones
            raise DataError(f"{path} is damaged, or not a .pt file at all.") from error


def _build(family: Family, labels: tuple[str, ...], front: Front, config: dict[str, Any]) -> Network:
    # Random weights, which the file's replace: nothing is downloaded.
    network = family.build(labels, front, config or "random") if family.weights else family.build(labels, front)
    if not isinstance(network, Network):
        raise DataError(f"The family {family.name} has no .pt: it is fitted, not trained step by step.")
    return network


def is_fitted(family: str, training: Mapping[str, Any]) -> bool:
    """Whether a model file, or any part of a combined one, is an `Estimator`. family, training: fields of its card."""
    known = FAMILIES.get(family)
    # Random weights, so that nothing is downloaded.
    network = known and known.network(("crying", "natural"), known.weights and "random")
    return isinstance(network, Estimator) or any(is_fitted(part["family"], part) for part in training.get("parts", []))


def export(source: Path, format: str, output: Path, int8: bool = False) -> None:
    """Convert `source` to `output`: a .pt or .onnx to an .onnx (the latter only to quantise it), either to a .pt.

    An .onnx alone cannot be turned back into a torch network. Training leaves FILE.pt, or at least FILE.checkpoint,
    beside FILE.onnx for that; either is accepted only if it reproduces the model file's golden pair. Raises DataError
    if `source` cannot be converted.
    """
    if format == "pt":
        if int8:
            raise DataError("A .pt file is not quantised: --int8 is for --format onnx.")
        loaded = load(source) if _is_torch(source) else load_beside(source)
        save(output, loaded.network, loaded.family.name, loaded.card)
        return
    if _is_torch(source):
        loaded = load(source)
        card = {name: getattr(loaded.card, name) for name in ModelCard.__slots__ if name not in _MADE_BY_EXPORT}
        # Quantised from a temporary file: the output's name never stands for the larger model.
        exported = output.with_suffix(".float.onnx") if int8 else output
        try:
            write_model(exported, loaded.network, loaded.front, loaded.calibration, card)
            if int8:
                quantise_model(exported, output)
        finally:
            if int8:
                exported.unlink(missing_ok=True)
    elif int8:
        source_card = Classifier(source).card
        # Measured on an SVM: probabilities off by 0.27, and another label for a tenth of the windows.
        if is_fitted(source_card.family, source_card.training):
            raise DataError(f"{source} is not quantised: 8 bits are too few for SVMs and trees.")
        quantise_model(source, output)
    else:
        Classifier(source)  # raises if it is not a model file at all
        raise DataError(f"{source} is an .onnx file already; with --int8 it becomes a smaller and quicker one.")


def load_beside(model: Path) -> LoadedNetwork:
    """Load the network that a model file was exported from, out of the .pt or the checkpoint beside it.

    Raises DataError if neither is there, or if it does not reproduce the golden pair.
    """
    card = Classifier(model).card
    if is_fitted(card.family, card.training):
        raise DataError(f"The family {card.family} has no .pt: it is fitted, not trained step by step.")
    twin, checkpoint = model.with_suffix(".pt"), model.with_suffix(".checkpoint")
    loaded = None
    if twin.is_file():
        loaded = load(twin)
    elif checkpoint.is_file():
        loaded = _from_checkpoint(checkpoint, card)
    if loaded is None:
        raise DataError(
            f"{model} cannot be turned back into a torch network by itself: neither {twin.name} nor {checkpoint.name}, "
            "which training leaves beside it, is there."
        )
    # The model file's card may have been updated since, with metrics on test groups or the operating curve.
    training = {name: value for name, value in card.training.items() if name != "quantised"}
    loaded = LoadedNetwork(loaded.network, loaded.family, replace(card, training=training))
    if not _reproduces_golden(loaded):
        raise DataError(f"The file beside {model} is of another network: it does not reproduce its golden output.")
    return loaded


def initialise_weights(path: Path, network: nn.Module, labels: tuple[str, ...]) -> None:
    """Copy the weights of a trained model of the same family, .pt or .onnx, into a network by name.

    The head is copied only if the labels are the same. Raises DataError if the weights do not fit, or if an .onnx does
    not carry them by name (estimators, quantised files, some recurrent layers) and no .pt lies beside it.
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
        initialise_weights(path.with_suffix(".pt"), network, labels)
        return
    if lacking and stored and all(name.startswith(_UNNAMED) for name in stored):
        twin = path.with_suffix(".pt").name
        raise DataError(f"{path.name} does not carry its weights by name: begin from a .pt; {twin} is not there.")
    if lacking:
        raise DataError(f"The weights in {path.name} do not fit this family: {lacking[0]} is missing or differs.")
    network.load_state_dict({name: stored[name] for name in wanted}, strict=False)


def _weights(path: Path) -> tuple[tuple[str, ...], dict[str, torch.Tensor]]:
    """Return the labels and the weights by name that a file carries."""
    import onnx
    from onnx import numpy_helper

    if path.suffix == ".pt":
        loaded = load(path)
        return loaded.card.labels, loaded.network.state_dict()
    labels = Classifier(path).labels
    stored = onnx.load_from_string(path.read_bytes()).graph.initializer
    return labels, {
        weight.name.removeprefix("network."): torch.from_numpy(numpy_helper.to_array(weight).copy())
        for weight in stored
    }


def _from_checkpoint(path: Path, card: ModelCard) -> LoadedNetwork | None:
    """Load the network of a training's checkpoint; None if the checkpoint does not fit the card."""
    family = FAMILIES.get(card.family)
    values = _read(path)
    if family is None or not isinstance(values, dict):
        return None
    state = values.get("best") or values.get("averaged") or {}
    network = _build(family, card.labels, Front(card.features, card.window_frames, card.hop_frames), {})
    learner = DistillationNetwork(network, CLASSES) if "lesson.weight" in state else network
    try:
        learner.load_state_dict(state)
    except (RuntimeError, TypeError):
        return None
    return LoadedNetwork(network.eval(), family, card)


def _reproduces_golden(loaded: LoadedNetwork) -> bool:
    """Whether a network gives the golden probabilities of its card."""
    card = loaded.card
    if loaded.network.head.out_features != len(card.labels):
        return False
    window = fit_frames(front_end(decode_golden(card.golden["wave"]), card.features), card.window_frames)
    with torch.no_grad():
        calibrated = Calibrated(loaded.network, card.labels, loaded.calibration).eval()
        probabilities = calibrated(torch.from_numpy(window[None]))[0]
    expected = torch.tensor(card.golden["probabilities"])
    return probabilities.shape == expected.shape and bool((probabilities - expected).abs().max() < _GOLDEN_TOLERANCE)


def _is_torch(path: Path) -> bool:
    """Whether a file is torch's, by its suffix or its content."""
    return existing(path).suffix.lower() == ".pt" or zipfile.is_zipfile(path)
