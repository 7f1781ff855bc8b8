"""What a recipe says of sentences reaches the stages that go by it, and the build's identity."""

import pytest
from pydantic import ValidationError

from pipelines.datasets.spec import SourceRequest
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import resolve
from pipelines.recipes.settings import settings_of
from prompts.instruction import REC_NEGATIVES
from schemas.errors import UsageError
from schemas.style import Style

SOURCES = (SourceRequest(name="coco"),)


def test_the_usual_values():
    resolved = resolve(Recipe(sources=SOURCES))
    assert resolved.instruction.rec_negatives == REC_NEGATIVES == 0.2
    assert resolved.caps.min_words is None
    assert not resolved.caps.any


@pytest.mark.parametrize("share", [0.0, 0.35, 0.5])
def test_the_share_of_negatives(share):
    resolved = resolve(Recipe(sources=SOURCES, rec_negatives=share))
    assert resolved.instruction.rec_negatives == share
    assert resolved.identity()["rec_negatives"] == share


@pytest.mark.parametrize(
    ("source", "options", "papers", "taken"),
    [
        ({}, {}, {"visual_genome": 10}, {"visual_genome": 10}),
        ({}, {"style": "gpt4roi"}, {"visual_genome": 15}, {"visual_genome": 15}),
        ({"per_image": 10}, {}, {}, {"visual_genome": 10}),
        ({"per_image": "all"}, {}, {}, {}),
        ({}, {"per_image": 10}, {}, {"visual_genome": 10}),
        ({}, {"evaluation": True}, {}, {}),
    ],
)
def test_caps_that_nobody_states_are_papers(source, options, papers, taken):
    request = SourceRequest(name="visual_genome", **source)
    resolved = resolve(Recipe(sources=(request,), **options))
    assert resolved.papers_caps() == papers
    assert resolved.caps.per_image == taken


def test_the_least_number_of_words():
    resolved = resolve(Recipe(sources=SOURCES, min_words=3))
    assert (resolved.caps.min_words, resolved.caps.any) == (3, True)
    assert resolved.identity()["min_words"] == 3


@pytest.mark.parametrize(
    "options",
    [
        {"rec_negatives": -0.1},
        {"rec_negatives": float("nan")},
        {"min_words": 0},
    ],
)
def test_what_is_refused(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        Recipe(sources=SOURCES, **options)


def test_at_most_half_of_the_choices_have_no_answer():
    with pytest.raises(UsageError, match=r"--rec-negatives 0\.51: expected 0\.5 at most"):
        Recipe(sources=SOURCES, rec_negatives=0.51)


def test_a_share_of_suffixes_is_of_a_source():
    coco, lvis = SourceRequest(name="coco", suffix_share=0.25), SourceRequest(name="lvis")
    resolved = resolve(Recipe(sources=(coco, lvis)))
    assert resolved.instruction.suffix_shares == {"coco": 0.25}
    assert [one["suffix_share"] for one in resolved.identity()["sources"]] == [0.25, None]
    refusal = "suffix_share is for training in the regiongpt style"
    with pytest.raises(UsageError, match=refusal):
        Recipe(sources=(coco,), evaluation=True)
    with pytest.raises(UsageError, match=refusal):
        Recipe(sources=(coco,), style=Style.GPT4ROI)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_of_suffixes_is_a_share(share):
    with pytest.raises(ValidationError, match="suffix_share"):
        SourceRequest(name="coco", suffix_share=share)


def test_captions_share_conversations_in_one_style():
    flickr = (SourceRequest(name="flickr30k"),)
    resolved = resolve(Recipe(sources=flickr, style=Style.GPT4ROI, captions_per_conversation=2))
    assert resolved.instruction.captions_per_conversation == 2
    assert settings_of(resolved, "flickr30k")["captions_per_conversation"] == 2
    with pytest.raises(UsageError, match="captions_per_conversation is for the gpt4roi style"):
        Recipe(sources=flickr, captions_per_conversation=2)


def test_outputs_know_two_fields_by_their_first_names():
    """Manifests and journals of earlier builds stay valid though the fields were renamed."""
    identity = resolve(Recipe(sources=SOURCES, no_box_share=0.25, no_recapd=True)).identity()
    assert (identity["without_boxes"], identity["without_recapd"]) == (0.25, True)
    assert not identity.keys() & {"no_box_share", "no_recapd"}
