"""torch.compile takes forward and loss of both models as one graph.

The models are tiny and of few blocks; their classes are those of the papers' sizes. A
graph break would leave the compiled code for Python in the middle of every step.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model.config import RegionConfig
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.region_inputs import Regions
from model.region_model import RegionModel

BATCH = Callable[..., dict[str, Tensor]]
BUILD = Callable[[RegionConfig], RegionModel]
SHORTEN = Callable[[RegionConfig], RegionConfig]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def breaks(run: Callable[..., Any], *args: Any, **inputs: Any) -> tuple[int, int]:
    """The numbers of graphs and of breaks between them."""
    report = torch._dynamo.explain(run)(*args, **inputs)
    return report.graph_count, report.graph_break_count


@pytest.mark.parametrize(
    "config", [tiny_gpt4roi(image_boundaries=True), tiny_regiongpt()], ids=["gpt4roi", "regiongpt"]
)
def test_forward_and_loss_are_one_graph(
    build_model: BUILD, training_batch: BATCH, shorten: SHORTEN, config: RegionConfig
) -> None:
    model = build_model(shorten(config))
    assert breaks(model.forward, **training_batch(config)) == (1, 0)


def test_a_planted_break_is_seen(build_model: BUILD) -> None:
    config = tiny_regiongpt()
    connector = build_model(config).connector
    features = (torch.randn(1, 16, 64),)
    regions = Regions(weights=torch.rand(1, 2, 16, 16))
    assert breaks(connector.forward, features, regions) == (1, 0)

    def look(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output + 1 if output.sum().item() > 0 else output

    connector.refinement.deconv1.register_forward_hook(look)
    torch._dynamo.reset()
    with torch.no_grad():
        graphs, count = breaks(connector.forward, features, regions)
    assert graphs > 1
    assert count > 0


def test_a_compiled_connector_has_the_gradients_of_the_eager_one(build_model: BUILD) -> None:
    connector = build_model(tiny_regiongpt()).connector
    features = (torch.randn(1, 16, 64),)
    regions = Regions(weights=torch.rand(1, 2, 16, 16))
    compiled = torch.compile(connector.forward, fullgraph=True, backend="aot_eager")
    gradients = []
    for run in (connector.forward, compiled):
        connector.zero_grad()
        image, tokens = run(features, regions)
        (image.square().sum() + tokens.square().sum()).backward()
        gradients.append([weight.grad for weight in connector.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])
