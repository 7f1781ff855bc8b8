"""Names of regions in sentences: number, articles, and words that name nothing."""

import pytest

from prompts.relationship.names import Name, is_plural, parse_name


def parsed_name(name: str) -> Name:
    parsed = parse_name(name)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("singular", "several"),
    [
        ("bus", "buses"),
        ("glass", "glasses"),
        ("man", "men"),
        ("child", "children"),
        ("person", "people"),
        ("tooth", "teeth"),
        ("wall and fence tip", "wall and gate"),
        ("tennis court", "tennis courts"),
        ("pair of skates", "skates"),
        ("man's", "mans"),
        ("bikini", "bikinis"),
        ("taxi", "taxis"),
        ("menu", "menus"),
        ("iris", "irises"),
        ("tennis", "zucchinis"),
        ("trellis", "skis"),
        ("cactus", "cacti"),
        ("dress", "dresses"),
        ("canvas", "canvases"),
        ("abdomen", "firemen"),
        ("man on skis", "men on a bus"),
    ],
)
def test_number_of_a_name(singular, several):
    assert not is_plural(singular)
    assert is_plural(several)


@pytest.mark.parametrize(
    ("name", "definite", "indefinite"),
    [
        ("man", "the man", "a man"),
        ("The man", "the man", "a man"),
        ("man.", "the man", "a man"),
        ("their dog", "their dog", "their dog"),
        ("apple", "the apple", "an apple"),
        ("old man", "the old man", "an old man"),
        ("uniform", "the uniform", "a uniform"),
        ("utensil", "the utensil", "a utensil"),
        ("european car", "the european car", "a european car"),
        ("umbrella", "the umbrella", "an umbrella"),
        ("hour glass", "the hour glass", "an hour glass"),
        ("SUV", "the SUV", "an SUV"),
        ("tv", "the tv", "a tv"),
        ("x-ray", "the x-ray", "an x-ray"),
        ("dark hair", "the dark hair", "dark hair"),
        ("white clothing", "the white clothing", "white clothing"),
        ("railing", "the railing", "a railing"),
        ("shoes", "the shoes", "shoes"),
        ("pair of shoes", "the pair of shoes", "a pair of shoes"),
        ("two men", "the two men", "two men"),
        ("sky", "the sky", None),
    ],
)
def test_articles(name, definite, indefinite):
    parsed = parsed_name(name)
    assert (parsed.definite, parsed.indefinite) == (definite, indefinite)


@pytest.mark.parametrize(
    "name",
    [
        *("plugged", "pluged", "walking", "man walking", "an old man drinking", "red", "an older"),
        *("it", "is white", "the sky is blue", "on", "man on bench", "top of", "of a bench"),
        *("several people", "one", "7", "b", "...", "the", ""),
    ],
)
def test_no_names(name):
    assert parse_name(name) is None


@pytest.mark.parametrize(
    ("name", "main"),
    [
        *[("horses", "horse"), ("houses", "house"), ("glasses", "glasses"), ("benches", "bench")],
        *[("women", "woman"), ("leaves", "leaf"), ("puppies", "puppy"), ("buses", "bus")],
        *[("pair of shoes", "pair"), ("brown shorts", "shorts"), ("dresses", "dress")],
        *[("filing cabinet", "cabinet"), ("red bed", "bed"), ("parking meters", "meter")],
    ],
)
def test_main_words(name, main):
    assert parsed_name(name).main == main


def test_living_things():
    persons = {"man", "old women", "fireman", "skier"}
    animals = {"horses", "brown dog"}
    things = {"teddy bear", "hot dog", "snowman", "toy horse", "table"}
    names = {name: parsed_name(name) for name in persons | animals | things}
    assert {name for name, parsed in names.items() if parsed.is_person} == persons
    assert {name for name, parsed in names.items() if parsed.is_animate} == persons | animals
