"""The words of expressions, and the kinds of things they name.

Two expressions may be about one thing in other words: "guy in blue" and "the man", "a sofa" and
"couch". Each line of `_KINDS` lists words that may name the same thing; a word can stand in several
lines, as "animal" and "glass" do. An expression without any of these words ("the striped") names
no kind, so that nothing can be known about where it is true.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from transforms.stopwords import ENGLISH

_WORD = re.compile(r"[^\W\d_]+")
_EMPTY = "s t d ll re ve m am i me my we our us you your he him his she her hers they them who whom"

_ANIMALS = (
    "bird duck goose geese chicken chick rooster hen pigeon seagull gull parrot owl swan pelican "
    "flamingo eagle",
    "cat kitten kitty feline",
    "dog puppy pup doggy hound poodle collie bulldog retriever terrier",
    "horse pony foal mare stallion donkey mule colt",
    "sheep lamb goat ram ewe",
    "cow bull calf ox oxen cattle steer buffalo bison yak",
    "elephant",
    "bear cub panda polar grizzly",
    "zebra",
    "giraffe",
)
_PEOPLE = """
    person people man men guy dude woman women lady boy girl kid child children baby toddler infant
    adult male female human someone somebody mom mother dad father grandma grandpa grandmother
    grandfather son daughter brother sister wife husband friend gentleman gentlemen teenager teen
    youth bride groom couple crowd family fellow chap bro chick blonde blond brunette redhead
    he him his she her hers they them himself herself who whose
    player batter pitcher catcher umpire ump referee ref goalie coach athlete skier snowboarder
    boarder surfer skater skateboarder rider biker cyclist bicyclist motorcyclist jockey cowboy
    driver passenger pedestrian officer cop police policeman soldier guard chef cook waiter waitress
    server worker vendor student teacher doctor nurse fan spectator audience bystander cameraman
    photographer runner swimmer clown santa statue mannequin doll figure
    shirt tshirt tee jacket coat sweater sweatshirt hoodie vest suit tuxedo dress skirt pants jeans
    shorts jersey uniform outfit clothes clothing apron robe gown blouse tank top hat cap helmet
    beanie hood scarf tie bowtie necktie glove sunglasses goggles shoe sneaker boot sandal
    sock belt necklace watch bracelet ring wear wearing worn dressed
    beard bearded mustache bald elbow hand finger thumb wrist
"""
_BODY = """
    head face hair haired eye nose mouth ear chin neck shoulder arm leg knee foot feet toe chest
    belly stomach butt bum body skin tail
"""
_KINDS = (
    _PEOPLE + _BODY,
    *(
        f"{animal} animal creature pet toy stuffed teddy baby mom mother {_BODY}"
        for animal in _ANIMALS
    ),
    "bicycle bike cycle motorcycle motorbike moped scooter vespa harley chopper wheel",
    "car cab taxi van suv truck pickup lorry jeep sedan minivan bus trolley tram vehicle auto "
    "automobile trailer tractor ambulance train locomotive engine caboose windshield bumper",
    "train tram trolley locomotive subway railcar rail",
    "airplane plane aeroplane jet aircraft airliner helicopter",
    "boat ship canoe kayak sailboat yacht ferry raft vessel",
    "light traffic signal stoplight lamp",
    "hydrant fire plug",
    "sign stop board banner poster",
    "meter parking",
    "bench chair seat stool couch sofa loveseat armchair recliner ottoman cushion pillow pew "
    "sectional futon bed mattress throne",
    "backpack bag purse handbag luggage suitcase briefcase case pack duffel tote satchel sack "
    "trunk rucksack baggage",
    "umbrella parasol canopy tent",
    "frisbee disc disk",
    "ski pole snowboard board",
    "skateboard board surfboard longboard bodyboard paddleboard wakeboard",
    "ball baseball football basketball tennis soccer sport volleyball",
    "kite balloon parachute sail parasail",
    "bat stick club",
    "glove mitt mitten",
    "racket racquet paddle",
    "bottle beer wine water soda ketchup mustard sauce drink alcohol shampoo jar container flask",
    "glass cup mug goblet drink beverage beer wine water juice coffee tea milk soda smoothie latte "
    "tumbler shot liquid container jar pitcher pot bowl vase",
    "bowl dish plate pot pan tray container saucer soup salad basket basin bucket box tub platter "
    "planter vase urn",
    "fork knife spoon utensil silverware cutlery blade handle ladle spatula tongs chopstick",
    "banana fruit plantain food",
    "apple fruit food",
    "orange fruit food citrus tangerine lemon lime clementine grapefruit mandarin peach",
    "broccoli brocolli brocoli vegetable veggie food floret salad",
    "carrot vegetable veggie food",
    "sandwich sandwhich burger hamburger sub panini toast bread bun wrap food bagel burrito "
    "hotdog hot dog sausage roll hoagie",
    "hotdog dog sausage wiener frank bun food sandwich bratwurst",
    "pizza slice pie food crust pepperoni flatbread calzone",
    "donut doughnut pastry bagel cruller muffin food dessert bun frosted sprinkle glazed cake ring",
    "cake cupcake muffin pastry pie dessert frosting icing food brownie cookie tart bread",
    "meat chicken rice food salad soup pasta noodle egg bacon fry fries cheese tomato potato sauce "
    "onion bean fish beef steak meal plate bowl dish",
    "plant flower tree bush leaf leaves potted pot planter bouquet fern vase rose tulip shrub ivy "
    "weed vine garden branch",
    "table desk counter countertop tablecloth nightstand stand bar island surface",
    "toilet urinal commode bidet potty",
    "tv television monitor screen computer laptop notebook macbook imac display mac pc tablet ipad",
    "mouse remote controller wii wiimote control nunchuk phone cellphone cell mobile iphone "
    "smartphone telephone camera device gadget",
    "keyboard key laptop computer piano",
    "microwave oven stove toaster fridge refrigerator freezer appliance range burner dishwasher "
    "cabinet",
    "sink faucet basin tub bathtub",
    "book magazine notebook binder novel paper newspaper menu album pamphlet brochure card",
    "clock watch time",
    "scissors scissor shear",
    "teddy bear doll toy stuffed animal plush",
    "dryer drier hairdryer blower",
    "toothbrush brush",
)


@lru_cache(maxsize=1 << 16)  # more words than the sentences of a data set have
def stem(word: str) -> str:
    """Return the form in which singular and plural of a lower-case word are the same.

    `horse` and `horses` both become `hors`, `knife` and `knives` become `knif`.
    """
    if len(word) > 3 and not word.endswith(("ss", "us")):
        word = word.removesuffix("s")
    word = word.removesuffix("e")
    last = {"y": "i", "v": "f"}.get(word[-1:])
    return word[:-1] + last if last else word


_KINDS_OF: dict[str, set[int | str]] = {}
for _number, _line in enumerate(_KINDS):
    for _name in _line.split():
        _KINDS_OF.setdefault(stem(_name), set()).add(_number)
_STOPS = ENGLISH | set(_EMPTY.split())


def words_of(text: str) -> Iterator[str]:
    """Yield the content words of an expression as stems: `cat`, `tabl` of "the cats on a table"."""
    for word in _WORD.findall(text.lower()):
        if word not in _STOPS:
            yield stem(word)


def kinds_of(text: str) -> set[int | str]:
    """Return the numbers of the kinds of things that an expression may name."""
    stems = {stem(word) for word in _WORD.findall(text.lower())}
    return {kind for word in stems for kind in _KINDS_OF.get(word, ())}
