"""The control with shuffled labels: rows whose answers belong to other rows."""

from schemas.ids import bucket
from train.data.rows import Row, ShardRows


class ShuffledAnswers(ShardRows):
    """The rows of some shards, each answer taken from another row by hash."""

    def __getitem__(self, number: int) -> Row:
        """Return a row whose answers are those of other rows."""
        row = super().__getitem__(number)
        messages = [
            {**message, "content": self._other(row["id"], turn)}
            if message["role"] == "assistant"
            else message
            for turn, message in enumerate(row["messages"])
        ]
        return {**row, "messages": messages}

    def _other(self, name: str, turn: int) -> str:
        other = super().__getitem__(bucket(len(self), "shuffled", name, turn))
        return str(other["messages"][-1]["content"])
