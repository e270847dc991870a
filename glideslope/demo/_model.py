"""The model that `glideslope train` trains: a small causal transformer over characters."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class CharTransformer(nn.Module):
    """Scores of the next character at every position of a window.

    Every parameter is a matrix: no biases, and norms without weights. So optimizers for matrices
    (Muon) train the whole model, like any other.
    """

    def __init__(
        self, symbols: int, context: int = 64, width: int = 96, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.context = context
        self.symbol = nn.Embedding(symbols, width)
        self.position = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.head = nn.Linear(width, symbols, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        """From character numbers (batch, time) to scores (batch, time, symbols)."""
        x = self.symbol(text) + self.position.weight[: text.shape[1]]
        scores: Tensor = self.head(norm(self.blocks(x)))
        return scores

    def loss(self, text: Tensor, following: Tensor) -> Tensor:
        """Mean cross entropy of the following characters, in nats."""
        return F.cross_entropy(self(text).flatten(0, 1), following.flatten())


class Block(nn.Module):
    """Look back, then think: attention and a two-layer network, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.network = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """From (batch, time, width) to the same shape."""
        x = x + self.attention(norm(x))
        thought: Tensor = x + self.network(norm(x))
        return thought


class Attention(nn.Module):
    """Every position gathers from itself and those before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From (batch, time, width) to the same shape."""
        batch, time, width = x.shape
        parts = self.query_key_value(x).view(batch, time, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        gathered = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        mixed: Tensor = self.output(gathered.transpose(1, 2).reshape(batch, time, width))
        return mixed


def norm(x: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the width."""
    return F.layer_norm(x, x.shape[-1:])
