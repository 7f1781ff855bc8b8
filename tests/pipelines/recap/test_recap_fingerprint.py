"""The fingerprint by which a run finds its captions: while it stays, nothing is asked again."""

import pytest

from pipelines.datasets.spec import SourceRequest
from pipelines.recap.deciding import journal_fingerprints
from pipelines.recap.plan import make_recap_plan
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe

ANNOTATIONS = '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "dog"}]}'
# As in version 1 of the records, whose journals are still used.
FINGERPRINT = "b85d02843f160ddca227a9770559442a367c1bf0cad950a66a9caf7a640143b9"


# What a program sent at first where nothing was given.
SENT = Captioning(model="stub", temperature=0.2, top_p=1.0)


@pytest.fixture
def fingerprint(fingerprints):
    """Returns the fingerprint of a run with some settings changed."""
    return lambda **changes: fingerprints(**changes)[0]


@pytest.fixture
def fingerprints(tmp_path):
    """Returns the fingerprints of all journals that a run with some settings changed reads."""
    file, pictures = tmp_path / "annotations.json", tmp_path / "pictures"
    file.write_text(ANNOTATIONS)
    pictures.mkdir()

    def of(**changes):
        paths = {"train": str(file), "images": str(pictures)}
        recipe = RecapRecipe(
            sources=(SourceRequest(name="coco", label_set="Things", paths=paths),),
            captioning=SENT,
            filter=Filter(),
            seed=3,
            limit=5,
        ).model_copy(update=changes)
        plan = make_recap_plan(recipe, str(tmp_path), str(tmp_path / "out"))
        digests = journal_fingerprints(plan)
        assert len(set(digests)) == len(digests)
        return digests

    return of


def test_a_run_that_sends_no_sampling_reads_the_journals_of_one_that_sent_defaults(fingerprints):
    """But not the other way round: its answers were not sampled so."""
    silent = fingerprints(captioning=Captioning(model="stub"))
    assert silent[0] != FINGERPRINT
    assert FINGERPRINT in silent
    assert silent[0] not in fingerprints()


def test_it_is_what_it_was(fingerprint):
    assert fingerprint() == FINGERPRINT


def test_filter_guard_and_builder_decide_no_caption(fingerprint, monkeypatch):
    monkeypatch.setattr("pipelines.plan.BUILDER", "regionforge 99")
    assert fingerprint(filter=Filter(threshold=0.2, scorer="x"), guard=False) == FINGERPRINT


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 4},
        {"limit": 6},
        {"captioning": Captioning(model="stub", temperature=1)},
        {"captioning": Captioning(model="stub", extra_body={"top_k": 2})},
    ],
)
def test_what_decides_captions_changes_it(fingerprint, changes):
    assert fingerprint(**changes) != FINGERPRINT
