"""The canary of runs whose requests carry regions: a server that takes no notice ends the run."""

import asyncio

import pytest

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.canary import (
    ProbeAnswers,
    check_servers_see_images,
    find_ignorance,
)
from pipelines.recap.client.probe_images import COLOURS
from schemas.errors import BuildError

GERMAN = dict(zip(COLOURS, ("rot", "gelb", "blau", "schwarz"), strict=True))


def probe_answers(texts):
    """The answers about each quarter, of a server that counts the tokens of pictures."""
    return ProbeAnswers(
        by_colour={
            colour: [Answer(text, "stop", 300) for text in of_colour]
            for colour, of_colour in texts.items()
        },
        noise=Answer("Grey", "stop", 300),
        no_image=Answer("Blue", "stop", 20),
    )


@pytest.mark.parametrize(
    "texts",
    [{c: [c, c] for c in COLOURS}, {c: [GERMAN[c]] * 2 for c in COLOURS}],
    ids=["named", "steady in other words"],
)
def test_a_look_at_regions_is_seen(texts):
    assert find_ignorance(probe_answers(texts)) is None


@pytest.mark.parametrize(
    "texts",
    [
        {c: ["Blue", "Blue"] for c in COLOURS},
        {c: ["Many colours", "A square"] for c in COLOURS},
        {c: ["Red, green, blue and yellow"] * 2 for c in COLOURS},
    ],
    ids=["always the same", "no colour", "all colours"],
)
def test_ignorance_is_seen_though_tokens_show_that_pictures_are(texts):
    trouble = find_ignorance(probe_answers(texts))
    assert trouble is not None
    assert "takes no notice of regions" in trouble
    assert next(iter(texts.values()))[0] in trouble


def check(captioner):
    async def run():
        try:
            await check_servers_see_images(captioner, regions=True)
        finally:
            await captioner.close()

    asyncio.run(run())


def test_a_server_that_looks_at_regions_passes(serve, make_captioner):
    server = serve(takes_regions=True)
    check(make_captioner(server))
    asked = [line for line in server.log() if "regions" in line["parameters"]]
    assert len({str(line["parameters"]["regions"]) for line in asked}) == len(COLOURS)
    assert len({line["pictures"][0] for line in asked}) == 1, "the same picture each time"
    assert {line["prompt"] for line in asked} == {
        "Which colour fills region1? Answer with one word."
    }


def test_a_server_that_ignores_the_field_ends_the_run(serve, make_captioner):
    server = serve()
    with pytest.raises(
        BuildError, match=r"takes no notice of regions.*regionforge serve"
    ) as caught:
        check(make_captioner(serve(takes_regions=True), server))
    assert server.url in str(caught.value)


def test_a_server_that_refuses_the_field_ends_the_run(serve, make_captioner):
    server = serve({"match": "canary/[rgby]", "status": 400})
    with pytest.raises(BuildError, match=r"takes no regions.*whole picture.*400"):
        check(make_captioner(server))


def test_a_server_that_refuses_all_is_told_so(serve, make_captioner):
    with pytest.raises(BuildError, match=r"refuses what the run would send.*400"):
        check(make_captioner(serve({"status": 400})))
