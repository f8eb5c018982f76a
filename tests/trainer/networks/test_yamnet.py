"""YAMNet's body: built as published, loaded from the published weights if available, and a family like any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_data import SHARED_DATA

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.features import front_end
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import Wave
from trainer.audio import synthetic
from trainer.data.readers import load
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.networks import FAMILIES
from trainer.networks.heads import TwoLevel
from trainer.networks.yamnet import TUNED_FRAMES, ConvolutionBlock, TunedYamnet, Yamnet, published_weights
from trainer.training.recipe import Recipe
from trainer.training.request import TrainingRequest
from trainer.training.train import train

LABELS = ("hungry", "sad", "natural", "background")
FRONT, TUNED_FRONT = (FAMILIES[name].front for name in ("yamnet", "yamnet_tuned"))
PATCH = 15600
"""Samples of a patch of 96 frames: the input of the published file."""
WEIGHTS = SHARED_DATA.parent / "peers" / "yamnet" / "yamnet.tflite"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads on a busy processor take ten times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def weights() -> Path:
    if not WEIGHTS.is_file():
        pytest.skip("../shared/peers/yamnet is not here: nothing was compared with the published YAMNet")
    pytest.importorskip("ai_edge_litert", reason="no TensorFlow Lite here: nothing was compared with YAMNet")
    return WEIGHTS


def fresh(weights: str = "random") -> Yamnet:
    torch.manual_seed(0)
    network = FAMILIES["yamnet"].network(LABELS, weights)
    assert isinstance(network, Yamnet)
    return network


def windows(count: int) -> torch.Tensor:
    """Log-mel of synthetic cries and noises in turn, (count, 64, 192)."""
    rng = np.random.default_rng(1)
    samples = FRONT.features.samples(FRONT.window_frames)
    makers = (synthetic.cry, synthetic.noise, synthetic.tones, synthetic.fan)
    return torch.from_numpy(
        np.stack([front_end(makers[number % 4](rng, samples), FRONT.features) for number in range(count)])
    )


def test_front_end_is_the_published_one() -> None:
    """25 ms windows every 10 ms at 16 kHz, 64 bands from 125 to 7500 Hz, 0.001 under the logarithm; whole patches."""
    spec = FRONT.features
    assert (spec.kind, spec.sample_rate, spec.n_fft, spec.hop_length) == ("log_mel_vggish", 16000, 400, 160)
    assert (spec.n_mels, spec.fmin_hz, spec.fmax_hz, spec.floor) == (64, 125.0, 7500.0, 0.001)
    assert spec.samples(96) == PATCH
    assert list(fresh().starts) == [0, 48, 96]


def test_it_has_as_many_parameters_as_published() -> None:
    """3.75 million: with its 521 classes and batch norm's statistics, without the scales that only ours has."""
    body = fresh().body
    scales = sum(values.numel() for name, values in body.named_parameters() if name.endswith("2.weight"))
    statistics = sum(values.numel() for name, values in body.named_buffers() if "running" in name)
    classes = 521 * 1024 + 521
    assert sum(values.numel() for values in body.parameters()) - scales + statistics + classes == 3_751_369


def test_padding_is_tensorflows() -> None:
    """Stride 2 on an even size: the first output covers inputs 0 to 2, and the zero follows the last input."""
    layer = ConvolutionBlock(1, 1, 3, 2).eval()
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[0, 0, 0, 0] = 1.0
    layer.take(kernel, torch.tensor([0.5]))
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.allclose(layer(picture)[0, 0], torch.tensor([[0.5, 2.5], [8.5, 10.5]]), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.tflite", "There is no file .*nowhere.tflite: "),
        ("words.tflite", "words.tflite is not a model"),
        ("weights.h5", "weights.h5 is no file of YAMNet's weights"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path: Path, name: str, message: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="no TensorFlow Lite here: only that a file is missing could be said")
    path = tmp_path / name
    if name != "nowhere.tflite":
        path.write_text("no weights at all", encoding="utf-8")
    with pytest.raises(DataError, match=message) as refusal:
        fresh(str(path))
    assert str(refusal.value).endswith(".")


@pytest.mark.shared_data
def test_published_body_is_frozen_and_only_the_head_learns(weights: Path) -> None:
    network = fresh(str(weights)).train()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameter_groups(1e-2)[0]["params"])
    two_level = TwoLevel(LABELS)
    two_level.loss(network(windows(4)), torch.eye(4), 0.1, torch.ones(4)).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    changed = {name for name, values in network.state_dict().items() if not torch.equal(values, before[name])}
    assert changed == {"head.weight", "head.bias"}


