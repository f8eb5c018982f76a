"""HuBERT and wav2vec 2.0: transformers on the raw wave, pretrained on speech without labels and fine-tuned to ours.

Hsu, W.-N. et al. (2021), "HuBERT: self-supervised speech representation learning by masked prediction of hidden units",
IEEE/ACM TASLP 29; Baevski, A. et al. (2020), "wav2vec 2.0: a framework for self-supervised learning of speech
representations", NeurIPS. The code is in Hugging Face's transformers, which is imported when a network is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from babymonitor.core.model.features import FeatureSpec
from trainer.errors import DataError
from trainer.networks.network import Network
from trainer.networks.registry import Front, family

RATE_DECAY = 0.85
"""Factor on each layer's learning rate relative to the layer above: features near the wave hold for any sound."""
HEAD_RATE = 10.0
"""Factor on the learning rate of new parameters, the head and the layers' shares, relative to the uppermost layer."""

_FRONT = Front(
    FeatureSpec(kind="wave", n_fft=1, hop_length=1, n_mels=1, fmin_hz=0.0, fmax_hz=8000.0),
    window_frames=20000,  # 1.25 s: the longest that a base model processes within 100 ms, see benchmarks/pretrained.py
    hop_frames=8000,
)
# A network of this size memorises a small data set quickly: few epochs, small steps, small batches.
_RECIPE = {"learning_rate": 1e-4, "weight_decay": 1e-2, "epochs": 6, "epoch_windows": 4096, "batch": 16, "reuse": 1}
_SMALL = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 384,
    "conv_dim": (32, 48, 64, 96),
    "conv_kernel": (10, 8, 8, 8),
    "conv_stride": (5, 4, 4, 4),
    "num_feat_extract_layers": 4,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
}
"""0.5 M parameters, a frame every 20 ms as in the published models. Everything else is as in the base models."""


