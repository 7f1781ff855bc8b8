"""The form of answers, on 254 owners' texts that were judged by hand, and on each rule.

The texts are a random sample of the region descriptions of Visual Genome, RefCOCO, RefCOCO+ and
RefCOCOg, and of Flickr30K's phrases. Length: the judged texts, one a line.
"""

import pytest

from prompts.answer_form import AnswerForm, answer_form

CLAUSES = """\
brown shoes are worn by the man
it is a white van
window is clean and clear
seats are slim and blue
road has white lines
KEYBOARD IS WHITE IN COLOUR
the man is wearing black
woman is wearing a white top
the chair is brown in color
shade is along the street
a shadow is cast on the road
green pole is in the photo
lamp stand is at the coner
it is an orange tshirt
Computer screen is turned off
there is a computer that is on
the shoes are grey
a traffic sign says walk
black phone is on the table
Desk is cluttered
floor is well kept
a black cloth is on a chair
carpet has been dusted
bike is parked behind the poll
window of the building is open
bikes have been parked near the road
computer monitor is switched off
the carpet is clean
table is made of glass
a black telephone is on the table
woman is wearing a chain
man has raised his arm
air conditioner is on the wall
Papers are tacked on a board
there is a picture on the left side of the photo
doll is facing the camera
red car has white no.plate
the curpet is purple
the couch is mainly purple in color
lady is wearing a chain
keyboard on the desk is white
a pen is lying on the desk
there are two chairs infront of the desk
the woman is staring at the computer
a baby looks at an elephant
a giants pitcher strides forward to deliver the cocked - and - ready pitch from behind his head
a young man sits on a bench with his arm around a smiling girl
there is a grey colored sofa chair in front of three people
trombone slide is pointing to the correct banana
"""

SENTENCES = """\
A computer desk is cluttered
A chair is wooden
The man is casting a shadow.
There is a sign on the pole
"""