def tuned(weights: str) -> TunedYamnet:
    torch.manual_seed(0)
    network = FAMILIES["yamnet_tuned"].network(LABELS, weights)
    assert isinstance(network, TunedYamnet)
    return network


@pytest.mark.shared_data
def test_tuned_starts_as_published_and_the_body_learns_slowly(weights: Path) -> None:
    network, published_body = tuned(str(weights)).train(), fresh(str(weights)).body
    before = {name: values.clone() for name, values in network.state_dict().items()}
    theirs = published_body.state_dict()
    for name, values in network.body.state_dict().items():
        assert torch.equal(values, theirs[name]), name
    spec, samples = TUNED_FRONT.features, TUNED_FRONT.features.samples(TUNED_FRONT.window_frames)
    cry = front_end(synthetic.cry(np.random.default_rng(1), samples), spec)
    optimiser = torch.optim.SGD(network.parameter_groups(1e-2))
    rates = [group["lr"] for group in optimiser.param_groups]
    assert rates[0] < rates[1]
    loss = TwoLevel(LABELS).loss(network(torch.from_numpy(cry[None])), torch.eye(4)[:1], 0.1, torch.ones(4))
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    unchanged = {name for name, values in network.state_dict().items() if torch.equal(values, before[name])}
    assert all("running" in name or "num_batches" in name or name.startswith("heard.") for name in unchanged), unchanged
    measured_here = [name for name in before if "running" in name and name not in unchanged]
    assert not measured_here, "AudioSet's statistics stay"


@pytest.mark.shared_data
def test_a_card_names_its_weights_but_not_their_folder(weights: Path, data_set: Path, tmp_path: Path) -> None:
    sides = tmp_path / "sides.csv"
    somebody = load([data_set]).clips[0].group
    sides.write_text(f"group,split\n{somebody},train\n", encoding="utf-8")
    output, recipe = tmp_path / "tuned.onnx", Recipe(epochs=1, epoch_windows=16, batch=8)
    options = {"weights": str(weights), "division": Division(sides=sides)}
    train(TrainingRequest([data_set], "yamnet_tuned", output, recipe, tmp_path / "cache", codecs=False, **options))
    training = Classifier(output).card.training
    assert training["weights"] == weights.name
    assert training["division"]["sides"] == "sides.csv"
    assert str(tmp_path) not in json.dumps(training)


def test_tuned_uses_only_the_end_of_a_window() -> None:
    network = tuned("random").eval()
    mel = torch.randn(1, 64, TUNED_FRONT.window_frames) - 8
    before, after = mel.clone(), mel.clone()
    before[:, :, :-TUNED_FRAMES] += 3
    after[:, :, -TUNED_FRAMES] += 3
    with torch.no_grad():
        assert torch.equal(network.embed(before), network.embed(mel))
        assert not torch.equal(network.embed(after), network.embed(mel))


@pytest.mark.shared_data
def test_tuned_gets_nearly_the_input_of_yamnet() -> None:
    """The default front end on YAMNet's scale, compared with YAMNet's own on the same frames, for sound of -20 dB."""
    network = tuned("random")
    ours, theirs = TUNED_FRONT.features, replace(FRONT.features, hop_length=TUNED_FRONT.features.hop_length)
    sounds = {name: wave for name, wave in sounds_of_a_patch().items() if wave.any()}
    for name, wave in sounds.items():
        level = 0.1 / float(np.sqrt(np.mean(wave**2)))
        with torch.no_grad():
            mel = torch.from_numpy(front_end(wave, ours)[None])
            seen = network.get_submodule("heard")(mel)[0, 0].numpy().T
        expected = front_end(wave * np.float32(level), theirs)[:, : seen.shape[1]]
        seen = seen[:, : expected.shape[1]]
        assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.8, name
        assert abs(float(seen.mean() - expected.mean())) < 1.0, name


