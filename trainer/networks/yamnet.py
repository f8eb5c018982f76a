"""YAMNet's body as a torch module: learnt from nothing, loaded from published weights and left as it is, or its first
layers, loaded and learning on.

Plakal, M. and Ellis, D. (2020), "YAMNet", in the AudioSet models of TensorFlow's model garden: MobileNet v1 on patches
of 96 frames of 10 ms by 64 mel bands, trained on AudioSet; 1024 numbers a patch before its own 521 classes.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from babymonitor.core.model.features import FeatureSpec, front_end, htk_filters, mel_filters
from trainer.errors import DataError
from trainer.networks.network import Network
from trainer.networks.registry import DEFAULT, FAMILIES, Front, family

Floats = npt.NDArray[np.float32]

PATCH_FRAMES = 96
PATCH_HOP = 48
"""Frames of one patch, and from one patch to the next: half of it, as published."""
EMBEDDING = 1024
CLASSES = 521

_EPSILON = 1e-4
_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
"""Channels and stride of layers 2 to 14, each a depthwise and a pointwise convolution."""


def _same(kernel: int, stride: int) -> nn.Module:
    """TensorFlow's padding "same": with stride 2 and an even size the odd zero goes behind, where torch would centre.

    Every size that meets a stride of 2 here is even: 96, 48, 24, 12, 6 frames (80, 40, 20, 10 of the tuned) and 64, 32,
    16, 8, 4 bands.
    """
    if kernel == 1:
        return nn.Identity()
    return nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)


class ConvolutionBlock(nn.Sequential):
    """Padding, convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        # YAMNet's batch norm has no scale. Here it has one, and it says no more than the next layer could say itself.
        super().__init__(
            _same(kernel, stride),
            nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=_EPSILON),
            nn.ReLU(),
        )

    def take(self, kernel: Tensor, bias: Tensor) -> None:
        """Become the published convolution, into which batch norm is folded: here it is left with the bias alone."""
        convolution, norm = self[1], self[2]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_var is not None
        with torch.no_grad():
            convolution.weight.copy_(kernel)
            norm.bias.copy_(bias)
            norm.running_var.fill_(1.0 - _EPSILON)


class YamnetBody(nn.Module):
    """(B, 1, 96 frames, 64 bands) → (B, 1024): a first convolution, 13 separable ones, the mean over the 3 × 2 left.

    depth: of so many layers; with fewer than 13 there are fewer channels, and more is left of frames and bands.
    """

    def __init__(self, depth: int = 14) -> None:
        super().__init__()
        layers = {"layer1_conv": ConvolutionBlock(1, 32, 3, 2)}
        inputs = 32
        for number, (outputs, stride) in enumerate(_BLOCKS[: depth - 1], 2):
            layers[f"layer{number}_depthwise_conv"] = ConvolutionBlock(inputs, inputs, 3, stride, groups=inputs)
            layers[f"layer{number}_pointwise_conv"] = ConvolutionBlock(inputs, outputs, 1)
            inputs = outputs
        self.layers = nn.ModuleDict(layers)
        self.channels = inputs

    def maps(self, patches: Tensor) -> Tensor:
        """(B, 1, frames, bands) → (B, channels, frames left, bands left)."""
        for layer in self.layers.values():
            patches = layer(patches)
        return patches

    def forward(self, patches: Tensor) -> Tensor:
        return self.maps(patches).mean(dim=(2, 3))

    def load(self, weights: Path) -> None:
        """Take published weights; DataError for a file that holds no YAMNet."""
        found = published_weights(weights)
        for name, layer in self.layers.items():
            assert isinstance(layer, ConvolutionBlock)
            layer.take(*found[name.replace("_", "/", 1)])


