"""YAMNet's body as a torch module: trained from random weights, frozen with the published ones, or its first layers
fine-tuned.

Plakal, M. and Ellis, D. (2020), "YAMNet", in the AudioSet models of TensorFlow's model garden: MobileNet v1 on patches
of 96 frames of 10 ms by 64 mel bands, trained on AudioSet; 1024 numbers per patch before its own 521 classes.
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
"""Frames of a patch, and from one patch to the next: half a patch, as published."""
EMBEDDING = 1024
CLASSES = 521

_EPSILON = 1e-4
_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
"""Channels and stride of layers 2 to 14, each a depthwise and a pointwise convolution."""


def _same(kernel: int, stride: int) -> nn.Module:
    """TensorFlow's padding "same": with stride 2 and an even size the odd zero goes to the end; torch would centre it.

    All sizes with a stride of 2 are even here: 96, 48, 24, 12, 6 frames (80, 40, 20, 10 when tuned) and 64, 32, 16, 8,
    4 bands.
    """
    if kernel == 1:
        return nn.Identity()
    return nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)


class ConvolutionBlock(nn.Sequential):
    """Padding, convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        # YAMNet's batch norm has no scale. The scale here adds nothing that the next layer could not do itself.
        super().__init__(
            _same(kernel, stride),
            nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=_EPSILON),
            nn.ReLU(),
        )

    def take(self, kernel: Tensor, bias: Tensor) -> None:
        """Load a published convolution with batch norm folded into it: the batch norm here keeps the bias only."""
        convolution, norm = self[1], self[2]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_var is not None
        with torch.no_grad():
            convolution.weight.copy_(kernel)
            norm.bias.copy_(bias)
            norm.running_var.fill_(1.0 - _EPSILON)


class YamnetBody(nn.Module):
    """(B, 1, 96 frames, 64 bands) → (B, 1024): a convolution, 13 separable ones, the mean over the remaining 3 × 2.

    depth: number of layers; with fewer than 14 there are fewer channels, and more frames and bands remain.
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
        """(B, 1, frames, bands) → (B, channels, remaining frames, remaining bands)."""
        for layer in self.layers.values():
            patches = layer(patches)
        return patches

    def forward(self, patches: Tensor) -> Tensor:
        return self.maps(patches).mean(dim=(2, 3))

    def load(self, weights: Path) -> None:
        """Load published weights. Raises DataError for a file that is not YAMNet's."""
        stored = published_weights(weights)
        for name, layer in self.layers.items():
            assert isinstance(layer, ConvolutionBlock)
            layer.take(*stored[name.replace("_", "/", 1)])


