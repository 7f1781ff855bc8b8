"""How captions are asked for: what provenance names of it."""

from pipelines.recipes.recap import Captioning


def test_a_model_goes_into_provenance_with_its_sampling() -> None:
    captioning = Captioning(model="stub", temperature=0.5)
    assert captioning.captioner_model == "stub"
    assert captioning.sampling == {"temperature": 0.5}
    more = Captioning(model="stub", top_p=0.9, seed_requests=True, extra_body={"top_k": 20})
    assert more.sampling == {"top_p": 0.9, "seed": "by request id", "extra_body": {"top_k": 20}}


def test_what_is_not_given_is_not_stated() -> None:
    assert Captioning(model="stub").sampling == {}
    assert "extra_body" not in Captioning(model="stub").model_dump()
    assert Captioning(model="stub", extra_body={"top_k": 2}).model_dump()["extra_body"]


def test_the_built_in_captioner_names_itself_and_samples_nothing() -> None:
    captioning = Captioning(captioner="builtin", model="named for nothing")
    assert (captioning.captioner_model, captioning.sampling) == ("regionforge-builtin-1", {})
    assert "captioner_model" not in captioning.model_dump(), "the recipe on disk stays as it was"
