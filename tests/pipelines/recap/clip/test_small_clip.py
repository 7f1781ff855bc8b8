"""The small CLIP on worlds it was not trained on: it tells true captions from false ones."""

import asyncio
import json
import re

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from bench.small_clip import measure
from bench.small_clip.crops import sights
from bench.small_clip.sentences import VALUES, caption, draw_wordings, falsified
from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.captioning.captioner import (
    AnnotatedRegion,
    CaptionTarget,
    PromptImage,
    Request,
)
from pipelines.recap.clip.curve import roc_area
from pipelines.recap.clip.open_clip import CONFIG_NAME, ClipScorer
from pipelines.recap.small_clip import FOLDER
from pipelines.recap.small_clip.vocabulary import (
    END_ID,
    PAD_ID,
    UNKNOWN_ID,
    Vocabulary,
    words_of,
)
from schemas.clip_weights import WEIGHTS_NAME
from transforms.crop import encode_jpeg

MAX_BYTES = 5_000_000


@pytest.fixture(scope="module")
def seen():
    """Two hundred crops of a world that is only looked at here."""
    return list(sights("tests", 40))[:200]


@pytest.fixture(scope="module")
def spoken(seen):
    """The captions of these crops by the captioner without a model."""

    async def say(sight):
        regions = tuple(AnnotatedRegion(each.box, each.shape) for each in sight.scene.things)
        width, height = sight.picture.size
        target = CaptionTarget(width, height, regions, regions[sight.index])

        async def load_image():
            return PromptImage(encode_jpeg(sight.crop, 512 * 512), target)

        request = Request(id="1", image_rank=1, prompt="?", load_image=load_image, max_tokens=99)
        return (await BuiltinCaptioner().ask(request)).text

    async def say_all():
        return [await say(sight) for sight in seen]

    return asyncio.run(say_all())


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A model of the same shape that has learnt nothing."""
    folder = tmp_path_factory.mktemp("untrained")
    (folder / CONFIG_NAME).write_bytes((FOLDER / CONFIG_NAME).read_bytes())
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(dict(model.state_dict()), folder / WEIGHTS_NAME)
    return ClipScorer(f"local-dir:{folder}", device="cpu")


def test_true_captions_from_those_of_other_crops(small_clip, seen):
    assert measure.shuffled_area(small_clip, seen, np.random.default_rng(1)) >= 0.95


def test_true_captions_from_the_same_with_one_attribute_changed(small_clip, seen):
    assert measure.changed_area(small_clip, seen, np.random.default_rng(2)) >= 0.85


def test_untrained_it_can_do_nothing(untrained, seen):
    assert 0.45 <= measure.shuffled_area(untrained, seen, np.random.default_rng(3)) <= 0.55


def test_one_false_word_in_the_last_sentence_of_a_long_caption(small_clip, seen):
    assert len(seen) == 200
    rng = np.random.default_rng(4)
    assert measure.lowered_share(small_clip, seen, rng, words=150) >= 0.95


def test_a_long_caption_is_long(seen):
    wordings = draw_wordings(seen[0].facts, np.random.default_rng(5), 150)
    text = caption(wordings, [seen[0].facts] * len(wordings))
    assert 150 <= len(text.split()) <= 200
    assert text.count(". ") >= 10


def test_captions_of_the_captioner_without_a_model(small_clip, seen, spoken):
    matched = measure.means(small_clip, seen, spoken)
    shuffled = measure.means(small_clip, seen, spoken[7:] + spoken[:7])
    assert roc_area(matched, shuffled) >= 0.9


def test_it_knows_all_words_of_that_captioner(spoken):
    words = json.loads((FOLDER / CONFIG_NAME).read_bytes())["vocabulary"]
    known = Vocabulary(words)
    words = {word for text in spoken for word in words_of(text)}
    assert {word for word in words if known.encode(word, 2)[0] == UNKNOWN_ID} == set()


def test_it_is_small_and_open_clip_opens_it(small_clip):
    assert (FOLDER / WEIGHTS_NAME).stat().st_size <= MAX_BYTES
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    assert model.text_pool_type == "eos"
    assert model.text_eos_id == END_ID


def test_sentences_say_what_is_true(seen):
    rng = np.random.default_rng(6)
    for sight in seen:
        thing = sight.scene.things[sight.index]
        wordings = draw_wordings(sight.facts, rng, 60)
        text = caption(wordings, [sight.facts] * len(wordings))
        assert re.search(rf"\b({thing.shape}|{thing.colour}|{thing.size})\b", text)
        assert not re.search(r"\b[Aa] [aeiou]|[{}]", text)


def test_a_false_caption_differs_in_one_value(seen):
    rng = np.random.default_rng(7)
    for sight in seen[:50]:
        wordings = draw_wordings(sight.facts, rng, 30)
        claimed = falsified(wordings, sight.facts, rng, last=True)
        changed = [
            (sentence, name)
            for sentence, facts in enumerate(claimed)
            for name in vars(facts)
            if getattr(facts, name) != getattr(sight.facts, name)
        ]
        ((sentence, name),) = changed
        assert sentence == len(wordings) - 1
        assert name in VALUES


def test_words_become_ids():
    vocabulary = Vocabulary(["circle", "red"])
    assert len(vocabulary) == 5
    assert vocabulary.encode("Red, CIRCLE!", 5) == [4, 3, END_ID, PAD_ID, PAD_ID]
    assert vocabulary.encode("a red circle", 3) == [UNKNOWN_ID, 4, END_ID]
    assert vocabulary.encode("", 2) == [END_ID, PAD_ID]
