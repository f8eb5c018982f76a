"""All of YAMNet as a torch module, with its 521 answers, on its own front end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from babymonitor.core.model.features import FeatureSpec, htk_filters
from trainer.errors import DataError, existing
from trainer.networks.yamnet import CLASSES, EMBEDDING, PATCH_FRAMES, ConvolutionBlock, YamnetBody, published_weights

FEATURES = FeatureSpec(
    kind="log_mel_vggish", n_fft=400, hop_length=160, n_mels=64, fmin_hz=125.0, fmax_hz=7500.0, floor=0.001
)
SEGMENT = FEATURES.samples(PATCH_FRAMES)
"""Samples that one answer is about: 15,600, 0.975 s."""
BABY_CRY = 20
"""The class "baby cry, infant cry"."""
_TRANSFORM = 512


class _Layer(nn.Module):
    """Convolution with TensorFlow's padding "same", and ReLU.

    LessonBatch norm is folded into it, as in the published file: it has no statistics of its own that a small batch
    could disturb.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        kernel, self.stride = convolution.kernel_size[0], convolution.stride[0]
        self.pad = kernel > 1 and self.stride == 2
        self.depthwise = convolution.groups > 1
        self.convolution = nn.Conv2d(
            convolution.in_channels,
            convolution.out_channels,
            kernel,
            self.stride,
            padding=1 if kernel > 1 and not self.pad else 0,
            groups=convolution.groups,
        )

    def forward(self, maps: Tensor) -> Tensor:
        if self.pad:
            # Behind alone: every size that meets a stride of 2 is even.
            maps = functional.pad(maps, (0, 1, 0, 1))
            if self.depthwise and maps.dtype == torch.bfloat16:
                # oneDNN has no quick gradient of strided depthwise convolutions in bfloat16: half of a step's time.
                with torch.autocast(maps.device.type, enabled=False):
                    return functional.relu(self.convolution(maps.float()), inplace=True)
        return functional.relu(self.convolution(maps), inplace=True)


class SoundTagger(nn.Module):
    """(B, 1, 96 frames, 64 bands) → (B, 521): log-odds of each AudioSet class in 0.975 s.

    Plakal, M. and Ellis, D. (2020), "YAMNet": MobileNet v1, 3.7 million parameters. Without `load` it is that network
    with weights drawn at random.
    """

    def __init__(self) -> None:
        super().__init__()
        convolutions = {name: cast(ConvolutionBlock, layer)[1] for name, layer in YamnetBody().layers.items()}
        self.layers = nn.ModuleDict({name: _Layer(cast(nn.Conv2d, layer)) for name, layer in convolutions.items()})
        self.dense = nn.Linear(EMBEDDING, CLASSES)
        for parameter in self.layers.parameters():
            if parameter.ndim == 4:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        # Twice as quick on a processor: a pointwise convolution is then a plain product of matrices.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def embed(self, patches: Tensor) -> Tensor:
        """(B, 1, 96, 64) → (B, 1024): the mean over what is left of frames and bands."""
        maps = patches.contiguous(memory_format=torch.channels_last)
        for layer in self.layers.values():
            maps = layer(maps)
        return maps.float().mean(dim=(2, 3))

    def forward(self, patches: Tensor) -> Tensor:
        answers: Tensor = self.dense(self.embed(patches))
        return answers

    def load(self, weights: Path) -> None:
        """Take YAMNet's published weights from its .tflite file.

        Kernels of 8 bits become float32. The file also rounds spectra and the values between layers to 8
        bits; this network does not, so their answers differ.
        Raises DataError for a file that holds no YAMNet.
        """
        values = published_weights(weights)
        with torch.no_grad():
            for name, layer in self.layers.items():
                assert isinstance(layer, _Layer)
                assert layer.convolution.bias is not None
                kernel, bias = values[name.replace("_", "/", 1)]
                layer.convolution.weight.copy_(kernel)
                layer.convolution.bias.copy_(bias)
            kernel, bias = values["dense"]
            self.dense.weight.copy_(kernel)
            self.dense.bias.copy_(bias)


@lru_cache(maxsize=2)
def _constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """The Hann window and the mel filters."""
    window = torch.hann_window(FEATURES.n_fft, periodic=True, device=device)
    return window, torch.from_numpy(htk_filters(FEATURES)).to(device)


def patches_of(waves: Tensor) -> Tensor:
    """(B, 15,600 samples at 16 kHz) → (B, 1, 96, 64): YAMNet's log-mel, a batch at a time.

    Equals `babymonitor.core.model.features.front_end` to rounding.
    """
    window, filters = _constants(waves.device)
    frames = waves.unfold(1, FEATURES.n_fft, FEATURES.hop_length)
    magnitudes = torch.fft.rfft(frames * window, _TRANSFORM).abs()
    return torch.log(magnitudes @ filters + FEATURES.floor).unsqueeze(1)


def mean_backbone(backbones: Sequence[Path], published: Path, share_of_published: float) -> SoundTagger:
    """The mean of several trained backbones' weights and, with a share, of the published network they began as.

    Wortsman, M. et al. (2022), "Robust fine-tuning of zero-shot models", CVPR, and "Model soups", ICML. Raises
    DataError for a file that holds no backbone.
    """
    tagger = SoundTagger()
    tagger.load(published)
    mean = {name: share_of_published * value for name, value in tagger.state_dict().items()}
    for path in backbones:
        try:
            weights: dict[str, Tensor] = torch.load(existing(path), map_location="cpu", weights_only=True)
            for name in mean:
                mean[name] = mean[name] + (1 - share_of_published) / len(backbones) * weights[name]
        except (OSError, RuntimeError, KeyError, EOFError, ValueError, TypeError) as error:
            raise DataError(f"{path} holds no backbone.") from error
    tagger.load_state_dict(mean)
    return tagger.eval()
