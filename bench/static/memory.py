"""The peak of a step's memory, by torch's tracker of tensors."""

from typing import Any

from torch import nn
from torch.distributed._tools.mem_tracker import MemTracker


class PeakMemory(MemTracker):
    """The tracker without its hooks, which tell modules and kinds of tensors from one another.

    Some of them cannot be set on frozen parameters. Sums, which are all that is asked for here, are
    made from the operators alone.
    """

    def _track_module_params_and_buffers(
        self, module: nn.Module, install_grad_hooks: bool = True
    ) -> tuple[int, int]:
        sizes: tuple[int, int] = super()._track_module_params_and_buffers(
            module, install_grad_hooks=False
        )
        return sizes

    def _pre_fw_hook(self, module: nn.Module, inputs: Any) -> None: ...

    def _post_fw_hook(self, module: nn.Module, inputs: Any, outputs: Any) -> None: ...

    def _pre_bw_hook(self, module: nn.Module, args: Any) -> None: ...

    def _post_bw_hook(self, module: nn.Module, args: Any) -> None: ...

    @property
    def peak(self) -> int:
        """The bytes of all tensors that lived at once, at most."""
        return sum(parts["Total"] for parts in self.get_tracker_snapshot("peak").values())
