"""HuBERT and wav2vec 2.0, small: built by transformers, trained, saved as .pt, exported, quantised, opened."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from babymonitor.core.model.classifier import Classifier
from trainer.__main__ import main
from trainer.errors import DataError
from trainer.model_file import torch_file
from trainer.model_file.export import write_model
from trainer.networks import FAMILIES
from trainer.networks.heads import Calibrated, Calibration, TwoLevel

LABELS = ("hungry", "sad", "natural", "background")
CALIBRATION = Calibration(1.5, -0.25, 2.0, 0.75)
CARD: dict[str, Any] = {
    "name": "tried",
    "created": "2026-01-01",
    "labels": LABELS,
    "thresholds": {"start": 0.6, "end": 0.3},
    "operating_curve": [],
    "calibration": {"on": "nothing"},
    "training": {},
    "metrics": {},
    "licence": "MIT",
}
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16, 16, 32),
    "conv_kernel": (10, 8, 8),
    "conv_stride": (10, 8, 8),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A HuBERT as written by `save_pretrained`."""
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(5)
    HubertModel(HubertConfig(**SMALL)).save_pretrained(tmp_path / "hubert-tiny")
    return tmp_path / "hubert-tiny"


def written(path: Path, family: str, weights: str | None = None) -> Path:
    """Write a model file of an untrained network, and its .pt beside it."""
    torch.manual_seed(1)
    known = FAMILIES[family]
    network = known.network(LABELS, weights).eval()
    card = write_model(path, network, known.front, CALIBRATION, {**CARD, "family": family})
    torch_file.save(path.with_suffix(".pt"), network, family, card)  # type: ignore[arg-type]
    return path


def noise(seed: int = 0, frames: int = 20000) -> Any:
    return np.random.default_rng(seed).standard_normal((1, frames)).astype(np.float32) * 0.1


@pytest.mark.parametrize("family", ["hubert", "wav2vec2"])
def test_random_weights_all_learn_and_the_loss_falls(family: str) -> None:
    torch.manual_seed(0)
    network = FAMILIES[family].network(LABELS, "random").train()
    assert 200_000 < sum(values.numel() for values in network.parameters()) < 2_000_000
    two_level = TwoLevel(LABELS)
    waves, targets = torch.randn(4, 1, 20000) * torch.linspace(0.1, 1, 20000), torch.eye(4)
    waves[1::2] = torch.cumsum(waves[1::2], 2)
    optimiser = torch.optim.AdamW(network.parameter_groups(1e-4))  # type: ignore[operator]
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = two_level.loss(network(waves), targets, 0.5, torch.ones(4))
        loss.backward()  # type: ignore[no-untyped-call]
        learning = [values for values in network.parameters() if values.requires_grad]
        assert all(values.grad is not None and bool(values.grad.abs().sum() > 0) for values in learning)
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_loudness_and_offset_do_not_matter() -> None:
    network = FAMILIES["hubert"].network(LABELS, "random").eval()
    wave = torch.from_numpy(noise())[None]
    with torch.no_grad():
        assert torch.allclose(network(wave), network(0.3 * wave + 0.2), atol=1e-3)
        assert torch.isfinite(network(torch.zeros(1, 1, 20000))).all()


def test_published_weights_are_frozen_below_and_learn_more_slowly_further_down(folder: Path) -> None:
    from transformers import HubertModel

    network: Any = FAMILIES["hubert"].network(LABELS, str(folder)).train()
    published = HubertModel.from_pretrained(folder).state_dict()
    ours = network.body.state_dict()
    assert all(torch.equal(values, ours[name]) for name, values in published.items())
    assert network.body.config.layerdrop == 0.0
    groups = network.parameter_groups(1e-4)
    rates = [group["lr"] for group in groups]
    assert rates == sorted(rates)
    assert rates[-2:] == [1e-4, 1e-3]
    grouped = [id(values) for group in groups for values in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(values) for values in network.parameters() if values.requires_grad}
    network(torch.from_numpy(np.stack([noise(1), noise(2)]))).sum().backward()
    for name, values in network.named_parameters():
        frozen = ".feature_extractor." in name or name.endswith("masked_spec_embed")
        assert values.requires_grad is not frozen, name
        assert frozen or float(values.grad.abs().sum()) > 0, name


def test_anything_else_is_refused_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for family, weights, expected in (
        ("wav2vec2", str(folder), "of the kind hubert"),
        ("hubert", str(empty), "holds no HuBERT that can be read"),
        ("hubert", str(tmp_path / "nowhere"), "There is no folder"),
    ):
        with pytest.raises(DataError, match=expected):
            FAMILIES[family].network(LABELS, weights)
    (folder / "model.safetensors").write_bytes(b"\xff" * 2000)
    with pytest.raises(DataError, match="holds no HuBERT that can be read"):
        FAMILIES["hubert"].network(LABELS, str(folder))


