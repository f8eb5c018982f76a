"""Every registered network: it accepts any label set, learns, can be saved and exported, and is independent of volume.

test_classical.py does the same for estimators, which are fitted rather than trained.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from babymonitor.core.model.features import fit_frames, front_end
from trainer.audio import synthetic
from trainer.model_file.export import calibrated_graph
from trainer.networks import FAMILIES, Family, classical
from trainer.networks.heads import Calibrated, Calibration, TwoLevel
from trainer.networks.network import Network
from trainer.networks.prosody import PROSODY, Prosody
from trainer.training.recipe import Recipe

NETWORKS = {name: family for name, family in FAMILIES.items() if family.build.__module__ != classical.__name__}
LABELS = ("sad", "happy", "natural", "background")
MANY = ("neutral", "calm", "joy", "sorrow", "anger", "fear", "disgust", "surprise", "sad")

PARAMETERS = {
    "base_cnn": (350_000, 450_000),
    "cnn_tiny": (140_000, 170_000),
    "efficientnet_b0": (3_900_000, 4_200_000),
    "hybrid_prosody": (1_000_000, 2_000_000),
    "lstm_mel": (150_000, 260_000),
    "mobilenet_v3": (1_400_000, 1_700_000),
    "resnet18": (11_000_000, 11_500_000),
    "resnet50": (23_000_000, 24_000_000),
    "resnet_mel": (181_500, 200_500),
    "simple_cnn_audio": (4_300_000, 4_700_000),
    "transformer_mel": (100_000, 200_000),
    "yamnet": (3_100_000, 3_400_000),
    "yamnet_tuned": (1_300_000, 1_400_000),
}
"""Without the head, whose size depends on the label set."""

DEPENDS_ON_VOLUME = {"yamnet"}
"""Its published front end adds a fixed 0.001 to each band, and its weights were trained with that."""


def built(family: Family, labels: tuple[str, ...]) -> Network:
    torch.manual_seed(0)
    network = family.network(labels, "random")
    assert isinstance(network, Network)
    return network


@lru_cache(maxsize=4)
def waves(samples: int) -> tuple[np.ndarray, ...]:
    """A sound for each label at about -20 dB: a cry, a wavering tone, a hum, noise."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / 16000
    wavering = np.sin(2 * np.pi * 500 * time + 40 * np.sin(2 * np.pi * 4 * time)).astype(np.float32)
    sounds = (synthetic.cry(rng, samples), wavering, synthetic.hum(rng, samples), synthetic.noise(rng, samples))
    # A little noise throughout, because digital silence has no volume.
    return tuple(0.2 * sound + 0.002 * rng.standard_normal(samples, dtype=np.float32) for sound in sounds)


def windows(family: Family, gain: float = 1.0) -> Tensor:
    """(4, rows, frames): the family's features of `waves`."""
    front = family.front
    sounds = [wave * np.float32(gain) for wave in waves(front.features.samples(front.window_frames))]
    return torch.from_numpy(
        np.stack([fit_frames(front_end(sound, front.features), front.window_frames) for sound in sounds])
    )


@dataclass
class Learnt:
    """A family's network after a few steps on one batch, with their losses and the parameters without gradients."""

    family: Family
    network: Network
    losses: list[float]
    untouched: list[str]

    @torch.no_grad()
    def probabilities(self, features: Tensor) -> Tensor:
        probabilities: Tensor = Calibrated(self.network, LABELS, Calibration()).eval()(features)
        return probabilities


@pytest.fixture(scope="module", params=NETWORKS.values(), ids=NETWORKS.keys())
def family(request: pytest.FixtureRequest) -> Family:
    family: Family = request.param
    return family


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def learnt(family: Family) -> Learnt:
    network = built(family, LABELS).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 0.7  # the statistics must settle within six steps
    features, targets, two_level = windows(family), torch.eye(len(LABELS)), TwoLevel(LABELS)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    losses: list[float] = []
    untouched: list[str] = []
    for step in range(6):
        optimiser.zero_grad()
        loss = two_level.loss(network(features), targets, 1.0, torch.ones(len(LABELS)))
        loss.backward()  # type: ignore[no-untyped-call]
        if step == 0:
            learns = [(name, value.grad) for name, value in network.named_parameters() if value.requires_grad]
            untouched = [name for name, grad in learns if grad is None or not bool(grad.abs().sum() > 0)]
        optimiser.step()
        losses.append(loss.item())
    return Learnt(family, network.eval(), losses, untouched)


