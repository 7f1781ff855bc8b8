"""Layers that are compiled or compute again: the same losses and gradients, and what is kept."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from model.attention import ATTENTION_NAME
from model.batch import Example
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.processor import processor_for
from model.region_model import GPT4RoIForConditionalGeneration, RegionGPTForConditionalGeneration
from model.stages import freeze_for
from train import layers
from train.cli import run
from train.layers import TrainingForward, missing_compiler
from train.processes import Processes
from train.sharding import Layout, at_rest, lay_out, norms_of_maps
from train.step import batch_loss

CPU = torch.device("cpu")
ALONE = Processes(device=CPU)
# The compiler asks inner tensors for gradients.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@pytest.fixture(autouse=True)
def fresh_compiler(monkeypatch):
    """The compiler's graphs and its choice of what is kept, without its code for a processor."""
    monkeypatch.setattr(layers, "BACKEND", "aot_eager_decomp_partition")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()
    ALONE.leave()


@pytest.fixture
def batches(tokenizer):
    """Packed rows of other numbers and lengths in each."""
    processor = processor_for(tiny_regiongpt(), tokenizer)
    rows = [[12, 5, 9], [7, 14], [20, 3, 4, 8]]
    return [
        processor.collate(
            [Example(input_ids=[*range(9, 9 + n)], labels=[-100, *range(10, 9 + n)]) for n in row],
            packed=True,
        )
        for row in rows
    ]


def made(stage="regiongpt_finetune", **layout):
    torch.manual_seed(0)
    model = RegionGPTForConditionalGeneration(tiny_regiongpt()).train()
    freeze_for(model, stage)
    model.set_attn_implementation({"text_config": ATTENTION_NAME})
    lay_out(model, Layout(processes=ALONE, **layout))
    return model


def results(model, batches):
    """The loss of each batch, and the gradient of each weight after all."""
    losses = []
    for batch in batches:
        loss = batch_loss(model, batch, 10, "float32", CPU)
        loss.backward()
        losses.append(float(loss.detach()))
    weights = at_rest(model).named_parameters()
    return losses, {
        name: getattr(p.grad, "full_tensor", lambda g=p.grad: g)()
        for name, p in weights
        if p.grad is not None and p.grad.abs().max() > 0
    }


WAYS = [
    {"recompute": "some"},
    {"recompute": "all"},
    {"compiled": True, "recompute": "some"},
    {"compiled": True, "recompute": "all", "sharded": True},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_losses_and_gradients_are_those_of_plain_layers(batches, way):
    losses, gradients = results(made(), batches)
    assert any(name.endswith("mlp.up_proj.weight") for name in gradients)
    other_losses, others = results(made(**way), batches)
    assert other_losses == pytest.approx(losses, rel=1e-5)
    assert others.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert (others[name] - gradient).norm() < 1e-5 * gradient.norm(), name


class Operators(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self):
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # torch's own signature
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_some_computes_neither_products_nor_attention_again(batches):
    counts: dict[str, Counter[str]] = {}
    for recompute in ("none", "some", "all"):
        model = made(recompute=recompute)
        with Operators() as operators:
            batch_loss(model, batches[0], 10, "float32", CPU).backward()
        counts[recompute] = operators.counts
    attention = "_scaled_dot_product_flash_attention_for_cpu"
    blocks = 2
    for name, number in (("mm", 7), (attention, 3), ("silu", 1)):
        again = {key: counts[key][name] - counts["none"][name] for key in counts}
        # The last product of a block is its output, which nothing in it reads.
        whole = blocks * (number - (name == "mm"))
        assert again == {"none": 0, "some": whole if name == "silu" else 0, "all": whole}, name


def test_norms_of_gpt4rois_maps_keep_their_input_alone_unless_nothing_is_computed_again():
    kept = {}
    for recompute in ("none", "some"):
        torch.manual_seed(0)
        model = GPT4RoIForConditionalGeneration(tiny_gpt4roi()).train()
        model.set_attn_implementation({"text_config": ATTENTION_NAME})
        lay_out(model, Layout(processes=ALONE, recompute=recompute))
        norms = norms_of_maps(model)
        assert norms
        maps = torch.randn(2, 4, 4, model.config.pyramid_width).bfloat16().requires_grad_()
        sizes: list[int] = []

        def keep(tensor, sizes=sizes):
            sizes.append(tensor.nbytes)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = norms[0](maps).sum()
        loss.backward()
        kept[recompute] = sum(sizes), maps.grad
    assert kept["some"][0] == maps.nbytes  # its input
    assert kept["none"][0] > 3 * maps.nbytes
    torch.testing.assert_close(kept["some"][1], kept["none"][1])


def test_layers_are_plain_out_of_training_and_prepared_once():
    model = made(recompute="all", compiled=True)
    layer = model.language_model.get_decoder().layers[0]
    forward = layer.forward
    assert isinstance(forward, TrainingForward)
    lay_out(model, Layout(processes=ALONE, recompute="all", compiled=True))
    assert layer.forward is forward
    ids = torch.arange(3, 9)[None]
    model.eval()
    model(input_ids=ids)
    model.train()
    with torch.no_grad():
        model(input_ids=ids)
    assert torch._dynamo.utils.counters["frames"]["total"] == 0


@pytest.mark.parametrize(
    ("device", "programs", "missing"),
    [
        ("cpu", ["g++"], None),
        ("cpu", [], "a C++ compiler, e.g. g++"),
        ("cuda", ["g++"], "the package triton"),
    ],
)
def test_what_a_compiler_lacks(monkeypatch, device, programs, missing):
    monkeypatch.setattr(layers, "find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: name if name in programs else None)
    lacking = missing_compiler(torch.device(device))
    assert lacking == missing


def test_compiling_without_a_compiler_is_refused(
    proof_shards, towers, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("shutil.which", lambda name: None)
    words = ["train", "--recipe", "regiongpt_pretrain", "--shards", str(proof_shards), "--compile"]
    words += ["--device", "cpu", "--output", str(tmp_path / "run"), *towers["regiongpt"]]
    assert run(words) == 2
    assert "--compile needs a C++ compiler, e.g. g++, which is not here" in capsys.readouterr().err
