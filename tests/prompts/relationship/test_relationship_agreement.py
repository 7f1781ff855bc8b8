"""Clauses that fit neither their subject nor their object, and words that lead to none."""

import pytest

from prompts.relationship.sentence import relationship_sentence


@pytest.mark.parametrize(
    ("subject", "predicate", "object_", "sentence"),
    [
        ("tree", "along", "road", "The tree is beside the road."),
        ("meter", "on top of", "street", "The meter is on the street."),
        ("sign", "in the inside of", "bus", "The sign is inside the bus."),
        ("sign", "sitting in inside of", "bus", "The sign is sitting inside the bus."),
        ("sign", "in a hands of", "man", "The sign is in the hands of the man."),
        ("sign", "on a side of", "bus", "The sign is on the side of the bus."),
        ("sign", "in the edge of", "bus", "The sign is on the edge of the bus."),
        ("sign", "in bottom of", "bus", "The sign is at the bottom of the bus."),
        ("sign", "on the center of", "bus", "The sign is in the center of the bus."),
        ("sign", "on a post next to", "bus", "The sign is on a post next to the bus."),
        ("sign", "in the shape of", "bus", "The sign is in the shape of a bus."),
        ("sign", "shaped as", "bus", "The sign is shaped as a bus."),
        ("man", "posing as", "chef", "The man is posing as a chef."),
        ("man", "running on to", "field", "The man is running onto the field."),
        ("man", "holding on to", "rope", "The man is holding on to the rope."),
        ("branch", "broken by", "wind", "The branch is broken by the wind."),
        ("lamp", "lit by", "sun", "The lamp is lit by the sun."),
        ("chair", "against", "wall", "The chair is against the wall."),
        ("man", "leaning against", "wall", "The man is leaning against the wall."),
        ("picture", "taken in", "park", "The picture is taken in the park."),
        ("men", "gathered around", "table", "The men are gathered around the table."),
        ("crowd", "gathered around", "table", "The crowd is gathered around the table."),
        ("snow", "scattered on", "road", "The snow is scattered on the road."),
        ("books", "stacked together on", "desk", "The books are stacked together on the desk."),
        ("cable", "lying along", "wall", "The cable is lying along the wall."),
        (
            "woman",
            "sitting with her back to",
            "wall",
            "The woman is sitting with her back to the wall.",
        ),
        ("tray", "filled with", "food", "The tray is filled with food."),
        ("tray", "lined with", "papers", "The tray is lined with papers."),
        ("man", "is not wearing", "hat", "The man is not wearing a hat."),
        ("snow", "partially covering", "roof", "The snow is partially covering the roof."),
        ("bag", "held together with", "rope", "The bag is held together with a rope."),
        ("man", "taking part in", "race", "The man is taking part in the race."),
        ("sign", "has an image of", "bus", "The sign has an image of the bus."),
        ("cake", "made with", "apples", "The cake is made with apples."),
        ("knife", "used for", "food", "The knife is used for the food."),
        ("lamp", "lit up by", "sun", "The lamp is lit up by the sun."),
        ("snow", "on each side of", "road", "The snow is on each side of the road."),
        ("trees", "along sides of", "road", "The trees are along the sides of the road."),
        ("man", "dressed up in", "costume", "The man is dressed up in a costume."),
        ("dough", "formed into", "ball", "The dough is formed into a ball."),
        ("man", "taking pictures of", "bus", "The man is taking pictures of the bus."),
        ("table lamp", "on", "table", "The table lamp is on the table."),
        ("table top", "near", "window", "The table top is near the window."),
    ],
)
def test_clauses_that_fit(subject, predicate, object_, sentence):
    assert relationship_sentence(subject, predicate, object_) == sentence


@pytest.mark.parametrize(
    ("subject", "predicate", "object_"),
    [
        ("table top", "on", "table"),  # a part named by its whole
        ("table", "has a", "table top"),
        ("tree branch", "hanging from", "tree"),
        ("animal", "against", "pillow"),  # as if it minded the pillow
        ("man", "up against", "wall"),
        ("meat", "prepared as", "meal"),
        ("branch", "broken near", "tree"),
        ("candle", "lit in", "room"),
        ("note", "attached by", "board"),
        ("sign", "made like", "bus"),
        ("man", "leading in", "horse"),
        ("man", "hanging around", "horse"),
        ("man", "sitting for", "horse"),
        ("sign", "in place of", "bus"),
        ("sign", "on the otherside of", "bus"),
        ("sign", "has a image of", "bus"),
        ("sign", "down on", "wall"),
        ("vine", "up the side of", "house"),
        ("man", "gathered around", "table"),  # alone
        ("man", "scattered on", "beach"),
        ("book", "together on", "desk"),
        ("towel", "lying along", "wall"),
        ("man", "sitting with her back to", "wall"),
        ("woman", "standing with his back to", "wall"),
        ("man", "near their dog and", "bus"),
        ("man", "taken in", "park"),
        ("tray", "filled with", "apple"),
        ("tray", "full of", "cookie"),
        ("sign", "on both sides of", "road"),
        ("sign", "on each side of", "road"),
        ("sign", "along sides of", "road"),
        ("man", "dressed up on", "street"),
        ("sign", "staked on", "road"),
        ("cake", "garnished in", "cream"),
        ("man", "dressed with", "hat"),
        ("milk", "mixed in", "bowl"),
        ("man", "turning pages of", "book"),
        ("tray", "filled in", "cookie"),
        ("cake", "made with", "apple"),
        ("man", "not wearing", "horse"),
        ("man", "has part of", "bus"),
        ("table", "has legs on", "floor"),
        ("suitcase", "inspected for", "flight"),
        ("lamp", "lit up on", "wall"),
        ("man", "in a shirt looking at", "bus"),
        ("sign", "mounted with", "pole"),
        ("car", "passing on", "road"),
        ("bucket", "lowered on", "ground"),
    ],
)
def test_clauses_that_do_not_fit(subject, predicate, object_):
    assert relationship_sentence(subject, predicate, object_) is None