def sounds_of_a_patch() -> dict[str, Wave]:
    """Sounds of one patch each: synthetic ones, and the first real clips of some folders."""
    rng = np.random.default_rng(3)
    time = np.arange(PATCH) / 16000
    sounds: dict[str, Wave] = {
        "silence": np.zeros(PATCH, np.float32),
        "sine": np.asarray(0.3 * np.sin(2 * np.pi * 440 * time), np.float32),
        "cry": synthetic.cry(rng, PATCH),
        "voice-like": synthetic.voice_like(rng, PATCH),
        "siren": synthetic.siren(rng, PATCH),
        "white noise": np.asarray(0.1 * rng.standard_normal(PATCH), np.float32),
    }
    for folder in ("esc10/baby_cry", "esc10/dog_bark", "esc10/sea_waves", "esc10/rain", "emodb", "librosa", "animals"):
        for path in sorted((SHARED_DATA / folder).rglob("*.*")):
            if path.suffix in (".ogg", ".flac", ".wav") and (wave := read_wave(path)).size >= PATCH:
                sounds[str(path.relative_to(SHARED_DATA))] = wave[:PATCH]
                break
    return sounds


@pytest.mark.shared_data
def test_body_agrees_with_the_published_file(weights: Path, measured: Callable[[str, str], None]) -> None:
    """The body's 521 classes agree with the file's if it gets the file's features and rounds like the file.

    The features are ours except for rounding. The file rounds whatever meets an 8-bit kernel: each frame's spectrum
    before its mel bands, and what passes between layers. YAMNet as documented does neither. The difference is largest
    for noises, which hardly resemble any class.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        str(weights), num_threads=1, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    index_of = {
        (tensor["name"].split(";")[0].rsplit("/", 1)[-1], tuple(tensor["shape"])): tensor["index"]
        for tensor in interpreter.get_tensor_details()
    }
    network = fresh(str(weights)).eval()
    kernel, bias = published_weights(weights)["dense"]
    exact, rounded, sounds = [], [], sounds_of_a_patch()
    assert len(sounds) >= 12
    for name, wave in sounds.items():
        interpreter.set_tensor(0, wave)
        interpreter.invoke()
        mel, expected = (
            interpreter.get_tensor(index_of["Log", (96, 64)]),
            interpreter.get_tensor(index_of["MatMul", (1, 521)])[0],
        )
        agreements = []
        for rounding in (False, True):
            actual = (kernel @ embedded(network, mel, rounding) + bias).numpy()
            agreements.append(float(np.corrcoef(actual, expected)[0, 1]))
        if expected.max() > 0:  # if the file finds no class more likely than not, any class may come first
            # Of two nearly equal classes, either may come first.
            assert expected.max() - expected[actual.argmax()] < 0.3, name
        assert agreements[0] > 0.95, name
        assert agreements[1] > 0.97, name
        exact.append(agreements[0])
        rounded.append(agreements[1])
        ours = np.exp(front_end(wave, FRONT.features).T)
        assert (np.abs(np.exp(mel) - ours) <= 0.02 * ours + lost_to_rounding(wave)[:, None]).all(), name
    assert np.median(rounded) > 0.9999
    figures = f"{len(sounds)} sounds, correlation of logits {min(exact):.4f} at least, {np.median(exact):.4f} mostly; "
    figures += f"rounding as it does {min(rounded):.4f} at least, {np.median(rounded):.6f} mostly"
    measured("YAMNet, published file against ours", figures)


@torch.no_grad()
def embedded(network: Yamnet, mel: Wave, rounding: bool) -> torch.Tensor:
    """(96, 64) → (1024,): the body layer by layer, optionally rounding what meets an 8-bit kernel in the file."""
    values = torch.from_numpy(mel[None, None])
    for name, layer in network.body.layers.items():
        eight_bits = name not in ("layer1_conv", "layer2_depthwise_conv", "layer3_depthwise_conv")
        values = layer(in_8_bits(values) if rounding and eight_bits else values)
    embedding = values.mean(dim=(2, 3))[0]
    return in_8_bits(embedding) if rounding else embedding


def in_8_bits(values: torch.Tensor) -> torch.Tensor:
    """Round to 256 steps from the lowest value (or zero) to the highest."""
    step = (values.max().clamp(min=0) - values.min().clamp(max=0)) / 255
    return torch.round(values / step) * step if step > 0 else values


def lost_to_rounding(wave: Wave) -> Wave:
    """Return how far a band can be off if each bin is rounded to 1/127 of the loudest, per frame, (frames,)."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, 400)[::160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    loudest = np.abs(np.fft.rfft(frames * window, 512, axis=1)).max(axis=1)
    bins_of_the_widest_band = 9.0
    return np.asarray(0.5 * loudest / 127 * bins_of_the_widest_band + 1e-4, np.float32)