PHRASES = """\
Two men talking to each other
Green leafy trees
a brown building opposite were the men are standing
A mini-split air conditioning system
Blue curtains with patters
Power strip on the wall
guy holding hand to his chin
a white brick wall
street lamp on the sidewalk
red car parked on road
Bulletin board against a wall
A purple futon with a wooden frame
a sign saying walk
Cars parked on side of the street
a man's red shirt
books on a bookshelf
cordless phone sitting in its base
brick sidewalk
Papers tacked to a board
A man in a red long-sleeved shirt
a wooden chair with a fabric seat
A white plastic bag
electrical outlets in the wall
Teddy Bear sitting on futon
Wall heating unit high on wall
clean, tan work surface
white air conditioning unit
White pillow on a sofa
red car parked on the street
Person with hair in a ponytail
street light on wooden pole
A white car parked on the street.
a pedestrian crossing next to the man
tall green metal clock on a post
a brown wooden cabinet
Brown teddy bear in front of a pillow
Overhead light with yellow light
A bicycle lane
green clock
torch style floor lamp
A white computer mouse
a black stand at the back
Papers on a street post
white brick building with black sign
A clock face on a pole
Blue book on wall bookshelf
Man standing on a sidewalk
Construction truck parked by curb
brick wall of a building
Clock on a pole
empty flower box on the porch
A stuffed teddy bear on a sofa.
A man in a red shirt
three trees along street
a man in a white shirt and a black helmet flashing a peace sign
bed close to window with dark red sheets
a man holding beer bottle and sitting in sofa
smaller gray elephant in sunlight
a wooden plank table with plates of food on it
a laptop that the man is using
man with glasses pouring a bottle of wine
a guy with adidas sockjs
a smaller dog with eyes open
a white computer monitor that is in use
a red plane flying behind 2 white planes
a tan wicker chair , in between two other chairs
a group of vegetables on skewers on a table
an old row boat with ' marleni - iv ' written on it
a man holding a striped umbrella
the woman on the left
middle zebra
a man in blue riding a motorcycle
a giraffee with the old giraffee in the farm
the boat with says marleni - n on it
the horse on the right
a person in black on a court
a plaided chair with a white object on the back of it
baseball player with glove
polar bear on right
a green stuffed animal on top of a baby
an elephant used for transport
horse getting ready to get behind the truck to travel long distance
an empty chair at a desk
a man leaning down
a bald man with a towel draped over his shoulder
a yellow boat with rx60 on it
a coca - cola glass sitting on a table half filled with an orange drink
man with black shorts
long airplane with a blue strip down the side parked first in a sequence of planes
a young man dressed in a texido holding some clothing standing in a parking lot with another man
part of the back of a shinny grey car
the chair with the stuffed animal owl sitting in it
a half of a sandwich that has a piece of mushroom hanging out of the end
a cut piece of bananaplaced on the left corner of the apple
white plane in the front
the edge of a blue umbrella
a skier with a blue shirt , black pants , black and white skies , black helmet
a bed in a large room near a chair
the screen on the back of the seat that says spoil yourself
a dell monitor running a multimedia suite
the truck parked inthe middle
cyan blue motorcycle
a black and purple piece of luggage outside of a train
a person in dark clothing holding an umbrella in the background
a yellow surfboard with swell written on it
an arm with dark blue sleeves
a hand holding a cellphone
a baby elephant walking with a long piece of grass in mouth
a boy standing on a skateboard
purple container with purple flowers , green leaves and sliced almonds
woman in blue shirt sitting on couch
green vegetable by brown food
the black bag next to the lighter cat
a buffet table behind the wedding cake
a man in air throwing frisbee weraing a light yellow tea shirt
man in a car talking on a cellphone
pepperoni pizza on wooden slab
orange behind the bannana
a woman in a green t - shirt holding a white frisbee
a baby sheep walking amongst the grass
the centre parson eating banana warring yellow t - shirt
a gray car parked by a yellow school bus
woman in blue shirt
the large ship
blond soccer player in red uniform
a train numbered 332010
a row of glasses with a womens hand
an apple beneath a banana
the bottom right tray with a salad in it
white shirt dude in middle
guy changing tire
homeless guy with red hat
couch on right
pink pillow
big sheep
guy in the air with white shirt and black shorts and hat
boy in red shirt on phone on the right
blue shirt blue hat bottom center
sliver car on the right
the umpire in white wearing black mask
guy with gray sweater
baby left
stand back right
bottom part of the chair on the right
lower left
empty can
middle donut
bro farthest left
giraffe on the far right
taller girraff
second sink from the left
adukt
boy with top of white bat on chest
right hot dog meat
guy taking a picture
guy in white shirt
man with crossed arms
brocoli on the left
baby elephant in between bigger ones
kid with bat
the lady in black seated
light brown hair under black phone
skier in green
silver mixing bowl
man with vaio laptop
zebra hindquarters whose head is cut out of photo
monk partially showing
brown vase in focus
woman wearing hat
man in bright blue shirt
player swinging bat
dark bear
white dotted umbrella
lady with hand on her behind
woman in back
dark uniform
player with white shorts sitting
person holding tray
elephant behind bush
cup with a spoon
man in blue shirt lookin at you
bird in full view
green bottle tan lid
rider with yellow shirt
skater in yellow
hat woman
zebra whos side is facing us
number 2 elephant
the stadium
a white hat
him
The players of the baseball team
woman
Mariachi dancers
Four men
a crowd
trash
A girl
drinks
other goods
A table full of pictures
the background
The group of people
"""

# Judged otherwise: a slip of the owner's, and a verb that no list has.
MISSED = (
    "the boat with says marleni - n on it",
    "a giants pitcher strides forward to deliver the cocked - and - ready pitch from behind his "
    "head",
)


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (PHRASES, AnswerForm.PHRASE),
        (CLAUSES, AnswerForm.CLAUSE),
        (SENTENCES, AnswerForm.SENTENCE),
    ],
)
def test_real_texts_have_the_form_that_was_judged_by_hand(texts, form):
    otherwise = [text for text in texts.splitlines() if answer_form(text) != form]
    assert [text for text in otherwise if text not in MISSED] == []


@pytest.mark.parametrize(
    "text",
    [
        "the man who is sitting",
        "a woman who has a beard and is wearing a hat",
        "the chair the cat is on",
        "bench woman is sitting on",
        "frisbee he is holding",
        "that her foot is on",
        "a brown building opposite were the men are standing",
        "a truck that seems to have been in a wreck",
        "a man watching two men play a game",
        "two stands in the corner",
        "street lights on a pole",
    ],
)
def test_the_verb_of_a_relative_clause_makes_no_statement(text):
    assert answer_form(text) is AnswerForm.PHRASE


@pytest.mark.parametrize(
    "text",
    [
        "the computer is on",
        "lights in the room are on",
        "that is a telephone",
        "it\u2019s a dog",
        "the woman who is marked number 14 is running away from the goalie",
        "man next to the dog has a hat",
        "trees line the street",
        "pictures hang over a work space",
        "two men stand on an urban sidewalk",
        "the trees do not have leaves",
        "white cables can be seen on the floor",
        "CPU is on the floor",
    ],
)
def test_other_verbs_make_a_statement(text):
    assert answer_form(text) is AnswerForm.CLAUSE