def test_half_of_the_weights_is_not_enough(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    complete = load_file(folder / "model.safetensors")
    half = {name: values for name, values in complete.items() if ".layers.1." not in name}
    save_file(half, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match="are not whole"):
        FAMILIES["hubert"].network(LABELS, str(folder))


def test_without_network_and_weights_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it asked the network"))
    with pytest.raises(DataError, match=r"hubert-base-ls960 are not on this computer.*--weights hubert=FOLDER\.$"):
        FAMILIES["hubert"].network(LABELS)


@pytest.mark.parametrize(("family", "weights"), [("hubert", "folder"), ("wav2vec2", "random"), ("cnn_tiny", None)])
def test_a_pt_file_becomes_the_same_model_file(family: str, weights: str | None, folder: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "model.onnx", family, str(folder) if weights == "folder" else weights)
    assert main(f"export {model.with_suffix('.pt')} --format onnx --output {tmp_path / 'again.onnx'}".split()) == 0
    first, again = Classifier(model), Classifier(tmp_path / "again.onnx")
    assert first.card == again.card
    loaded = torch_file.load(model.with_suffix(".pt"))
    assert loaded.calibration == CALIBRATION
    window = noise(frames=first.card.window_frames * first.card.features.rows).reshape(first.card.features.rows, -1)
    with torch.no_grad():
        calibrated = Calibrated(loaded.network, LABELS, loaded.calibration).eval()
        expected = calibrated(torch.from_numpy(window[None]))[0].numpy()
    assert np.allclose(first.probabilities(window), expected, atol=1e-4)
    assert np.allclose(again.probabilities(window), expected, atol=1e-4)


def test_a_model_file_becomes_a_pt_by_the_file_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = written(tmp_path / "model.onnx", "cnn_tiny")
    twin, back = model.with_suffix(".pt"), tmp_path / "back.pt"
    command = f"export {model} --format pt --output {back}".split()
    assert main(command) == 0
    state = torch_file.load(twin).network.state_dict()
    assert all(torch.equal(values, state[name]) for name, values in torch_file.load(back).network.state_dict().items())

    twin.unlink()
    assert main(command) == 2
    assert "neither model.pt nor model.checkpoint" in capsys.readouterr().err
    torch.save({"averaged": state}, model.with_suffix(".checkpoint"))
    assert main(command) == 0
    shifted = {name: values + 0.5 if values.is_floating_point() else values for name, values in state.items()}
    torch.save({"averaged": shifted}, model.with_suffix(".checkpoint"))
    assert main(command) == 2
    assert "of another network" in capsys.readouterr().err


class Evil:
    def __reduce__(self) -> Any:
        return print, ("a stranger's code ran",)


def test_an_invalid_pt_file_is_refused_and_nothing_in_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.pt"
    good = written(tmp_path / "model.onnx", "cnn_tiny").with_suffix(".pt")
    values = torch.load(good, weights_only=True)
    cases: list[tuple[Any, str]] = [
        ({**values, "card": Evil()}, "more than numbers and text"),
        ({"weights": torch.ones(3)}, "not one of this trainer's"),
        ({**values, "family": "nobody"}, "of the family nobody"),
        ({**values, "state_dict": {}}, "not whole"),
        ({**values, "card": "{}"}, "not whole"),
    ]
    for content, expected in cases:
        torch.save(content, path)
        assert main(["export", str(path), "--format", "onnx"]) == 2
        output = capsys.readouterr()
        assert expected in output.err
        assert output.out == ""
        assert not path.with_suffix(".onnx").exists()
    path.write_bytes(good.read_bytes()[:5000])
    assert main(["export", str(path), "--format", "onnx"]) == 2
    assert "is damaged" in capsys.readouterr().err
    path.with_suffix(".txt").write_text("no model")
    assert main(["export", str(path.with_suffix(".txt")), "--format", "onnx"]) == 2
    assert "is not one of this program's models" in capsys.readouterr().err


def test_int8_is_smaller_close_and_has_its_own_golden_pair(folder: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "model.onnx", "hubert", "random")
    assert main(f"export {model.with_suffix('.pt')} --format onnx --int8 --output {tmp_path / 'a.onnx'}".split()) == 0
    assert main(f"export {model} --format onnx --int8 --output {tmp_path / 'b.onnx'}".split()) == 0
    plain, small, same = (Classifier(path) for path in (model, tmp_path / "a.onnx", tmp_path / "b.onnx"))
    assert small.path.stat().st_size < 0.6 * model.stat().st_size
    assert small.card.golden["wave"] == plain.card.golden["wave"]
    assert small.card == same.card
    assert main(f"export {small.path} --format onnx --int8 --output {tmp_path / 'c.onnx'}".split()) == 2
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == [".onnx"] * 3 + [".pt"]
    for seed in range(3):
        click = noise(seed)
        click[0, 100] = 1.0 + 20 * seed  # the rest is quiet beside it, and must count all the same
        assert np.abs(small.probabilities(click) - plain.probabilities(click)).max() < 0.01


def test_default_stem_comes_from_the_weights_or_the_family() -> None:
    assert torch_file.default_stem(FAMILIES["hubert"]) == "hubert-base-ls960_emotion"
    assert torch_file.default_stem(FAMILIES["hubert"], "/some/where/my-hubert") == "my-hubert_emotion"
    assert torch_file.default_stem(FAMILIES["hubert"], "random") == "hubert"
    assert torch_file.default_stem(FAMILIES["cnn_tiny"]) == "cnn_tiny"
    for family in ("yamnet", "yamnet_tuned"):
        assert torch_file.default_stem(FAMILIES[family], "/some/where/yamnet.tflite") == family
