"""Lists of nouns and of words in names, for the articles and the sense of a relationship.

Nouns stand in the singular, except those that only exist in the plural.
"""


def words(text: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(text.split())


ARTICLES = words("a an the some")
POSSESSIVES = words("his her its their my our your this that these those")

# Words that cannot be a name's main word, and words that no name holds.
NO_NAMES = words(
    "am and another any anything bent big black blue bright brown clear cloudy colorful cut dark "
    "daytime dirty dry empty everyone everything gold golden gray green grey he her here high him "
    "hot huge i is it large left long made metallic no nothing old older one open orange overcast "
    "part pink purple red right round sat see she short shut silver sit small someone something "
    "stop striped sunny tall tan that them there these they this those up visible was we wear "
    "wears wet what where which white who wooden yellow yes you young"
)
NOT_IN_NAMES = words(
    "all am another any are at be both by each every few for from has have in into is it many "
    "near no not on one other several some than that the there these this those to under was what "
    "which who with"
)
NUMERALS = words("two three four five six seven eight nine ten twelve")
ED_NOUNS = words(
    "bed bobsled breed creed daybed deed feed flatbed flowerbed hatred kid moped need reed "
    "riverbed roadbed seabed seaweed seed shed sled speed steed sunbed thoroughbred tumbleweed "
    "weed"
)
MASS_ING = words(
    "bedding caulking cladding clothing coating decking edging fencing flooring frosting grouting "
    "icing landscaping lettering lighting molding moulding netting padding paneling paving piping "
    "plumbing roofing scaffolding seasoning siding stitching stuffing tiling topping trimming "
    "upholstering wiring wording wrapping writing"
)
ING_NOUNS = MASS_ING | words(
    "awning banding bearing binding boxing building carving casing ceiling clearing clipping "
    "covering cowling crossing drawing drawstring dressing duckling dumpling earring engraving "
    "etching evening fastening fitting footing gosling hatchling hearing king landing lightning "
    "lining listing marking morning opening outbuilding painting parking piercing railing rigging "
    "ring sapling seating seedling setting shaving shoestring sibling spring stocking string "
    "swing thing wing zoning"
)

PERSONS = words(
    "adult artist athlete audience baby banker baseman batter bicyclist biker boarder boy bride "
    "brother bystander captain catcher chef child clown coach conductor cook couple cowboy crowd "
    "customer cyclist dad daughter diner doctor driver employee family fan farmer father female "
    "fielder firefighter fisherman friend gentleman girl goalie golfer grandfather grandmother "
    "groom guard guest guy husband infant jockey kid king lady male man mom mother motorcyclist "
    "musician nurse officer onlooker operator parent passenger passerby pedestrian people person "
    "photographer pilot player police policeman policewoman priest queen racer referee rider "
    "sailor server shopper sister skateboarder skater skier snowboarder soldier son spectator "
    "student surfer swimmer teacher team teen teenager toddler tourist traveler umpire vendor "
    "visitor waiter waitress wife windsurfer woman worker"
)
MALES = words(
    "boy brother cowboy dad father fisherman gentleman grandfather groom guy husband king male "
    "man policeman son waiter"
)
FEMALES = words(
    "bride daughter female girl grandmother lady mom mother policewoman queen sister waitress "
    "wife woman"
)
# Persons and animals that are several under a singular name: "a crowd".
GROUPS = words("audience couple crowd family flock herd people police team")
ANIMALS = words(
    "alligator animal antelope ape bear bee bird bison boar buck buffalo bull butterfly calf "
    "camel cat cattle cheetah chick chicken colt cow coyote crow cub deer dog dolphin donkey dove "
    "duck duckling eagle elephant elk ewe ferret fish flamingo flock foal fox frog gazelle "
    "giraffe goat goose gull hamster hawk hen herd hippo hog horse insect kangaroo kitten kitty "
    "koala ladybug lamb leopard lion lizard llama monkey moose mule ostrich otter owl ox panda "
    "parakeet parrot peacock pelican penguin pig pigeon pony pup puppy rabbit ram rat raven rhino "
    "robin rooster seagull shark sheep snake sparrow spider squirrel stallion swan tiger turkey "
    "turtle vulture whale wildebeest wolf yak zebra"
)
# Words that make a likeness, a food or a tool out of a person or an animal: "teddy bear".
LIKENESSES = words("bronze fake hot plush plastic stuffed teddy toy wooden stone crab pine rubber")

# Parts that every body has: nobody says that a man has a head.
BODY = words(
    "ankle arm back belly body brow butt calf cheek chest chin ear elbow eye eyeball eyebrow face "
    "feature finger foot forearm forehead hand head heel hip jaw knee leg limb lip mouth neck "
    "nose nostril palm shin shoulder side skin skull stomach thigh throat thumb toe tongue tooth "
    "torso waist wrist"
)
# Parts of a body that are worth telling, and that belong to what they are on.
FEATURES = words(
    "antler bang beak beard bun claw curl eyelash feather fin fur goatee hair hairline hoof horn "
    "mane mohawk moustache mustache paw plumage ponytail sideburn snout spot stripe tail tattoo "
    "trunk tusk udder whisker wing wool wrinkle"
)
FIXED = FEATURES - words("spot stripe tattoo wrinkle") | words(
    "ear eye eyeball eyebrow forehead mouth neck nose nostril"
)
SELF = words("beard chin forehead goatee moustache mustache")  # held by their owner

# Garments that a person who "has" one is wearing, and things that may also be carried.
GARMENTS = words(
    "blouse boot bra cleat clothes dress gown jeans jersey kimono legging loafer outfit overall "
    "pajamas pants pantyhose polo robe sandal shirt shoe shorts skirt slacks slipper sneaker sock "
    "stocking suit sweater sweatpants sweatshirt swimsuit t-shirt tee tie tights trousers trunks "
    "tshirt tuxedo undershirt underwear uniform vest wetsuit"
)
CARRIED = words(
    "apron backpack bag bandana belt bow bracelet cap cape chain coat collar costume earring "
    "eyeglasses glasses glove goggles handbag hat headband headphones helmet hood hoodie jacket "
    "jewelry necklace pack purse ring scarf shawl sunglasses umbrella veil visor wallet watch "
    "wristband"
)

# Parts of things: "The handle is part of the door."
PARTS = words(
    "back arch armrest axle backboard balcony bar base basin beam blade bolt border branch brick "
    "bristle bulb bumper burner button buttress cabin cap carriage ceiling chimney clasp cockpit "
    "collar compartment corner cover crust cuff cushion deck dial dome door doorframe doorknob "
    "doorway drawer edge end engine entrance exhaust face faucet fender fin flap floor footboard "
    "footrest foundation frame fringe front gate gear glass grate grill grille gutter hand handle "
    "handlebar headboard headlight hem hinge hood hook hub hubcap hull key keyboard keypad "
    "kickstand knob lace landing leaf ledge leg lens lever lid limb lining lock logo mast "
    "mattress mirror motor mount neck nose nozzle numeral padding paddle pane panel pedal peel "
    "petal pier pillar pin pipe plug pocket porch post propeller radiator rail railing rear rib "
    "rim roof rotor rudder rung saddle sail screen screw seam seat shade shaft shelf shutter "
    "sidewall siding sill sink skin slat sleeve sole spindle spire spoke spout staircase stairs "
    "stalk steeple stem step stitching strap surface switch tag tail tailgate taillight tank "
    "thread tile tip tire top tower trim trunk turret tyre visor wall wheel window windowpane "
    "windowsill windscreen windshield wing wiper wire zipper"
)
PATTERNS = words("crack design dot flower hole line lettering mark pattern spot stain stripe")
# Named without "part of": a road's side lies beside it, and a picture's or a pile's is no part.
NO_WHOLES = words(
    "assortment background bunch collection day foreground group herd image line lot name number "
    "pair photo picture piece pile row scene set side stack type view"
)
SPOTS = words(
    "area back background base bit bottom center centre corner edge end foreground front half "
    "inside interior left middle outside part piece portion rear rest right section side surface "
    "top"
)
GROUNDS = words(
    "asphalt beach carpet court crosswalk dirt driveway field floor grass ground highway ice lane "
    "lawn path pavement road rug sand sidewalk snow street track walkway water"
)
SURFACES = GROUNDS - {"court", "water"} | words(
    "basket bed bench bottle bowl box bucket chair couch counter countertop cup desk dish dresser "
    "glass jar mug nightstand pan plate platter pot rack saucer shelf sofa stand stool stove "
    "table tray vase"
)
COATS = words(
    "apron cap coat costume eyeglasses glasses goggles hat helmet hood hoodie jacket sunglasses"
)
ROOMS = words(
    "apartment bathroom bedroom building city garage house kitchen office park room store town"
)
LONG = words(
    "beach border bush cable crowd curb fence grass guardrail hedge line path rail railing river "
    "road row shore sidewalk street track trail walkway wall wire"
)
# What stands beside a road, and does not move along it.
FIXTURES = words(
    "bench building bush fence flower hedge house hydrant lamp lamppost light meter plant pole post "
    "shrub sign tree"
)
PICTURES = words("drawing image painting photo photograph picture portrait poster reflection")
WAYS = words(
    "alley bridge corridor door doorway driveway entrance gate hall hallway ladder path ramp road "
    "staircase stairs step street trail tunnel walkway"
)
EMISSIONS = words("exhaust glare light shadow smoke splash spray steam sunlight water")
LETTERING = words(
    "alphabet character decal digit initial label letter lettering logo message name number "
    "numeral print sentence sign sticker symbol text title word wording writing"
)
GAMES = words(
    "badminton baseball basketball billiards bowling chess cricket football frisbee golf hockey "
    "lacrosse polo pool rugby soccer softball tennis volleyball wii"
)
PLAYED = GAMES | words(
    "accordion banjo bass cello clarinet controller drum flute game guitar harp instrument "
    "keyboard match music piano saxophone song sport trombone trumpet ukulele video violin"
)

MASS = MASS_ING | words(
    "air asphalt bacon baggage bamboo bark beef beer blood bread brick broccoli butter cabbage "
    "cake cardboard cement cereal chalk cheese chicken chili chocolate chrome cilantro cinnamon "
    "clay cloth coffee coleslaw concrete corn cotton cream crust debris denim dirt dough dust "
    "equipment fabric fish flesh foam foil foliage food fruit fur furniture gear gelato glare "
    "glitter granite grass gravel gravy greenery hair ham hay honey hummus ice ink iron ivory ivy "
    "jam jelly jewelry juice kale ketchup lace laundry leather lemonade lettuce lighting linen "
    "linoleum lipstick luggage lumber machinery makeup marble mayo mayonnaise meat merchandise "
    "metal milk mold money moss mud mulch music mustard nylon oatmeal oil paint paper parsley "
    "pasta pasture pepperoni pizza plaid plastic plumage plywood polish porcelain pork powder "
    "produce rice rubber rust salad salmon salsa salt sand sauce sausage seafood seasoning "
    "seaweed shade shampoo shrimp silverware slush smoke snow soap soda soil soup spaghetti "
    "spinach steam steel straw stubble stucco stuff sugar sunlight sunscreen syrup tape tea text "
    "thread tinsel tissue toast tofu traffic trash turf twine underwear upholstery vegetation "
    "velvet vinegar vinyl wallpaper water wax wheat wicker wine wood wool yarn yogurt"
)
UNIQUE = words("background daytime foreground ground horizon moon ocean sea sky sun weather")
MATERIALS = MASS | words("block log stone tile glass rock plank")
PLURALS = words("cacti cattle emus feet geese gnus gurus menus mice oxen police teeth tutus")
SINGULARS = words(
    "abdomen adidas atlas axis basis canvas chassis christmas clematis compass debris gas gps "
    "iris is lens news oasis omen pampas pelvis ramen semen series species specimen stamen tennis "
    "this trellis"
)
PLURAL_ONLY = words(
    "clothes eyeglasses glasses goggles headphones jeans pajamas pants scissors shorts slacks "
    "stairs sunglasses tights trousers trunks"
)
ONES = {
    "calves": "calf",
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "buses": "bus",
    "hoodies": "hoodie",
    "lenses": "lens",
    "halves": "half",
    "hooves": "hoof",
    "knives": "knife",
    "leaves": "leaf",
    "mice": "mouse",
    "oxen": "ox",
    "scarves": "scarf",
    "shelves": "shelf",
    "teeth": "tooth",
    "tomatoes": "tomato",
    "wolves": "wolf",
}