class Pretrained(Network):
    """The mean over time of every layer's hidden states, summed with learnt shares, then the head.

    All layers are used, because the words and the way they are spoken show in different layers. Pepino, L. et al.
    (2021), "Emotion recognition from speech using wav2vec 2.0 embeddings", Interspeech, found this better than the last
    layer alone.

    body: a HubertModel or Wav2Vec2Model. learnt: whether its weights are pretrained. If so, the convolutions near the
    wave are frozen, as is usual, and layers learn at rates of their own; otherwise everything learns at one rate.
    """

    def __init__(self, body: Any, labels: int, learnt: bool) -> None:
        super().__init__(body.config.hidden_size, labels, dropout=0.1)
        self.config = json.loads(body.config.to_json_string(use_diff=False))
        self.body = body
        self.learnt = learnt
        self.shares = nn.Parameter(torch.zeros(body.config.num_hidden_layers + 1))
        if learnt:
            body.feature_extractor.requires_grad_(False)
            body.feature_extractor._requires_grad = False  # otherwise it requests the gradient of the wave
        if hasattr(body, "masked_spec_embed"):
            body.masked_spec_embed.requires_grad = False  # nothing is masked here, so it would never learn

    def embed(self, features: Tensor) -> Tensor:
        wave = features[:, 0]
        # As Wav2Vec2FeatureExtractor with do_normalize, but inside the network, so that the model file contains it.
        wave = wave - wave.mean(dim=1, keepdim=True)
        wave = wave * torch.rsqrt((wave * wave).mean(dim=1, keepdim=True) + 1e-7)
        layers = self.body(wave, output_hidden_states=True).hidden_states
        means = torch.stack([states.mean(dim=1) for states in layers], dim=1)
        embedding: Tensor = (torch.softmax(self.shares, 0)[:, None] * means).sum(dim=1)
        return embedding

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the uppermost layer at `learning_rate`, lower ones slower by `RATE_DECAY`, new parameters faster."""
        if not self.learnt:
            return super().parameter_groups(HEAD_RATE * learning_rate)
        new = [self.shares, *self.head.parameters()]
        layers = [list(layer.parameters()) for layer in self.body.encoder.layers]
        above = {id(parameter) for parameter in [*new, *(parameter for layer in layers for parameter in layer)]}
        below = [p for p in self.parameters() if p.requires_grad and id(p) not in above]
        rates = [learning_rate * RATE_DECAY**depth for depth in range(len(layers) + 1)][::-1]
        groups = [{"params": members, "lr": rate} for members, rate in zip([below, *layers], rates, strict=True)]
        return [*groups, {"params": new, "lr": HEAD_RATE * learning_rate}]


@family(_FRONT, needs="transformers, published weights", weights="facebook/hubert-base-ls960", recipe=_RECIPE)
def hubert(labels: tuple[str, ...], front: Front, weights: str | Mapping[str, Any]) -> nn.Module:
    """HuBERT (base: 94 M parameters) on 1.25 s of the raw wave, fine-tuned.

    weights: see `_body`; "random" builds a small network with random weights.
    """
    return _fine_tuned("hubert", "HuBERT", labels, weights)


@family(_FRONT, needs="transformers, published weights", weights="facebook/wav2vec2-base", recipe=_RECIPE)
def wav2vec2(labels: tuple[str, ...], front: Front, weights: str | Mapping[str, Any]) -> nn.Module:
    """wav2vec 2.0 (base: 94 M parameters) on 1.25 s of the raw wave, fine-tuned.

    weights: see `_body`; "random" builds a small network with random weights.
    """
    return _fine_tuned("wav2vec2", "wav2vec 2.0", labels, weights)


def _fine_tuned(kind: str, title: str, labels: tuple[str, ...], weights: str | Mapping[str, Any]) -> Pretrained:
    return Pretrained(_body(kind, title, weights), len(labels), learnt=weights != "random")


def _body(kind: str, title: str, weights: str | Mapping[str, Any]) -> Any:
    """Return the transformers model of a kind, "hubert" or "wav2vec2".

    weights: a name on the Hugging Face hub; a folder written by `save_pretrained`; ``"random"`` for a small model with
    random weights, which is meant for tests and benchmarks and does not replace the published ones; or a configuration
    (`Pretrained.config`) for weights that are loaded afterwards. Raises DataError, in one sentence, if they are not
    available.
    """
    try:
        import transformers
    except ImportError as error:
        raise DataError(f"The family {kind} needs the package transformers, which is not installed.") from error
    from transformers import AutoConfig, AutoModel

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    # Off: a layer dropped at random learns nothing in that step, and masks come from a NumPy generator that checkpoints
    # do not hold, so that --resume would continue with different numbers.
    options = {"layerdrop": 0.0, "apply_spec_augment": False}
    if isinstance(weights, Mapping):
        return AutoModel.from_config(AutoConfig.for_model(**{**weights, "model_type": kind}))
    if weights == "random":
        return AutoModel.from_config(AutoConfig.for_model(kind, **_SMALL, **options))
    is_folder = Path(weights).is_dir()
    if not is_folder and (weights.count("/") != 1 or weights.startswith((".", "~", "/"))):
        raise DataError(f"There is no folder {weights}; weights are a folder, a name such as facebook/…, or random.")
    try:
        config = AutoConfig.from_pretrained(weights, trust_remote_code=False, **options)
        if config.model_type != kind:
            raise DataError(f"{weights} holds a model of the kind {config.model_type}, not {title}.")
        model, info = AutoModel.from_pretrained(
            weights, config=config, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
        )
    except DataError:
        raise
    except Exception as error:  # transformers, safetensors and the hub share no base class
        if is_folder:
            raise DataError(
                f"The folder {weights} holds no {title} that can be read: it must have a config.json and a "
                "model.safetensors, as save_pretrained writes them."
            ) from error
        raise DataError(
            f"The weights {weights} are not on this computer and cannot be fetched now; fetch them where there is a "
            f"network (hf download), and name their folder with --weights {kind}=FOLDER."
        ) from error
    lacking = [name for name in info["missing_keys"] if name != "masked_spec_embed"]
    if lacking:
        raise DataError(f"The weights {weights} are not whole: {len(lacking)} of them are missing ({lacking[0]}, …).")
    return model
