"""Modules whose parameters are no hidden matrices, whatever their shapes."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

NORMS = (nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, _NormBase)
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