@pytest.mark.parametrize("labels", [LABELS[:2], MANY], ids=["two", "nine"])
def test_fits_any_label_set(family: Family, labels: tuple[str, ...]) -> None:
    network = built(family, labels).eval()
    features = windows(family)[:2]
    assert features.shape[1:] == (family.front.features.rows, family.front.window_frames)
    with torch.no_grad():
        logits, embedding = network(features), network.embed(features)
    assert logits.shape == (2, len(labels))
    assert embedding.shape == (2, network.head.in_features)
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize("name", PARAMETERS)
def test_size_is_as_documented(name: str) -> None:
    family = FAMILIES[name]
    network = built(family, LABELS)
    head = sum(value.numel() for value in network.head.parameters())
    low, high = PARAMETERS[name]
    assert low <= sum(value.numel() for value in network.parameters()) - head <= high
    assert set(family.recipe) <= set(Recipe.__slots__)


def test_gradients_reach_all_parameters(learnt: Learnt) -> None:
    assert learnt.untouched == []


def test_a_few_steps_lower_the_loss(learnt: Learnt) -> None:
    assert min(learnt.losses[-2:]) < learnt.losses[0]


def test_saved_and_loaded_it_returns_the_same(learnt: Learnt) -> None:
    again = built(learnt.family, LABELS)
    again.load_state_dict(copy.deepcopy(learnt.network.state_dict()))
    features = windows(learnt.family)
    with torch.no_grad():
        assert torch.equal(again.eval()(features), learnt.network(features))


def test_exported_it_returns_the_same_for_any_batch(learnt: Learnt) -> None:
    features = windows(learnt.family)
    expected = learnt.probabilities(features).numpy()
    # If all rows were the same, a graph that had lost its input would pass.
    assert np.ptp(expected, axis=0).max() > 0.01
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        calibrated_graph(learnt.network, LABELS, learnt.family.front, Calibration()),
        options,
        providers=["CPUExecutionProvider"],
    )
    for count in (1, 4):
        (actual,) = session.run(["probabilities"], {"features": features[:count].numpy()})
        assert np.abs(actual - expected[:count]).max() < 1e-4


def test_it_returns_the_same_at_any_volume(learnt: Learnt) -> None:
    loud, soft = (learnt.probabilities(windows(learnt.family, gain)) for gain in (1.0, 0.1))
    # The remaining difference is the front end's floor, and rounding.
    same = float((loud - soft).abs().max()) < 5e-3
    assert same == (learnt.family.name not in DEPENDS_ON_VOLUME)


def figures(wave: np.ndarray) -> dict[str, float]:
    """Return the 13 figures of prosody of 3 s, by name."""
    names = (
        "level spread range slope jitter shimmer harmonicity harmonicity_spread voiced "
        "below_peak power_spread power_slope tilt"
    )
    features = torch.from_numpy(fit_frames(front_end(wave.astype(np.float32), PROSODY), 92))[None]
    return dict(zip(names.split(), Prosody()(features)[0].tolist(), strict=True))


def test_prosody_describes_how_a_voice_moves() -> None:
    time = np.arange(48000) / 16000

    def voice(octaves: np.ndarray | float) -> np.ndarray:
        """A voice at 300 Hz · 2 ** octaves."""
        phase = 2 * np.pi * np.cumsum(300 * 2.0 ** (octaves + 0 * time)) / 16000
        return np.asarray(sum(np.sin(k * phase) / k for k in range(1, 8)) * 0.2)

    steady, gliding = figures(voice(0.0)), figures(voice(time / 3))
    wavering = figures(voice(0.1 * np.sin(2 * np.pi * 5 * time)))
    assert steady["level"] == pytest.approx(np.log2(300 / 75), abs=0.01)
    assert steady["voiced"] == 1.0
    assert max(steady["spread"], steady["range"], steady["jitter"], steady["shimmer"]) < 0.01
    assert gliding["range"] == pytest.approx(1.0, abs=0.05)
    assert gliding["slope"] == pytest.approx(512 / 48000, rel=0.05)
    assert wavering["jitter"] > 5 * gliding["jitter"]
    assert wavering["range"] == pytest.approx(0.2, abs=0.05)
    trembling = figures(voice(0.0) * (1 + 0.5 * np.sin(2 * np.pi * 5 * time)))
    assert trembling["shimmer"] > 0.05
    fading = figures(voice(0.0) * np.exp(-time))
    assert fading["power_slope"] == pytest.approx(-2 * 512 / 16000, rel=0.05)
    noise = figures(np.random.default_rng(0).standard_normal(48000) * 0.1)
    assert noise["voiced"] == 0.0
    assert noise["tilt"] > steady["tilt"]
    assert all(np.isfinite(value) for value in figures(np.zeros(48000)).values())
