"""The canary: servers that see pass, others end the run, noise or not."""

import asyncio
from typing import Any

import pytest

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.canary import ProbeAnswers, check_servers_see_images, find_blindness
from pipelines.recap.client.probe_images import COLOURS
from schemas.errors import BuildError

SEEN = {colour: [colour, colour] for colour in COLOURS}


def probe_answers(
    texts: dict[str, list[str]],
    tokens: tuple[int | None, int | None, int | None] = (None, None, None),
    no_image: str | None = "Blue",
) -> ProbeAnswers:
    """The answers of a server; tokens: with a square, with noise, without an image."""
    square, noise, none = tokens
    return ProbeAnswers(
        by_colour={
            colour: [Answer(text, "stop", square) for text in of_colour]
            for colour, of_colour in texts.items()
        },
        noise=Answer("Grey", "stop", noise),
        no_image=None if no_image is None else Answer(no_image, "stop", none),
    )


@pytest.mark.parametrize(
    "texts",
    [
        SEEN,
        {c: [f"The picture is {c.upper()}.", f"{c}, all over"] for c in COLOURS},
        {c: [f"<think>Red? Or blue? {n} times.</think>{c}" for n in "12"] for c in COLOURS},
        {"red": ["rot"] * 2, "green": ["grün"] * 2, "blue": ["blau"] * 2, "yellow": ["gelb"] * 2},
        SEEN | {"red": ["crimson", "scarlet"]},
    ],
    ids=["named", "in sentences", "after some thought", "steady in other words", "two unsure"],
)
def test_sight_is_seen(texts) -> None:
    assert find_blindness(probe_answers(texts)) is None
    assert find_blindness(probe_answers(texts, (300, 300, 20))) is None
    assert find_blindness(probe_answers(texts, no_image=None)) is None


@pytest.mark.parametrize(
    "texts",
    [
        {c: ["Blue", "Blue"] for c in COLOURS},
        {c: ["colored", "I see nothing."] for c in COLOURS},
        {c: ["red, green, blue or yellow"] * 2 for c in COLOURS},
        SEEN | {"red": ["blue", "green"], "green": ["red", "blue"]},
        {"red": ["a", "b"], "green": ["c", "d"], "blue": ["e", "f"], "yellow": ["g", "h"]},
    ],
    ids=["always the same", "no colour", "all colours", "half by luck", "no two alike"],
)
def test_blindness_is_seen(texts) -> None:
    trouble = find_blindness(probe_answers(texts))
    assert trouble is not None
    assert "does not see pictures" in trouble
    assert next(iter(texts.values()))[0] in trouble


@pytest.mark.parametrize("tokens", [(20, 20, 20), (900, 40000, 20), (0, 0, 20)], ids=str)
def test_right_answers_overrule_tokens(tokens) -> None:
    assert find_blindness(probe_answers(SEEN, tokens)) is None


UNCLEAR = {c: [f"A plain square, shade {c[0]}{n}." for n in "12"] for c in COLOURS}


def test_tokens_decide_where_answers_do_not() -> None:
    assert find_blindness(probe_answers(UNCLEAR, (300, 300, 20))) is None
    dropped = find_blindness(probe_answers(UNCLEAR, (20, 20, 20)))
    assert dropped is not None
    assert "drops pictures" in dropped
    spelled = find_blindness(probe_answers(UNCLEAR, (900, 40000, 20)))
    assert spelled is not None
    assert "as if it were text" in spelled
    assert find_blindness(probe_answers(UNCLEAR)) is not None


def test_wrong_answers_overrule_good_tokens() -> None:
    wrong = {c: ["Blue", "Blue"] for c in COLOURS}
    trouble = find_blindness(probe_answers(wrong, (300, 300, 20)))
    assert trouble is not None
    assert "does not see pictures" in trouble


@pytest.mark.parametrize(
    "script",
    [{}, {"usage": False}, {"noisy": True}, {"delay": 0.05}, {"capacity": 2}],
    ids=str,
)
def test_a_server_that_sees_passes(serve, make_captioner, script) -> None:
    check(make_captioner(serve(**script), serve(), concurrency=4))


@pytest.mark.parametrize(
    "script",
    [
        {"blind": True},
        {"blind": True, "usage": False},
        {"blind": True, "usage": False, "noisy": True},
        {"spells": True},
        {"spells": True, "noisy": True},
    ],
    ids=str,
)
def test_a_server_that_does_not_ends_the_run(serve, make_captioner, script) -> None:
    server = serve(**script)
    with pytest.raises(BuildError, match="vision-language") as caught:
        check(make_captioner(serve(), server))
    assert server.url in str(caught.value)


def test_one_that_takes_no_pictures_ends_the_run(serve, make_captioner) -> None:
    server = serve({"match": "canary/[rgby]", "status": 400})
    with pytest.raises(BuildError, match=r"takes no pictures.*400"):
        check(make_captioner(server))


def test_one_that_takes_nothing_is_not_said_to_take_no_pictures(serve, make_captioner) -> None:
    with pytest.raises(BuildError, match=r"refuses what the run would send.*400") as caught:
        check(make_captioner(serve({"status": 400})))
    assert "pictures" not in str(caught.value)


def test_one_that_takes_nothing_but_pictures_passes(serve, make_captioner) -> None:
    check(make_captioner(serve({"match": "canary/nothing", "status": 400})))


def check(captioner: Any) -> None:
    async def run() -> None:
        try:
            await check_servers_see_images(captioner)
        finally:
            await captioner.close()

    asyncio.run(run())
