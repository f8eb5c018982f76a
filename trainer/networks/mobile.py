"""Networks designed for mobile devices, on mel spectrograms."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.networks.network import LevelNormalised, Network
from trainer.networks.registry import SPEECH, Front, family
from trainer.networks.resnet import ImageNetwork


class SqueezeExcite(nn.Module):
    """Weigh each channel by the content of all maps: Hu, J. et al. (2018), "Squeeze-and-excitation networks", CVPR."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(8, (channels // 4 + 4) // 8 * 8)
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, channels, 1), nn.Hardsigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.weigh(x.mean(dim=(2, 3), keepdim=True))
        return out


class InvertedResidual(nn.Module):
    """Widen, convolve each channel separately, weigh, narrow; with a shortcut between the narrow ends.

    Sandler, M. et al. (2018), "MobileNetV2: inverted residuals and linear bottlenecks", CVPR.
    """

    def __init__(
        self, inputs: int, inner: int, outputs: int, kernel: int, stride: int, excite: bool, hard_swish: bool
    ) -> None:
        super().__init__()
        activation = nn.Hardswish if hard_swish else nn.ReLU
        layers: list[nn.Module] = []
        if inner != inputs:
            layers += [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), activation()]
        layers += [
            nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            activation(),
        ]
        if excite:
            layers.append(SqueezeExcite(inner))
        layers += [nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.body = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


class MobileNetV3(Network):
    """MobileNetV3-Small: Howard, A. et al. (2019), "Searching for MobileNetV3", ICCV, table 2.

    The first block keeps its resolution: a mel spectrogram has a ninth of a photograph's pixels, and halving it five
    times would leave 2 x 3 of them.
    """

    def __init__(self, labels: int) -> None:
        super().__init__(1024, labels, dropout=0.2)
        self.normalise = LevelNormalised()
        self.stem = nn.Sequential(nn.Conv2d(2, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        self.blocks = nn.Sequential(
            InvertedResidual(16, 16, 16, 3, 1, True, False),
            InvertedResidual(16, 72, 24, 3, 2, False, False),
            InvertedResidual(24, 88, 24, 3, 1, False, False),
            InvertedResidual(24, 96, 40, 5, 2, True, True),
            InvertedResidual(40, 240, 40, 5, 1, True, True),
            InvertedResidual(40, 240, 40, 5, 1, True, True),
            InvertedResidual(40, 120, 48, 5, 1, True, True),
            InvertedResidual(48, 144, 48, 5, 1, True, True),
            InvertedResidual(48, 288, 96, 5, 2, True, True),
            InvertedResidual(96, 576, 96, 5, 1, True, True),
            InvertedResidual(96, 576, 96, 5, 1, True, True),
        )
        self.last = nn.Sequential(nn.Conv2d(96, 576, 1, bias=False), nn.BatchNorm2d(576), nn.Hardswish())
        self.widen = nn.Sequential(nn.Linear(576, 1024), nn.Hardswish())

    def embed(self, features: Tensor) -> Tensor:
        maps = self.last(self.blocks(self.stem(self.normalise(features))))
        embedding: Tensor = self.widen(maps.mean(dim=(2, 3)))
        return embedding


@family(SPEECH)
def mobilenet_v3(labels: tuple[str, ...], front: Front) -> nn.Module:
    """MobileNetV3-Small (1.5 M parameters) on 3 s of log-mel, from random weights."""
    return MobileNetV3(len(labels))


@family(SPEECH, needs="transformers", recipe={"learning_rate": 1e-3})
def efficientnet_b0(labels: tuple[str, ...], front: Front) -> nn.Module:
    """EfficientNet-B0 (4 M parameters) on 3 s of log-mel, from random weights."""
    # Tan, M. and Le, Q. (2019), "EfficientNet: rethinking model scaling for convolutional neural networks", ICML.
    from transformers import EfficientNetConfig, EfficientNetModel

    config = EfficientNetConfig(
        num_channels=2,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=1280,
        # The default of 0.99 follows TensorFlow's convention and means 0.01. Read by torch, it would keep the
        # statistics of a single batch.
        batch_norm_momentum=0.1,
    )
    body = EfficientNetModel(config)
    for module in body.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            # transformers initialises batch norm's gains around zero too: after sixteen blocks, 1e-10 of the signal
            # would be left.
            module.reset_parameters()
    return ImageNetwork(body, config.hidden_dim, len(labels))
