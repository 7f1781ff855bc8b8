"""The processes of a run: one, or those that `torchrun` has started.

What they share is summed here, so that the rest of training need not know how many there are.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process among all of a run."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, device: torch.device) -> "Processes":
        """Return this process among those that `torchrun` has started; alone, where it has not."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls(device=device)
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(device=device, rank=distributed.get_rank(), world=world)

    @property
    def leads(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.world > 1:
            distributed.barrier()

    def sums(self, numbers: Sequence[int]) -> list[int]:
        """Return the sum over all processes of each number."""
        if self.world == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.int64, device=self.device)
        distributed.all_reduce(total)
        return [int(number) for number in total.tolist()]

    def sum(self, value: Tensor) -> float:
        """Return the sum over all processes of a tensor with one value."""
        if self.world > 1:
            distributed.all_reduce(value)
        return float(value)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes; one that is missing counts as 0."""
        if self.world == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)
