"""Sentences from relationships: each kind of predicate, and those that make none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.relationship.names import is_plural, parse_name
from prompts.relationship.predicates import plain_predicate
from prompts.relationship.sentence import relationship_sentence

# The fifty predicates that scene graphs of Visual Genome are trained on, each as it should read.
COMMON = {
    "above": "The kite is above the tree.",
    "across": "The kite is across the tree.",
    "against": "The kite is against the tree.",
    "along": "The kite is along the tree.",
    "and": None,
    "at": "The kite is at the tree.",
    "attached to": "The kite is attached to the tree.",
    "behind": "The kite is behind the tree.",
    "belonging to": "The kite belongs to the tree.",
    "between": None,
    "carrying": "The kite is carrying the tree.",
    "covered in": "The kite is covered in the tree.",
    "covering": "The kite is covering the tree.",
    "eating": "The kite is eating the tree.",
    "flying in": "The kite is flying in the tree.",
    "for": "This is the kite for the tree.",
    "from": "This is the kite from the tree.",
    "growing on": "The kite is growing on the tree.",
    "hanging from": "The kite is hanging from the tree.",
    "has": "The kite has the tree.",
    "holding": "The kite is holding the tree.",
    "in": "The kite is in the tree.",
    "in front of": "The kite is in front of the tree.",
    "laying on": "The kite is laying on the tree.",
    "looking at": "The kite is looking at the tree.",
    "lying on": "The kite is lying on the tree.",
    "made of": "The kite is made of tree.",
    "mounted on": "The kite is mounted on the tree.",
    "near": "The kite is near the tree.",
    "of": "This is the kite of the tree.",
    "on": "The kite is on the tree.",
    "on back of": "The kite is on the back of the tree.",
    "over": "The kite is over the tree.",
    "painted on": "The kite is painted on the tree.",
    "parked on": "The kite is parked on the tree.",
    "part of": "The kite is part of the tree.",
    "playing": "The kite is playing the tree.",
    "riding": "The kite is riding the tree.",
    "says": 'The kite says "tree".',
    "sitting on": "The kite is sitting on the tree.",
    "standing on": "The kite is standing on the tree.",
    "to": "This is the kite to the tree.",
    "under": "The kite is under the tree.",
    "using": "The kite is using the tree.",
    "walking in": "The kite is walking in the tree.",
    "walking on": "The kite is walking on the tree.",
    "watching": "The kite is watching the tree.",
    "wearing": "The kite is wearing the tree.",
    "wears": "The kite wears the tree.",
    "with": "This is the kite with the tree.",
}


@pytest.mark.parametrize("predicate", COMMON)
def test_common_predicates(predicate):
    assert relationship_sentence("kite", predicate, "tree") == COMMON[predicate]


@pytest.mark.parametrize(
    ("subject", "predicate", "object_", "sentence"),
    [
        ("man", "riding a", "horse", "The man is riding the horse."),
        ("man", "ON", "horse", "The man is on the horse."),
        ("man", " On  the ", "horse", "The man is on the horse."),
        ("men", "are standing next to", "bus", "The men are standing next to the bus."),
        ("man", "are standing next to", "bus", "The man is standing next to the bus."),
        ("dogs", "is on", "bed", "The dogs are on the bed."),
        ("lamp", "to the left of", "bed", "The lamp is to the left of the bed."),
        ("lamp", "to left of", "bed", "The lamp is to the left of the bed."),
        ("lamp", "left of", "bed", "The lamp is to the left of the bed."),
        ("sign", "top of", "pole", "The sign is at the top of the pole."),
        ("sign", "on top of", "pole", "The sign is on top of the pole."),
        ("woman", "wear", "hat", "The woman wears the hat."),
        ("women", "wears", "hats", "The women wear the hats."),
        ("snow", "covers", "roof", "The snow covers the roof."),
        ("women", "has", "hats", "The women have the hats."),
        ("boy", "carry", "bag", "The boy carries the bag."),
        ("boy", "catch", "ball", "The boy catches the ball."),
        ("boy", "have", "ball", "The boy has the ball."),
        ("cup", "sits on", "table", "The cup sits on the table."),
        ("cups", "sits on top of", "table", "The cups sit on top of the table."),
        ("horse", "tied to", "post", "The horse is tied to the post."),
        ("vase", "made of", "glass", "The vase is made of glass."),
        ("a man", "in", "the boat", "The man is in the boat."),
        ("his hat", "on", "table", "His hat is on the table."),
        ("man", "near", "man", "The man is near the other man."),
        ("men", "near", "men", "The men are near the other men."),
        ("windows", "of", "house", "These are the windows of the house."),
        ("sign", "between", "cars", "The sign is between the cars."),
        ("sign", "says", '"stop"', 'The sign says "stop".'),
        ("wall", "partially behind", "car", "The wall is partially behind the car."),
        ("car", "not on", "road", "The car is not on the road."),
        ("car", "has been parked on", "road", "The car is parked on the road."),
        ("circle", "larger than", "square", "The circle is larger than the square."),
        ("pair of shoes", "on", "floor", "The pair of shoes is on the floor."),
        ("slices of pizza", "on", "plate", "The slices of pizza are on the plate."),
        ("skis", "on", "snow", "The skis are on the snow."),
        ("sign", "saying", "stop", 'The sign is saying "stop".'),
        ("man", "is having", "hat", "The man has the hat."),
        ("men", "are being towed by", "boat", "The men are being towed by the boat."),
        ("dog", "getting on", "bus", "The dog is getting on the bus."),
        ("dog", "getting pressed by", "cat", "The dog is getting pressed by the cat."),
        ("boy", "doing a trick on", "board", "The boy is doing a trick on the board."),
        ("boys", "riding bikes in", "park", "The boys are riding bikes in the park."),
        ("boy", "hanging down side of", "wall", "The boy is hanging down the side of the wall."),
        ("boy", "has on", "hat", "The boy has on the hat."),
        ("boy", "holding on to", "rope", "The boy is holding on to the rope."),
        ("boy", "in a chair next to", "bed", "The boy is in a chair next to the bed."),
        ("boy", "walking away from", "bed", "The boy is walking away from the bed."),
        ("sign", "high up on", "wall", "The sign is high up on the wall."),
        ("sign", "on both sides of", "road", "The sign is on both sides of the road."),
        ("sign", "parked left of", "road", "The sign is parked to the left of the road."),
    ],
)
def test_sentences(subject, predicate, object_, sentence):
    assert relationship_sentence(subject, predicate, object_) == sentence


@pytest.mark.parametrize(
    ("predicate", "clause"),
    [
        ("cast by", "is cast by"),
        ("hit by", "is hit by"),
        ("read by", "is read by"),
        ("ridden by", "is ridden by"),
        ("spread on", "is spread on"),
        ("are cut into", "is cut into"),
        ("being put on", "is being put on"),
        ("hits", "hits"),
        ("hit", "hits"),
        ("stand by", "stands by"),
        ("passes by", "passes by"),
        ("flying by", "is flying by"),
        ("leaned against", "is leaned against"),
    ],
)
def test_who_does_it_stays(predicate, clause):
    assert relationship_sentence("ball", predicate, "man") == f"The ball {clause} the man."


@pytest.mark.parametrize(
    "predicate",
    [
        *("hold by", "is hold by", "is hold", "wears by", "carry by", "eat by", "ride by"),
        *("put on", "put in", "hit with", "cut into", "read on", "walked by", "jumped over"),
        *("read", "reads"),
    ],
)
def test_predicates_that_can_mean_the_reverse(predicate):
    assert relationship_sentence("ball", predicate, "man") is None


@pytest.mark.parametrize("verb", ["", "standing ", "parked ", "sits ", "are parked "])
def test_in_back_of_is_behind_and_in_the_back_of_inside(verb):
    shown = {"": "is ", "sits ": "sits ", "are parked ": "is parked "}.get(verb, f"is {verb}")
    for place in ("in back of", "in the back of", "in front of", "in the front of"):
        sentence = relationship_sentence("man", f"{verb}{place}", "truck")
        assert sentence == f"The man {shown}{place} the truck."
    assert relationship_sentence("man", f"{verb}on back of", "truck") == (
        f"The man {shown}on the back of the truck."
    )


@pytest.mark.parametrize(
    "predicate",
    [
        *("is", "are", "was", "is a", "is not", "is being", "being on"),  # nothing is said
        *("about to", "trying to", "getting ready to", "to hold onto", "is used to hike up"),
        *("standing up", "sitting down", "lined up", "held up", "looks"),  # nothing can follow
        *("blooming", "shining", "landed on"),
        *("on with", "in in", "sitting at on", "up of", "besides", "out", "waiting for their at"),
        *("in floor next to", "driving down road on", "doing trick on", "in side of"),
        *("swimming pool in", "broken phone in", "left hand of", "full pizza in", "brush in"),
        *("coming of", "covered of", "visible of", "full on", "wearing on", "cover with"),
        *(
            "building in",
            "lightning in",
            "reached for",
            "shed near",
            "taking the of",
            "to a bar on",
        ),
        *("family in", "other than", "both eating", "has in", " ".join(["up"] * 2_000)),
        *("agaist", "not", "are fully", "has been", "have been", "man in", "and", "standing"),
        *("parked", "holding a glass and", "face of", "that", "being", "as", "the", "...", "top"),
        *("a red", "has is on", "has his a dog on"),
    ],
)
def test_predicates_that_make_no_sentence(predicate):
    assert relationship_sentence("man", predicate, "horse") is None


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


def test_definite_names():
    names = ["man", "a man", "The man", "their dog", "an", '"walk"', "man."]
    shown = ["the man", "the man", "the man", "their dog", "the an", 'the "walk"', "the man"]
    assert [definite(name) for name in names] == shown


def test_plain_predicates():
    assert plain_predicate(" Sitting\n ON the ") == "sitting on"
    assert plain_predicate("the a") == "the"


STARTS = re.compile(r"(The|This is the|These are the) .+[^ ]\.")
REPEATED_VERB = re.compile(r"\b(is|are|has|have) (is|are|was|were|be|has|have)\b")


def well_formed(sentence: str) -> bool:
    return bool(
        STARTS.match(sentence)
        and not REPEATED_VERB.search(sentence)
        and not re.search(r"\b(a|an|the) (a|an|the)\b", sentence)
        and sentence == " ".join(sentence.split())
    )


def test_predicates_of_real_files(samples):
    """All members of the owner's list of predicates: what comes out is a sentence, and most do."""
    lines = (samples / "visual_genome" / "alias" / "predicate_alias.txt").read_text().splitlines()
    predicates = {name.strip() for line in lines for name in line.split(",")}
    sentences = {name: relationship_sentence("tower", name, "rivers") for name in predicates}
    made = [sentence for sentence in sentences.values() if sentence]
    assert len(made) > len(predicates) // 2
    assert [sentence for sentence in made if not well_formed(sentence)] == []


WORDS = (
    "is are has been being not on in at up of to by the a her back side left next tall taller than "
    "man road bikes hold holds holding cast cut put read ride riding parked worn stand standing"
)


@given(st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=8).map(" ".join))
def test_any_words_make_a_sentence_or_none(predicate):
    sentence = relationship_sentence("tower", predicate, "rivers")
    assert sentence is None or well_formed(sentence)


@given(st.text(min_size=1), st.text(), st.text(min_size=1))
def test_any_text_is_answered(subject, predicate, object_):
    assert relationship_sentence(subject, predicate, object_) != ""
