"""Verbs of relationships and their forms: a word is a verb only if it is listed here."""

from prompts.relationship.nouns import words


def third_person(base: str) -> str:
    """Return the third person of a verb: "carries"."""
    if base == "have":
        return "has"
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return f"{base}es"
    return f"{base[:-1]}ies" if _ends_in_y(base) else f"{base}s"


def doing(base: str) -> str:
    """Return the present participle of a verb: "carrying", "riding", "sitting", "lying"."""
    if base.endswith("ie"):
        return f"{base[:-2]}ying"
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        return f"{base[:-1]}ing"
    return f"{_doubled(base)}ing"


def done(base: str) -> str:
    """Return the past participle of a verb: "carried", "parked", "worn"."""
    if form := _IRREGULAR.get(base):
        return form
    if base.endswith("e"):
        return f"{base}d"
    return f"{base[:-1]}ied" if _ends_in_y(base) else f"{_doubled(base)}ed"


def _ends_in_y(base: str) -> bool:
    return base.endswith("y") and base[-2] not in "aeiou"


def _doubled(base: str) -> str:
    """Return a verb with its last letter twice where it is short: "sit" becomes "sitt"."""
    start, vowel, end = base[:-2], base[-2:-1], base[-1]
    short = not set("aeiouy") & set(start.removeprefix("qu")) and vowel in set("aeiou")
    return base + end if short and end not in "aeiouwxy" else base


