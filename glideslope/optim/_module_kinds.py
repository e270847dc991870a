"""Modules whose parameters are no hidden matrices, whatever their shapes."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

NORMS = (nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, _NormBase)
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


def parameters_in(model: nn.Module, kinds: tuple[type, ...]) -> Iterator[Tensor]:
    """The own parameters of the modules of these kinds."""
    found = (module for module in model.modules() if isinstance(module, kinds))
    return (p for module in found for p in module.parameters(recurse=False))
