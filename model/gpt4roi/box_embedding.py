"""An embedding of a region's box: where it lies and its size, which its crop does not tell.

Source: the released code of GPT4RoI; the paper has none.

Letters in shapes: K regions, C channels.
"""

from torch import Tensor, nn


class BoxEmbedding(nn.Module):
    """Two linear layers, each with ReLU and a normalisation after it."""

    def __init__(self, *, hidden: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, hidden)
        self.hidden_norm = nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, width)
        self.output_norm = nn.LayerNorm(width)

    def forward(self, boxes: Tensor) -> Tensor:
        """Return the embeddings of boxes.

        Args:
            boxes: [K, 4] x0, y0, x1, y1 as parts of the picture's side, 0..1.

        Returns:
            [K, C].
        """
        hidden = self.hidden_norm(self.hidden(boxes).relu())
        return self.output_norm(self.output(hidden).relu())
