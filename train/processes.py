"""The processes of a run: one, or those that `torchrun` has started.

What they share is summed here, so that the rest of training need not know how many there are.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, distributed, nn

_BUCKET_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process among all of a run."""

    device: torch.device
    rank: int = 0
    world: int = 1
    on_host: int = 1  # processes of this host, as many as on all others

    @classmethod
    def join(cls, device: torch.device) -> "Processes":
        """Return this process among those that `torchrun` has started; alone, where it has not."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls(device=device)
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        on_gpu = device if device.type == "cuda" else None
        distributed.init_process_group(_backend(device), device_id=on_gpu)
        on_host = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        return cls(device=device, rank=distributed.get_rank(), world=world, on_host=on_host)

    def start_alone(self) -> None:
        """Make a group of this process alone, which FSDP2 asks for."""
        store = distributed.HashStore()
        distributed.init_process_group(_backend(self.device), store=store, rank=0, world_size=1)

    def leave(self) -> None:
        """Leave the group of processes at the end of a run, where there is one."""
        if distributed.is_initialized():
            distributed.destroy_process_group()

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
        return [int(number) for number in self.totals(numbers).tolist()]

    def totals(self, numbers: Sequence[int]) -> Tensor:
        """Return the same on the device, int64, for which the host does not wait."""
        on_gpu = self.device.type == "cuda"
        total = torch.tensor(numbers, dtype=torch.int64, pin_memory=on_gpu)
        return self.add(total.to(self.device, non_blocking=True))

    def add(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by its sum over all processes, and return it."""
        if self.world > 1:
            distributed.all_reduce(tensor)
        return tensor

    def sum(self, value: Tensor) -> float:
        """Return the sum over all processes of a tensor with one value."""
        return float(self.add(value))

    def gathered(self, numbers: list[int]) -> list[list[int]]:
        """Return the numbers of every process, which are as many in each, in the order of ranks."""
        if self.world == 1:
            return [numbers]
        mine = torch.tensor(numbers, dtype=torch.int64, device=self.device)
        of_all = [torch.empty_like(mine) for _ in range(self.world)]
        distributed.all_gather(of_all, mine)
        return [tensor.tolist() for tensor in of_all]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes; one that is missing becomes 0.

        Also with one process: an optimizer passes over parameters without a gradient, and the
        number of processes would change what it does.
        """
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        if self.world == 1:
            return
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            distributed.all_reduce(flat)
            sums = flat.split([gradient.numel() for gradient in bucket])
            for gradient, total in zip(bucket, sums, strict=True):
                gradient.copy_(total.view_as(gradient))


def _backend(device: torch.device) -> str:
    return "nccl" if device.type == "cuda" else "gloo"


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors of one type in lists of some size: one sum of many is faster than many sums."""
    for _, alike in groupby(sorted(tensors, key=_type), key=_type):
        bucket: list[Tensor] = []
        size = 0
        for tensor in alike:
            bucket.append(tensor)
            size += tensor.nbytes
            if size >= _BUCKET_BYTES:
                yield bucket
                bucket, size = [], 0
        if bucket:
            yield bucket


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype)
