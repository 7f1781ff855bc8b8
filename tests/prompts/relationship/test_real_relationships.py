"""The relationships of real files, each with its sentence, which was read and judged by hand.

Length: the table of all real relationships of the samples, as one is easily read through.
"""

import json

import pytest

from prompts.relationship.sentence import relationship_sentence

SENTENCES = """\
air conditioner | on | wall
    The air conditioner is on the wall.
bag | on | desk
    The bag is on the desk.
bike | next to | car
    The bike is next to the car.
bike | on | sidewalk
    The bike is on the sidewalk.
bike | parked on | sidewalk
    The bike is parked on the sidewalk.
bikes | behind | man
    The bikes are behind the man.
bikes | near | tree
    The bikes are near the tree.
books | on | shelf
    The books are on the shelf.
books | on | shelves
    The books are on the shelves.
books | on | wall
    The books are on the wall.
building | has | window
    The building has a window.
building | with | windows
    The building has windows.
cable | on | floor
    The cable is on the floor.
cables | on | floor
    The cables are on the floor.
calendar | on | wall
    The calendar is on the wall.
car | has | headlight
    The car has a headlight.
car | parked on | road
    The car is parked on the road.
car | parked on | street
    The car is parked on the street.
carpet | on | floor
    The carpet is on the floor.
chair | against | wall
    The chair is against the wall.
chair | by the | table top
    The chair is by the table top.
chair | by | table top
    The chair is by the table top.
chair | has | padding
    The chair has padding.
chair | near | desk
    The chair is near the desk.
chair | next to | table
    The chair is next to the table.
clothes | on | chair
    The clothes are on the chair.
computer monitor | on | desk
    The computer monitor is on the desk.
computer tower | under | desk
    The computer tower is under the desk.
computer tower | under | desktop
    The computer tower is under the desktop.
computer | on | floor
    The computer is on the floor.
computer | on | wall
    The computer is on the wall.
cork-board | against | wall
    The cork-board is against the wall.
cpu | on | floor
    The cpu is on the floor.
cpu | under | desk
    The cpu is under the desk.
cpu | under | desktop
    The cpu is under the desktop.
crosswalk | in front of | man
    The crosswalk is in front of the man.
crosswalk | on | road
    The crosswalk is on the road.
doll | has | cloths
    The doll has cloths.
door | to | patio
    The door leads to the patio.
drawer | has | handle
    The drawer has a handle.
fax machine | on | desk
    The fax machine is on the desk.
filing cabinet | has | drawer
    The filing cabinet has a drawer.
filing cabinet | has | handle
    The filing cabinet has a handle.
filing cabinet | next to | desk
    The filing cabinet is next to the desk.
futon | has | frame
    The futon has a frame.
girl | has | hair
    The girl has hair.
girl | in front of | computer
    The girl is in front of the computer.
girl | in front of | monitor
    The girl is in front of the monitor.
girl | wearing | chain
    The girl is wearing a chain.
girl | wearing | necklace
    The girl is wearing a necklace.
girl | wears | chain
    The girl is wearing a chain.
guy | holding | chin
    The guy is holding his chin.
heater | on | floor
    The heater is on the floor.
keyboard | in front of | monitor
    The keyboard is in front of the monitor.
keyboard | on | desk
    The keyboard is on the desk.
keyboard | with | grey keys
    The keyboard has grey keys.
lamp post | along | road
    The lamp post is beside the road.
lamp post | along | street
    The lamp post is beside the street.
lamp | behind the | couch
    The lamp is behind the couch.
lamp | behind | couch
    The lamp is behind the couch.
lamp | on the | floor
    The lamp is on the floor.
lamp | on | floor
    The lamp is on the floor.
man | at | crosswalk
    The man is at the crosswalk.
man | carries | backpack
    The man is carrying a backpack.
man | has | glasses
    The man has glasses.
man | has | jacket
    The man has a jacket.
man | has | pants
    The man is wearing pants.
man | has | shirt
    The man is wearing a shirt.
man | has | shoes
    The man is wearing shoes.
man | holding | chin
    The man is holding his chin.
man | in | shirt
    The man is wearing a shirt.
man | wearing | glasses
    The man is wearing glasses.
man | wearing | jacket
    The man is wearing a jacket.
man | wearing | pants
    The man is wearing pants.
man | wearing | shirt
    The man is wearing a shirt.
man | wearing | shoes
    The man is wearing shoes.
man | wears | backpack
    The man is wearing a backpack.
man | wears | pants
    The man is wearing pants.
man | wears | shoes
    The man is wearing shoes.
man | wears | sneakers
    The man is wearing sneakers.
mouse | next to | keyboard
    The mouse is next to the keyboard.
multiple outlet | has | plug
    The multiple outlet has a plug.
multiple outlet | next to | monitor
    The multiple outlet is next to the monitor.
office phone | on | desk
    The office phone is on the desk.
outlet | on | wall
    The outlet is on the wall.
paper | on | cork-board
    The paper is on the cork-board.
parking meter | behind | man
    The parking meter is behind the man.
parking meter | on top of | street
    The parking meter is on the street.
parking meter | on | sidewalk
    The parking meter is on the sidewalk.
partition | between | cubicles
    The partition is between the cubicles.
pen | next to | phone
    The pen is next to the phone.
pen | next to | telephone
    The pen is next to the telephone.
pen | on | desk
    The pen is on the desk.
photos | on | wall
    The photos are on the wall.
picture | on | dividing screen
    The picture is on the dividing screen.
picture | on | wall
    The picture is on the wall.
pillow | on the | couch
    The pillow is on the couch.
pillow | on | couch
    The pillow is on the couch.
plug | on | wall
    The plug is on the wall.
printer | near | computer monitor
    The printer is near the computer monitor.
railing | on | balcony
    The railing is on the balcony.
railing | outside | window
    The railing is outside the window.
room | with | computer
    The room has a computer.
shade | on | sidewalk
    The shade is on the sidewalk.
shade | on | street
    The shade is on the street.
shelves | on | wall
    The shelves are on the wall.
shirt | on | man
    The shirt is on the man.
sidewalk | next to | street
    The sidewalk is next to the street.
sign | next to | road
    The sign is next to the road.
sign | on | building
    The sign is on the building.
table top | near | window
    The table top is near the window.
teddy bear | against | pillow
    The teddy bear is against the pillow.
teddy bear | on the | couch
    The teddy bear is on the couch.
teddy bear | on | couch
    The teddy bear is on the couch.
telephone | on | desk
    The telephone is on the desk.
telephone | on | table
    The telephone is on the table.
tree trunk | on | sidewalk
    The tree trunk is on the sidewalk.
tree | along | road
    The tree is beside the road.
tree | next to | road
    The tree is next to the road.
tree | next to | street
    The tree is next to the street.
trees | by | sidewalk
    The trees are by the sidewalk.
van | parked on | street
    The van is parked on the street.
walk sign | says | "walk"
    The walk sign says "walk".
wall | has | outlets
    The wall has outlets.
wireless phone | docked in | office phone base
    The wireless phone is docked in the office phone base.
wireless phone | docked in | telephone
    The wireless phone is docked in the telephone.
woman | has | dark hair
    The woman has dark hair.
woman | has | hair
    The woman has hair.
woman | has | white top
    The woman is wearing a white top.
woman | sitting at | desk
    The woman is sitting at the desk.
woman | wear | white top
    The woman is wearing a white top.
woman | wearing | white top
    The woman is wearing a white top.
woman | with | black hair
    The woman has black hair.
woman | with | dark hair
    The woman has dark hair.
woman | with | hair
    The woman has hair.
woman | with | white t-shirt
    The woman is wearing a white t-shirt.
woman | working on | computer
    The woman is working on the computer.
work truck | parked on | street
    The work truck is parked on the street.
"""
LINES = SENTENCES.splitlines()
WITHOUT_A_SENTENCE = """\
animal | against | pillow
books | on | books
cables | are fully | plugged
cables | have been | pluged
calendar | has been | calendar
car | has | back
chair | agaist | wall
chair | before | desk
chairs | before | desk
curtains | have | curtains
filing cabinet | has | filing cabinet
keyboard | with | keyboard
monitor | not | monitor
pluged | has | outlet
pluged | has | plug
pluged | next to | monitor
railing | on | railing
table top | on the | table
table top | on | table
walk sign | says | walk sign
"""