# Verbs in their base form: those that need an object, those that may have one, and the others.
TRANSITIVE = words(
    "accompany adjust admire advertise attempt attend bear block border brandish bring brush "
    "build carry cast catch clasp clutch contain control cover cradle create cross decorate "
    "deliver depict direct display divide drag drape embrace encircle enclose enjoy enter examine "
    "exit feature fetch fill fix flank form frame frost grab grasp greet grip groom guard guide "
    "handle have help herd hit hold hug illuminate imitate include indicate inspect juggle kiss "
    "learn light line load make manage mark milk mount need nudge nuzzle obscure observe obstruct "
    "occupy offer operate outline overlook own pat peel perform pet photograph pick prepare "
    "prevent produce promote prop protect provide raise receive record remove repair resemble "
    "retrieve rub say scratch secure see sell separate serve sew shade share shear shelter show "
    "slice squeeze steer stir strap stroke strum support surround swallow take taste teach tie "
    "toss touch tow train twirl type use view visit wash watch wear wield"
)
EITHER = words(
    "approach ascend attach bite board break chase chew climb connect cook cut descend drink "
    "drive eat face feed fly follow grind hide jump kick lead leave lick lift lower meet munch "
    "open pack paint park pass play pour pull push reach read reflect ride sip smell smoke sniff "
    "spray spread surf sweep swing throw trim turn wave write"
)
INTRANSITIVE = words(
    "arrive balance bask belong bend bloom blossom chat cling come congregate crash crawl crouch "
    "cuddle curl dance dangle dig dine dip dive dock drift extend fall feast fight fish float "
    "flow frolic gallop gather gaze glance glide glow go graze grow hang hike hop hover huddle "
    "hunt jog jut kayak kneel land laugh lay lean leap lie listen live loiter look lounge lurk "
    "march merge move nap nestle nibble paddle pedal peek peer perch point pose practice protrude "
    "prowl race recline relax rest rise roam roll row run rush sail shine shop shower sink sit "
    "skate skateboard ski sled sleep slide slope smile snowboard snuggle soar speak spill sprawl "
    "sprout squat stand stare stay step stick stoop stop stretch stroll struggle swerve swim talk "
    "tilt tower trail travel trot trudge vacation wade wait wakeboard walk wander wind windsurf "
    "work yawn"
)
# Verbs without an object whose past participle tells a position: "leaned against".
POSTURES = words("bend crouch curl dock gather huddle lay lean perch sprawl squat stretch tilt")
# Verbs of a state, not of an action in progress: "belongs to", not "is belonging to".
STATES = words("belong contain have need own resemble see")
# Verbs whose object is new: "is holding a cup", "has hair".
NEW_OBJECT = words(
    "bear carry cast contain feature grow have hold include make own perform take wear"
)
# What persons and animals do in a picture: "wears" becomes "is wearing".
ACTIONS = words("carry drink eat hold play ride swing throw use walk watch wear")
PHRASAL = {"watch for", "watch over", "hold on to", "hold onto", "have on", "light up"}
UNFINISHED = {f"{base} {end}" for base in POSTURES for end in ("up", "down", "off", "out")} | {
    "bend at",
    "bend with",
    "eat around",
    "eat below",
    "hang around",
    "hang before",
    "lead at",
    "lead in",
    "lead on",
    "leave behind",
    "board at",
    "fall behind",
    "pass on",
    "sit for",
    "sit over",
    "stand for",
    "turn around",
    "stand up",
    "sit down",
    "stand off",
    "lie down",
    "lean to",
    "face down",
    "point on",
    "throw up",
    "face to",
    "hang out",
    "hang up",
    "look on",
    "spill out",
    "stick out",
    "wait to",
    "wash up",
}
_IRREGULAR = {
    "bear": "borne",
    "bend": "bent",
    "bite": "bitten",
    "break": "broken",
    "bring": "brought",
    "build": "built",
    "cast": "cast",
    "catch": "caught",
    "cut": "cut",
    "drive": "driven",
    "draw": "drawn",
    "eat": "eaten",
    "feed": "fed",
    "fly": "flown",
    "hide": "hidden",
    "hit": "hit",
    "hold": "held",
    "lay": "laid",
    "lead": "led",
    "leave": "left",
    "light": "lit",
    "make": "made",
    "read": "read",
    "ride": "ridden",
    "see": "seen",
    "sew": "sewn",
    "show": "shown",
    "spread": "spread",
    "sweep": "swept",
    "swing": "swung",
    "take": "taken",
    "throw": "thrown",
    "wear": "worn",
    "write": "written",
}
PAST_OR_PRESENT = words("cut hit put read")
# Verbs that hardly stand in the passive: "jumped over" is what somebody did.
_ACTIVE = words(
    "approach ascend attend climb descend enjoy enter exit grind have jump meet pass reach sip "
    "smell sniff surf"
)
POSTURES_DONE = frozenset(done(base) for base in POSTURES)
DONE = frozenset(done(base) for base in (TRANSITIVE | EITHER | POSTURES) - _ACTIVE) | words(
    "arched arranged blended blown bolted braided bunched bundled caged called carved cast caught "
    "chained clipped clustered coiled composed constructed covered crossed crowded crumpled "
    "decorated designed docked drawn dressed dried embedded embroidered enclosed engraved "
    "equipped etched fastened fenced flattened folded found frozen garnished glued grouped grown "
    "hidden hitched hooked hung immersed imprinted installed kept knit leashed linked loaded "
    "located locked lodged mixed moored mounted nailed parked patterned perched piled pinned "
    "placed planted plugged pointed poised positioned posted pressed printed projected propped "
    "pulled rigged rolled rooted saddled scattered sealed seasoned seated set shaped shut "
    "situated smeared split sprinkled stacked staked stationed stitched stored stranded stretched "
    "strewn stripped strung stuck stuffed submerged sunk supported suspended tacked tangled taped "
    "tethered tied tipped topped torn tossed towed trapped tucked twisted uncovered used wedged "
    "welded wound woven wrapped"
)
_BASES = TRANSITIVE | EITHER | INTRANSITIVE
# Forms that are as likely nouns: "leaves in", "lights on".
NOUNS = words(
    "open bite bites board boards bow box building cast catch clasp cover crash crashes cut cuts dance "
    "display drink drinks face feature features feed fill flank flies float flow fly form forms "
    "frame frames frost frosting gaze guard guards guide guides handle handles herd hike hold hop "
    "hug hunt jump jumps kick kiss lead leap leave leaves lift lifts light lighting lights "
    "line lines load loads lounge mark marks meet milk mount mounts nap need needs pack packs "
    "paddle paddles paint paints park parks pass peek pet pets photograph photographs pick picks "
    "play point points pose poses produce prop props pull push race races record records rest "
    "rise roll rolls row rows rub run rush sail sails seal shade shades share shelter shop shops "
    "show shower showers sip skate skates ski skis slice slices slide slides slope slopes smell "
    "smile smiles smoke spray spread sprout step steps stick sticks stop stops strap straps "
    "stretch stroke strokes stroll support surf swing swings talk tie ties tilt touch tow tower "
    "towers trail trails train trains travel trim trims turn turns type types use view views "
    "visit wade walk wash watch wave waves wind winds work works yawn"
)
# What is done and what comes of it: "writing on" is rather a noun.
RESULTS = words("building covering crossing drawing marking opening painting parking writing")
# Participles that go on with "to": "parked to" is no English.
FASTENED = words(
    "attached bolted bound chained clipped connected fastened fixed glued hitched hooked held "
    "leashed linked locked moored mounted nailed pinned pressed secured sewn strapped stuck "
    "tacked taped tethered tied welded"
)
# What a participle of these goes on with: nothing is "broken near" or "lit in" something.
FOLLOWED = {
    participle: words(following)
    for participle, following in {
        "attached": "at to with",
        "bent": "down over",
        "braided": "in into with",
        "broken": "by into off",
        "caged": "by in inside",
        "carved": "by from in into on out",
        "connected": "by to",
        "covered": "by in with",
        "cut": "by from into out with",
        "decorated": "by in with",
        "delivered": "by from to",
        "depicted": "by in on",
        "dressed": "as for in like",
        "equipped": "for with",
        "fenced": "by",
        "filled": "by with",
        "formed": "by from in into of on out",
        "garnished": "by with",
        "herded": "by into through",
        "hit": "by with",
        "kicked": "by",
        "lit": "by with",
        "loaded": "by in into on onto with",
        "lowered": "by from in into onto over to toward towards",
        "made": "by for from in of out to with",
        "mounted": "above against at behind below beneath beside by from in inside near next on "
        "onto over to under underneath",
        "mixed": "into with",
        "occupied": "by",
        "opened": "by with",
        "prepared": "by for in on with",
        "provided": "by for",
        "pulled": "along away back behind by down from into off on out over through",
        "removed": "by from",
        "separated": "by from",
        "shaped": "as by like",
        "staked": "in into to",
        "supported": "by on",
        "suspended": "above across between by from in on over under",
        "tangled": "around in with",
        "topped": "by with",
        "viewed": "by from in through",
        "watched": "by",
        "welded": "on onto to",
        "written": "above across along at below by in inside near next on over under",
    }.items()
}
# Participles that go on with "for", and with "as".
MEANT_FOR = words("built designed dressed equipped made meant prepared reserved set used")
SERVING_AS = words("designed disguised displayed dressed served shaped used")
# Participles and verbs that tell of several, or of a mass: one man is not "scattered on" anything.
GATHERED = words(
    "arranged bundled clustered congregates congregating crowded gathered gathering gathers "
    "grouped huddled huddling mingling scattered strewn"
)
# Participles with a word after which neither who did it nor where it is is clear.
UNCLEAR = {"left by", "lined as", "lined in", "lined on", "wrapped on"} | {
    f"{participle} by"
    for participle in words(
        "arranged blended clustered grouped lined mixed poured scattered shaped strewn"
    )
}
VERBS = {form: base for base in sorted(_BASES) for form in (base, third_person(base))}
DOING = {doing(base): base for base in sorted(_BASES | words("do get give put wrap"))} | {
    "laying": "lie",
    "travelling": "travel",
    "having": "have",
}