def published_weights(weights: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """The kernels and biases of a YAMNet in TensorFlow Lite, by layer, in torch's order of axes.

    Keys: ``"layer1/conv"``, ``"layer2/depthwise_conv"``, ``"layer2/pointwise_conv"`` … ``"layer14/pointwise_conv"``,
    each with batch norm folded in, and ``"dense"``: YAMNet's own classes, (521, 1024) and (521,). Kernels of 8 bits are
    brought back to numbers by their scales. DataError for a file that is no such thing.
    """
    if not weights.is_file():
        raise DataError(f"There is no file {weights}: YAMNet's weights are read from its published .tflite file.")
    if weights.suffix.lower() != ".tflite":
        raise DataError(f"{weights} is no file of YAMNet's weights: they are read from its published .tflite file.")
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise DataError("Reading YAMNet's weights needs the package ai-edge-litert, which is not installed.") from error
    try:
        # Without its delegates, which may put kernels away in an order of their own.
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(str(weights), num_threads=1, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        details = interpreter.get_tensor_details()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{weights} is not a model that TensorFlow Lite can open.") from error
    kernels: dict[str, Tensor] = {}
    biases: dict[str, Tensor] = {}
    wanted = _kernel_shapes()
    for tensor in details:
        name = _LAYER.search(tensor["name"])
        shape = tuple(int(size) for size in tensor["shape"])
        if name is not None:
            layer = name.group(1)
        elif shape == (CLASSES,):
            layer = "dense"  # the converter leaves its bias without a name
        else:
            continue
        # What a layer gives carries its name too, and is told from what it holds by the shape.
        if layer not in wanted or shape not in (wanted[layer], (_channels(wanted[layer], layer),)):
            continue
        values = _numbers(interpreter.get_tensor(tensor["index"]), tensor["quantization_parameters"])
        found = biases if values.ndim == 1 else kernels
        found.setdefault(layer, torch.from_numpy(_torch_order(values, layer)))
    lacking = [layer for layer in wanted if layer not in kernels or layer not in biases]
    if lacking:
        raise DataError(f"{weights} holds no YAMNet: its {lacking[0]} is missing.")
    return {layer: (kernels[layer], biases[layer]) for layer in wanted}


_LAYER = re.compile(r"(layer\d+/(?:conv|depthwise_conv|pointwise_conv)|dense)(?=/)")


def _kernel_shapes() -> dict[str, tuple[int, ...]]:
    """By layer, as TensorFlow Lite keeps them: (out, height, width, in), depthwise (1, height, width, channels)."""
    shapes: dict[str, tuple[int, ...]] = {"layer1/conv": (32, 3, 3, 1)}
    inputs = 32
    for number, (outputs, _) in enumerate(_BLOCKS, 2):
        shapes[f"layer{number}/depthwise_conv"] = (1, 3, 3, inputs)
        shapes[f"layer{number}/pointwise_conv"] = (outputs, 1, 1, inputs)
        inputs = outputs
    return {**shapes, "dense": (CLASSES, EMBEDDING)}


def _channels(kernel: tuple[int, ...], layer: str) -> int:
    """What a layer gives: as many biases has it."""
    return kernel[-1] if "depthwise" in layer else kernel[0]


def _numbers(stored: npt.NDArray[np.generic], quantisation: dict[str, Any]) -> Floats:
    """What stored integers mean: (stored - zero point) × scale, of each slice along one axis or the same for all."""
    values, scales = np.array(stored, np.float32), np.asarray(quantisation["scales"], np.float32)
    if not scales.size:
        return values
    axis = [1] * values.ndim
    axis[int(quantisation["quantized_dimension"])] = scales.size
    zeros = np.broadcast_to(np.asarray(quantisation["zero_points"], np.float32), scales.shape)
    return np.asarray((values - zeros.reshape(axis)) * scales.reshape(axis), np.float32)


def _torch_order(values: Floats, layer: str) -> Floats:
    """(out, height, width, in) or (1, height, width, channels) → (out, in, height, width)."""
    if values.ndim < 4:
        return values
    return np.ascontiguousarray(values.transpose((3, 0, 1, 2) if "depthwise" in layer else (0, 3, 1, 2)))


class Yamnet(Network):
    """The body over overlapping patches of a window, the mean of what it says of them, and a new head.

    With published weights the body is frozen, its batch norm too, and only the head learns.
    """

    def __init__(self, labels: int, front: Front, weights: str) -> None:
        super().__init__(EMBEDDING, labels, dropout=0.2)
        self.body = YamnetBody()
        self.frozen = weights != "random"
        if self.frozen:
            self.body.load(Path(weights))
            self.body.requires_grad_(False).eval()
        self.starts = range(0, front.window_frames - PATCH_FRAMES + 1, PATCH_HOP)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    def embed(self, features: Tensor) -> Tensor:
        frames = features.transpose(1, 2).unsqueeze(1)
        # One after the other along the batch, so that the body is asked once.
        patches = torch.cat([frames[:, :, start : start + PATCH_FRAMES] for start in self.starts])
        embedded: Tensor = self.body(patches)
        return embedded.reshape(len(self.starts), -1, EMBEDDING).mean(dim=0)


@family(
    Front(
        FeatureSpec(
            kind="log_mel_vggish", n_fft=400, hop_length=160, n_mels=64, fmin_hz=125.0, fmax_hz=7500.0, floor=0.001
        ),
        window_frames=192,
        hop_frames=24,
    ),
    needs="YAMNet's published .tflite file for --weights, if it is to begin from that",
    weights="random",
)
def yamnet(labels: tuple[str, ...], front: Front, weights: str) -> nn.Module:
    """MobileNet v1 on YAMNet's patches: from nothing, or its published body frozen under a new head."""
    return Yamnet(len(labels), front, weights)


TUNED_DEPTH = 11
"""Layers that `yamnet_tuned` keeps: docs/reports/default-model-tried.md says what fewer and more of them give."""
TUNED_FRAMES = 80
"""Of a window, the last: 1.3 s. The rest costs half as much again and gives nothing."""
BODY_RATE = 1 / 8
"""How much slower what was learnt from AudioSet learns than the new head."""
_LEVEL = 1.5
"""Natural logarithm of YAMNet's mel magnitude, root mean square over a window, for white noise of -20 dB."""


class YamnetMel(nn.Module):
    """(B, 64 bands, frames) of the default front end → (B, 1, frames, 64 bands) much as YAMNet's front end would give
    it, but for its frames every 10 ms: its bands by interpolation between ours, magnitude in place of power, all sound
    brought to one volume.
    """

    bands: Tensor
    offset: Tensor

    def __init__(self, ours: FeatureSpec, theirs: FeatureSpec) -> None:
        super().__init__()
        given, wanted = (_centres(filters(spec)) for filters, spec in ((mel_filters, ours), (htk_filters, theirs)))
        # One row for each of YAMNet's bands: how much of each of ours is in it.
        bands = np.stack([np.interp(wanted, given, one) for one in np.eye(ours.n_mels)], axis=1).astype(np.float32)
        noise = np.random.default_rng(0).normal(0.0, 0.1, 10 * ours.sample_rate).astype(np.float32)
        offset = front_end(noise, theirs).mean(1) - 0.5 * (bands @ front_end(noise, ours)).mean(1)
        self.register_buffer("bands", torch.from_numpy(bands))
        self.register_buffer("offset", torch.from_numpy(offset))
        self.floor = theirs.floor

    def forward(self, mel: Tensor) -> Tensor:
        magnitude = 0.5 * (self.bands @ mel) + self.offset[:, None]
        cells = mel.shape[1] * mel.shape[2]
        level = 0.5 * (torch.logsumexp(2.0 * magnitude, dim=(1, 2), keepdim=True) - math.log(cells))
        heard = torch.log(torch.exp(magnitude - level + _LEVEL) + self.floor)
        return heard.transpose(1, 2).unsqueeze(1)


def _centres(filters: Floats) -> npt.NDArray[np.float64]:
    """(transform // 2 + 1, bands) → (bands,): where each band lies, in shares of the highest frequency."""
    return np.asarray(np.linspace(0.0, 1.0, len(filters)) @ filters / filters.sum(0), np.float64)


class TunedYamnet(Network):
    """YAMNet's first layers on the default front end, all of them learning on, the mean and the maximum of what they
    leave, and a new head.

    AudioSet's two million sounds are what tells babies, rooms and animals apart that no data set of ours holds.
    """

    def __init__(self, labels: int, front: Front, weights: str) -> None:
        body = YamnetBody(TUNED_DEPTH)
        super().__init__(2 * body.channels, labels, dropout=0.2)
        self.heard = YamnetMel(front.features, FAMILIES["yamnet"].front.features)
        self.body = body
        self.learnt = weights != "random"
        if self.learnt:
            body.load(Path(weights))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.learnt:
            # Published with batch norm folded in: what it would measure here is not what the layers behind it learnt.
            for module in self.body.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def embed(self, features: Tensor) -> Tensor:
        maps = self.body.maps(self.heard(features[:, :, -TUNED_FRAMES:]))
        return torch.cat((maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))), dim=1)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """What begins from published weights learns slower than the head."""
        if not self.learnt:
            return super().parameter_groups(learning_rate)
        return [
            {"params": [*self.body.parameters()], "lr": BODY_RATE * learning_rate},
            {"params": [*self.head.parameters()], "lr": learning_rate},
        ]


@family(
    DEFAULT,
    needs="YAMNet's published .tflite file for --weights, if it is to begin from that",
    weights="random",
)
def yamnet_tuned(labels: tuple[str, ...], front: Front, weights: str) -> nn.Module:
    """YAMNet's first eleven layers (1.4 M parameters) on 1.3 s of the default log-mel, from nothing or going on."""
    return TunedYamnet(len(labels), front, weights)