def triple(line: str) -> tuple[str, str, str]:
    subject, predicate, object_ = line.split(" | ")
    return subject, predicate, object_


@pytest.mark.parametrize(("relationship", "sentence"), [*zip(LINES[::2], LINES[1::2], strict=True)])
def test_real_sentences(relationship, sentence):
    assert relationship_sentence(*triple(relationship)) == sentence.strip()


@pytest.mark.parametrize("line", WITHOUT_A_SENTENCE.splitlines())
def test_real_relationships_that_make_none(line):
    assert relationship_sentence(*triple(line)) is None


def test_the_table_holds_all_real_relationships(samples):
    """All of three versions; at least 85 % of the distinct ones make a sentence."""
    stated = set()
    for version in ("v1.0", "v1.2", "v1.4"):
        path = samples / "visual_genome" / version / "relationships.json"
        for image in json.loads(path.read_text()):
            for item in image["relationships"]:
                ends = [item[end] for end in ("subject", "object")]
                names = [end["name"] if "name" in end else end["names"][0] for end in ends]
                words = (names[0], item["predicate"], names[1])
                stated.add(tuple(" ".join(text.lower().split()) for text in words))
    made = set(map(triple, LINES[::2]))
    assert made | {triple(line) for line in WITHOUT_A_SENTENCE.splitlines()} == stated
    assert len(made) >= 0.85 * len(stated)
