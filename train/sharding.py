"""The model on the processes of a run: whole on each, or in parts by FSDP2.

Whole: each process has all weights, and gradients are summed at the end of a step. This is for a
frozen language model: 29 M trained weights of RegionGPT 7B are summed in some milliseconds.

In parts: a process holds a part of each weight, gradient and moment. The language model's layers
are gathered one at a time, where they compute; the connector, the embeddings and the head together,
for the whole of a forward and backward pass, so that a process without a picture takes part as the
others do. The vision tower never trains: it stays whole, and nothing of it is sent. With a copy per
host (HSDP), weights are gathered from the GPUs of a host, and gradients alone cross the network.

What has which type:

    computation in bfloat16 (CUDA)  whole                        in parts
    trained weights                 float32, autocast copies     float32 parts, gathered as bfloat16
    frozen weights                  bfloat16                     bfloat16, tower whole, rest parts
    gradients                       float32                      bfloat16 in a layer; float32 summed
    AdamW's moments                 float32                      float32 parts
    residual stream                 that of the embeddings       bfloat16
    products of matrices            bfloat16                     bfloat16
    norms, softmax, loss            float32                      float32
    coordinates of regions          float32                      float32

    computation in float32          everything is float32; always so on a CPU

Memory of a 7B language model: 16 bytes a trained weight (weight, gradient, two moments), 108 GB,
divided by the number of processes where in parts; 13.5 GB frozen in bfloat16. What activations
take, `train.layers` says.
"""

from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from model.checkpoint.build import build_model
from model.checkpoint.files import Weights
from model.gpt4roi.scale_shuffle import NormAndReLU
from model.region_model import RegionModel
from schemas.errors import UsageError
from train.layers import Recompute, missing_compiler, prepare_layers
from train.processes import Processes
from train.recipes import Precision


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The way in which a model lies on the processes of a run."""

    processes: Processes
    precision: Precision = "float32"
    sharded: bool | None = None  # in parts; None: where the language model trains on CUDA
    copy_per_host: bool = False  # each host has all parts
    recompute: Recompute | None = None  # None: some where it trains on CUDA, else none
    compiled: bool | None = None  # the language model's layers; None: on CUDA, where it can be

    @property
    def in_bfloat16(self) -> bool:
        """Whether the computation is in bfloat16."""
        return computes_in_bfloat16(self.precision, self.processes.device)


def computes_in_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Return whether a device computes in bfloat16; a CPU does not, where it is slow and coarse."""
    return precision == "bfloat16" and device.type == "cuda"


def lay_out(model: RegionModel, layout: Layout) -> None:
    """Move a model to the device of its process, in the types and parts of the layout.

    To be called after `freeze_for` and before there is an optimizer. A model that already lies in
    parts stays as it is.

    Raises:
        UsageError: adapters are to lie in parts, or what lies whole has a copy per host.
    """
    if is_sharded(model):
        return
    if model.device != layout.processes.device:
        model.to(layout.processes.device)
    set_types(model, frozen=torch.bfloat16 if layout.in_bfloat16 else torch.float32)
    device = layout.processes.device
    large = device.type == "cuda" and language_model_trains(model)  # 16 bytes for each weight
    sharded = large if layout.sharded is None else layout.sharded
    if sharded and hasattr(model, "peft_config"):
        raise UsageError("adapters are few weights: train them without --sharded")
    if layout.copy_per_host and not sharded:
        raise UsageError("--copy-per-host is for models in parts: give --sharded too, or leave it")
    if sharded:
        _shard(model, layout)
    compiled = layout.compiled
    if compiled is None:
        compiled = device.type == "cuda" and missing_compiler(device) is None
    recompute = layout.recompute or ("some" if large else "none")
    prepare_layers(language_parts(model), recompute, compiled=compiled)
    if recompute != "none":
        prepare_layers(norms_of_maps(model), "all", compiled=False)


def language_model_trains(model: RegionModel) -> bool:
    """Return whether most of the language model's weights train: adapters alone are few."""
    parameters = list(model.language_model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    return 2 * trained > sum(p.numel() for p in parameters)


def set_types(model: nn.Module, *, frozen: torch.dtype) -> None:
    """Make trained parameters float32 and frozen ones of a type; few-bit weights stay theirs."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(torch.float32 if parameter.requires_grad else frozen)


def is_sharded(model: nn.Module) -> TypeGuard[FSDPModule]:
    """Return whether a model lies in parts."""
    return isinstance(model, FSDPModule)


def at_rest(model: nn.Module) -> nn.Module:
    """Return the model with its weights in parts again, where a forward pass has gathered them."""
    if is_sharded(model):
        model.reshard()
    return model


def whole_model(model: RegionModel, dtype: torch.dtype, processes: Processes) -> RegionModel | None:
    """Return a copy of a model on the CPU, whole and of one type, e.g. to save it.

    All processes have to call this; the one that leads gets the copy, the others None. Tensor by
    tensor, so that no device ever holds the model whole.
    """
    tensors = {}
    for name, tensor in at_rest(model).state_dict().items():
        full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        if processes.leads:
            kind = dtype if full.is_floating_point() else full.dtype
            tensors[name] = full.detach().to("cpu", kind, copy=True)
    if not processes.leads:
        return None
    copied = build_model(
        model.config, Weights("the run", tensors, {}), dtype, fresh_connector=False
    )
    copied.generation_config = model.generation_config
    return copied


def _layers(model: RegionModel) -> list[nn.Module]:
    """Return the language model's layers."""
    return list(model.language_model.get_decoder().layers)


def language_parts(model: RegionModel) -> list[nn.Module]:
    """Return the language model's layers, and the norm after them where it goes by that name."""
    norm = getattr(model.language_model.get_decoder(), "norm", None)
    return [*_layers(model), *([] if norm is None else [norm])]


def norms_of_maps(model: RegionModel) -> list[nn.Module]:
    """Return GPT4RoI's norms of feature maps, each with its ReLU: most of what a picture keeps."""
    return [module for module in model.connector.modules() if isinstance(module, NormAndReLU)]


def _shard(model: RegionModel, layout: Layout) -> None:
    """Cut a model into parts, whose gradients are summed over processes, not averaged."""
    device = layout.processes.device
    if not distributed.is_initialized():
        layout.processes.start_alone()
    world, on_host = layout.processes.world, layout.processes.on_host
    shape = {"copies": world // on_host, "parts": on_host}
    if not layout.copy_per_host:
        shape = {"parts": world}
    mesh = init_device_mesh(device.type, tuple(shape.values()), mesh_dim_names=tuple(shape))
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if layout.in_bfloat16 else None,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,  # boxes stay exact
    )
    for layer in _layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(
        model,
        mesh=mesh,
        mp_policy=policy,
        reshard_after_forward=False,
        ignored_params=set(model.vision_tower.parameters()),
    )
    model.get_input_embeddings().register_forward_hook(partial(_touch, model.connector))
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def _touch(connector: nn.Module, embeddings: nn.Module, ids: object, words: Tensor) -> Tensor:
    """Return the words, to which nothing is added, as a function of all of the connector.

    A batch may have no picture or no region. Its backward pass still runs through every layer, and
    gives every weight a gradient, so that all processes gather and sum the same tensors.
    """
    trained = [parameter for parameter in connector.parameters() if parameter.requires_grad]
    if not trained or not torch.is_grad_enabled():
        return words
    return words + torch.stack([parameter.flatten()[:0].sum() for parameter in trained]).sum()
