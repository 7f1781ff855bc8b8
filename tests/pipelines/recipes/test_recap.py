"""How captions are asked for: what provenance names of it."""

from pipelines.recipes.recap import Captioning


def test_a_model_goes_into_provenance_with_its_sampling() -> None:
    captioning = Captioning(model="stub", temperature=0.5)
    assert captioning.captioner_model == "stub"
    assert captioning.sampling == {"temperature": 0.5, "top_p": 1.0}
    assert Captioning(model="stub", seed_requests=True).sampling == {
        "temperature": 0.2,
        "top_p": 1.0,
        "seed": "by request id",
    }


def test_the_built_in_captioner_names_itself_and_samples_nothing() -> None:
    captioning = Captioning(captioner="builtin", model="named for nothing")
    assert (captioning.captioner_model, captioning.sampling) == ("regionforge-builtin-1", {})
    assert "captioner_model" not in captioning.model_dump(), "the recipe on disk stays as it was"
