"""The paper's two stages: what is asked and what is written stays as it was, to the byte.

Later options of captioning are off by default, and leave no trace then.
"""

import asyncio
import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipelines.datasets.spec import SourceRequest
from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe

# A JPEG of 48 x 36 pixels, as a file, since encoders differ.
PICTURE = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1"
    "tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk"
    "pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAgADADASIAAhEBAxEB/8QAGAABAQADAAAAAAAAAAAAAAAAAAQDBQ"
    "b/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAGAEBAAMBAAAAAAAAAAAAAAAABQECBAP/xAAUEQEAAAAAAAAAAAAAAAAA"
    "AAAA/9oADAMBAAIRAxEAPwDcgAmhjANh3PgOiFIDUbUgB1FoA9d//9k="
)
ASKED = "791524973b709342fbefd410e040ed32ff33d6a1a8f904f6305c023e29c4f266"
WRITTEN = "a30eb186e10d40963abf7ef9e254e2f96366d97dad9871802e60131ee32880c9"
WORDS = ("plain", "round", "narrow", "bright", "worn", "smooth", "heavy", "tall")


class Recorder:
    """A captioner that answers in words of the request's id, and keeps what it was asked."""

    asked: ClassVar[dict[str, list[object]]] = {}

    async def ask(self, request: Request) -> Answer:
        image = await request.load_image()
        texts = [picture.name for picture in image.pictures()]
        self.asked[request.id] = [request.prompt, request.max_tokens, texts]
        digest = sha256(request.id.encode()).digest()
        first, second, third = (WORDS[digest[number] % len(WORDS)] for number in range(3))
        return Answer(
            f"A {first} thing stands on a {second} floor, lit from one side. Its {third} surface "
            f"ends in edges numbered {digest[3]}, which catch most of the light there is."
        )

    async def close(self) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def paper_run(coco_file: Any, tmp_path: Path) -> Path:
    """The folder of a run with all settings at their defaults."""
    owner = coco_file().good(*range(1, 6)).save()
    for number in range(1, 6):
        (owner.pictures / f"{number}.jpg").write_bytes(PICTURE)
    captioning = Captioning(model="stub", temperature=0.2)
    recipe = RecapRecipe(
        sources=(
            SourceRequest(
                name="coco",
                label_set="Things",
                paths={"train": str(owner.file), "images": str(owner.pictures)},
            ),
        ),
        captioning=captioning,
        filter=Filter(),
        shard_bytes=2_000,
    )
    tools = CaptionTools(captioner=Recorder, scorer=None, concurrent_images=2)
    Recorder.asked = {}
    run_recap(recipe, make_recap_plan(recipe, "", str(tmp_path / "out")), tools)
    return tmp_path / "out"


def digest_of(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def test_it_asks_as_it_did(paper_run: Path) -> None:
    assert len(Recorder.asked) == 15
    assert digest_of(Recorder.asked) == ASKED


def test_its_shards_are_what_they_were(paper_run: Path, output_of: Any) -> None:
    shards = sorted(paper_run.glob("recapd/*.arrow"))
    digests = {path.name: sha256(path.read_bytes()).hexdigest() for path in shards}
    assert len(shards) > 1
    assert digest_of(digests) == WRITTEN, digests