def published_weights(weights: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Read the kernels and biases of a YAMNet in TensorFlow Lite, by layer, in torch's order of axes.

    Keys: ``"layer1/conv"``, ``"layer2/depthwise_conv"``, ``"layer2/pointwise_conv"`` … ``"layer14/pointwise_conv"``,
    each with batch norm folded in, and ``"dense"`` for YAMNet's own classes, (521, 1024) and (521,). 8-bit kernels are
    dequantised. Raises DataError for any other file.
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
        # Without its delegates, which may store kernels in an order of their own.
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
            layer = "dense"  # the converter does not name its bias
        else:
            continue
        # A layer's output carries its name too; the shape distinguishes it from the layer's weights.
        if layer not in wanted or shape not in (wanted[layer], (_channels(wanted[layer], layer),)):
            continue
        values = _dequantised(interpreter.get_tensor(tensor["index"]), tensor["quantization_parameters"])
        target = biases if values.ndim == 1 else kernels
        target.setdefault(layer, torch.from_numpy(_torch_order(values, layer)))
    lacking = [layer for layer in wanted if layer not in kernels or layer not in biases]
    if lacking:
        raise DataError(f"{weights} holds no YAMNet: its {lacking[0]} is missing.")
    return {layer: (kernels[layer], biases[layer]) for layer in wanted}


_LAYER = re.compile(r"(layer\d+/(?:conv|depthwise_conv|pointwise_conv)|dense)(?=/)")


def _kernel_shapes() -> dict[str, tuple[int, ...]]:
    """Shapes by layer in TensorFlow Lite: (out, height, width, in), or depthwise (1, height, width, channels)."""
    shapes: dict[str, tuple[int, ...]] = {"layer1/conv": (32, 3, 3, 1)}
    inputs = 32
    for number, (outputs, _) in enumerate(_BLOCKS, 2):
        shapes[f"layer{number}/depthwise_conv"] = (1, 3, 3, inputs)
        shapes[f"layer{number}/pointwise_conv"] = (outputs, 1, 1, inputs)
        inputs = outputs
    return {**shapes, "dense": (CLASSES, EMBEDDING)}


def _channels(kernel: tuple[int, ...], layer: str) -> int:
    """Number of a layer's output channels, and so of its biases."""
    return kernel[-1] if "depthwise" in layer else kernel[0]


def _dequantised(stored: npt.NDArray[np.generic], quantisation: dict[str, Any]) -> Floats:
    """Dequantise integers: (stored - zero point) × scale, with a scale per slice along an axis, or one for all."""
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
    """The mean of the body's embeddings of overlapping patches of a window, and a new head.

    With published weights the body, including its batch norm, is frozen, and only the head learns.
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
        # Stacked along the batch, so that the body runs once.
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
    """MobileNet v1 on YAMNet's patches: from random weights, or the published body frozen under a new head."""
    return Yamnet(len(labels), front, weights)


TUNED_DEPTH = 11
"""Layers that `yamnet_tuned` keeps; docs/reports/default-model-tried.md has the results with fewer and with more."""
TUNED_FRAMES = 80
"""The last 1.3 s of a window. Using the rest too would take half as much time again and bring nothing."""
BODY_RATE = 1 / 8
"""Factor on the learning rate of layers that were pretrained on AudioSet, relative to the new head."""
_LEVEL = 1.5
"""Natural logarithm of YAMNet's mel magnitude, root mean square over a window, for white noise of -20 dB."""


class YamnetMel(nn.Module):
    """(B, 64 bands, frames) of the default front end → (B, 1, frames, 64 bands), close to YAMNet's own front end.

    Its bands are interpolated between ours, power becomes magnitude, and all sound is brought to the same level. The
    frames remain ours; YAMNet's come every 10 ms.
    """

    bands: Tensor
    offset: Tensor

    def __init__(self, ours: FeatureSpec, theirs: FeatureSpec) -> None:
        super().__init__()
        centres, wanted = (_centres(filters(spec)) for filters, spec in ((mel_filters, ours), (htk_filters, theirs)))
        # One row for each of YAMNet's bands, with the shares of our bands in it.
        bands = np.stack([np.interp(wanted, centres, band) for band in np.eye(ours.n_mels)], axis=1).astype(np.float32)
        noise = np.random.default_rng(0).normal(0.0, 0.1, 10 * ours.sample_rate).astype(np.float32)
        offset = front_end(noise, theirs).mean(1) - 0.5 * (bands @ front_end(noise, ours)).mean(1)
        self.register_buffer("bands", torch.from_numpy(bands))
        self.register_buffer("offset", torch.from_numpy(offset))
        self.floor = theirs.floor

    def forward(self, mel: Tensor) -> Tensor:
        magnitude = 0.5 * (self.bands @ mel) + self.offset[:, None]
        cells = mel.shape[1] * mel.shape[2]
        level = 0.5 * (torch.logsumexp(2.0 * magnitude, dim=(1, 2), keepdim=True) - math.log(cells))
        log_mel = torch.log(torch.exp(magnitude - level + _LEVEL) + self.floor)
        return log_mel.transpose(1, 2).unsqueeze(1)


def _centres(filters: Floats) -> npt.NDArray[np.float64]:
    """(transform // 2 + 1, bands) → (bands,): the centre of each band as a share of the highest frequency."""
    return np.asarray(np.linspace(0.0, 1.0, len(filters)) @ filters / filters.sum(0), np.float64)


class TunedYamnet(Network):
    """YAMNet's first layers on the default front end, fine-tuned; the mean and maximum of their maps; a new head.

    AudioSet's two million clips teach the layers to distinguish babies, rooms and animals that our data sets lack.
    """

    def __init__(self, labels: int, front: Front, weights: str) -> None:
        body = YamnetBody(TUNED_DEPTH)
        super().__init__(2 * body.channels, labels, dropout=0.2)
        # By this name its buffers are stored in all model files written so far.
        self.add_module("heard", YamnetMel(front.features, FAMILIES["yamnet"].front.features))
        self.body = body
        self.learnt = weights != "random"
        if self.learnt:
            body.load(Path(weights))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.learnt:
            # Published with batch norm folded in: statistics measured here would not suit the layers behind it.
            for module in self.body.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def embed(self, features: Tensor) -> Tensor:
        maps = self.body.maps(self.get_submodule("heard")(features[:, :, -TUNED_FRAMES:]))
        return torch.cat((maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))), dim=1)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return two groups: published weights learn more slowly than the head."""
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
    """YAMNet's first eleven layers (1.4 M parameters) on 1.3 s of the default log-mel, from random weights or tuned."""
    return TunedYamnet(len(labels), front, weights)
