"""The settings of a source's identity: those that decide its records, and no others."""

import pytest

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import PICTURE_OWNERS, SourceRequest
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import resolve
from pipelines.recipes.settings import check_used, settings_of, wordings_of
from prompts.catalog import DIALOGUES, EVALUATIONS, WORDINGS_OF
from schemas.errors import UsageError
from schemas.sample import Task

SOURCES = ("coco", "refcoco", "llava", "llava_pretrain", "visual_genome")


def resolved(**options):
    return resolve(Recipe(sources=tuple(SourceRequest(name=name) for name in SOURCES), **options))


def changed_by(**options) -> set[str]:
    """The sources whose settings or wordings an option changes."""
    before, now = resolved(), resolved(**options)
    return {
        name
        for name in SOURCES
        if settings_of(before, name) != settings_of(now, name)
        or wordings_of(before, name) != wordings_of(now, name)
    }


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        ({"rec_negatives": 0.5}, {"refcoco"}),
        ({"no_box_share": 0.1}, {"llava"}),
        ({"plain_captions": True}, {"llava_pretrain"}),
        ({"merge": True}, {"refcoco", "visual_genome"}),
        (
            {"wordings": {"region_relationship": ["How is <subject> to <object>?"]}},
            {"visual_genome"},
        ),
        ({"weights": {"coco": {"region_classification": 0.5}}}, {"coco"}),
        ({"weights": {"coco": {"region_classification": 1}}}, set()),
        ({"max_words": 500}, set(SOURCES)),
        ({"seed": 1}, set(SOURCES)),
        ({"limit": 5}, set(SOURCES)),
        ({"per_category": 5}, set(SOURCES)),
        ({"name": "mine"}, set()),
        ({"images": "reference"}, set()),
        ({"shard_bytes": 1000}, set()),
        ({"about": "a mix", "guard": False}, set()),
    ],
)
def test_an_option_changes_the_sources_that_go_by_it(options, sources):
    assert changed_by(**options) == sources


def test_a_source_does_not_depend_on_the_others():
    alone = resolve(Recipe(sources=(SourceRequest(name="coco"),)))
    assert settings_of(alone, "coco") == settings_of(resolved(), "coco")
    assert wordings_of(alone, "coco") == wordings_of(resolved(), "coco")


def test_sampling_of_one_source_is_none_of_anothers():
    capped = SourceRequest(name="coco", per_category=5)
    both = resolve(Recipe(sources=(capped, SourceRequest(name="llava"))))
    assert settings_of(both, "coco")["per_category"] == 5
    assert settings_of(both, "llava") == settings_of(resolved(), "llava")


def test_every_task_declares_its_wordings():
    assert WORDINGS_OF.keys() == set(Task) >= DIALOGUES.keys() | EVALUATIONS.keys()


def test_picture_owners_are_known():
    assert all(set(spec.picture_owners) <= set(PICTURE_OWNERS) for spec in CATALOG.values())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"vcr": {"region_caption": 0.5}}, "no source 'vcr', but: coco, refcoco, llava"),
        ({"coco": {"region_caption": 0.5}}, "not used for region_caption, but for: region_class"),
    ],
)
def test_a_weight_of_an_unknown_source_or_task_is_refused(weights, message):
    with pytest.raises(UsageError, match=message):
        resolved(weights=weights)


def test_an_evaluation_has_no_limit_of_words():
    source = SourceRequest(name="refcocog", tasks=(Task.REGION_CAPTION,))
    question = resolve(Recipe(evaluation=True, sources=(source,)))
    check_used(question, ["seed"])
    with pytest.raises(UsageError, match="--max-words changes nothing here: an evaluation cuts"):
        check_used(question, ["max_words"])
