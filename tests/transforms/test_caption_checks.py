"""Caption checks: failures of each kind are refused, captions that only look like one are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import MAX_TEXT_CHARACTERS
from schemas.rejection import Reason, Rejected
from schemas.text import clean
from transforms.caption_checks import CHECKS, REGION_CHECKS, accept_caption
from transforms.caption_text import Finish

CAPTIONS = (
    "A red car.",
    "Red car, shiny chrome wheels, leather seats",
    "The carpet in the close-up is brown and rectangular. It seems to be made of a soft fabric.",
    'A shop window with a sign reading "SORRY, WE ARE CLOSED" in red letters.',
    "A sign that reads SORRY, WE ARE CLOSED hangs on the door.",
    "Sorry, we are closed is painted on the glass door of the shop.",
    "A dog that cannot reach the ball stretches its paw under the sofa.",
    "The driver can't see the cyclist, who is hidden by the truck.",
    "The bench is unable to hold more than two people.",
    'The poster says "I cannot see you" above a pair of glasses.',
    "The shirt says I can't even, in white letters on black cotton.",
    "A T-shirt with the slogan I DON'T KNOW, printed in yellow.",
    "A mug with the words 'I'm sorry, I can't adult today' on it.",
    "A robot is shown as an AI assistant on the cover of a magazine.",
    "A screen shows the message \u201cNo image available\u201d next to a broken icon.",
    "An error message, 'image failed to load', is displayed on the phone.",
    "Please provide is the first word of a form that lies on the table.",
    "The man holds up his hands as if to say that he does not know.",
    "Unknown to the cat, a mouse sits behind the bowl. The bowl is blue.",
    "A letter asks readers to respect the policy of the house.",
    "Fish, chips, fish, chips and fish are listed on the menu of the restaurant.",
    "A red book, a blue book, a green book and a yellow book stand on a shelf.",
    "There is a lamp on the left side of the bed. There is a lamp on the right side of the bed.",
    "Very, very, very small birds sit on the wire.",
    'The sign says "NO NO NO NO NO NO NO NO" in red.',
    "A wall of windows. A wall of bricks. A wall of wood. Each wall is of another height.",
    "The clock shows 10:10:10. Its number is 1000000000000.",
    "A storefront whose sign has the characters 北京烤鸭店 stands at the corner of the street.",
    "The book Война и мир lies on a table beside a cup of tea.",
    "A sign in Arabic, \u00abممنوع الوقوف في هذا المكان\u00bb, hangs on a wall.",
    "The menu of Les Deux Magots lists croque monsieur and tarte aux pommes with prices.",
    "Chalkboard menu: soupe du jour, coq au vin and crème de cassis",
    "La Casa de la Pizza is a restaurant with a blue door.",
    "A poster of the film La vita e bella hangs over the desk.",
    "Die cast toy van, red, with a mint roof and hay bales",
    "Van de Graaff generator with a silver dome in a museum",
    "A naïve painting of a café in Zürich, with a façade of ochre.",
    "A plate of sushi: maki, nigiri and sashimi on a bed of rice.",
    "Two men play guitar. The man on the left wears a hat; the man on the right wears none.",
)

REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I\u2019m sorry, but I can\u2019t assist with that request.",
    "I am sorry, I cannot identify people in pictures.",
    "I cannot see the image.",
    "I can't view images directly.",
    "I can not make out what this is.",
    "I'm unable to determine what the object is.",
    "I am not able to process this picture.",
    "I'm afraid the picture is too blurry.",
    "I don't have the ability to see images.",
    "I do not know what this shows.",
    "I couldn't find a dog here.",
    "I apologize, but the picture is not clear.",
    "My apologies, something went wrong.",
    "Sorry, I can only read text.",
    "Sorry, but I need more context.",
    "Unfortunately, I see nothing in this crop.",
    "As an AI language model, I have no eyes.",
    "As an AI, I do my best, but this is beyond me.",
    "As a text-based assistant I work with words only.",
    "No image was provided.",
    "It seems that no image has been attached.",
    "There appears to be a problem: no picture is visible.",
    "Please provide the image you would like me to describe.",
    "Sure! Please upload a picture first.",
    "Please share the close-up.",
    "Unable to identify the object.",
    "Cannot determine.",
    "This request goes against my guidelines.",
    "The image failed to load.",
    "The picture did not come through.",
    "The carpet is brown. I cannot tell more about its material.",
    "I'm sorry, but I can't identify the person. The picture shows a man in a red shirt.",
    '"I cannot help with this."',
    "N/A",
    "None.",
    "Unknown",
    "I see. I won't describe that.",
    "I must decline to describe this person.",
)

REPETITIVE = (
    "The dog is brown. The dog is brown. The dog is brown.",
    "The dog is brown. A ball lies here. The dog is brown. It is sunny. the dog is brown!",
    "A cat and a cat and a cat and a cat and a cat",
    "A wall with a door a door a door a door",
    "red red red red red red",
    "The picture shows a tall tree next to a house, a tall tree next to a house, "
    "a tall tree next to a house.",
    "A flower" + ", a petal of white with a spot of pink" * 5,
    "Brrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr",
    "Text hahahahahahahahahahahahahahahahahahahahahahahahahahahahaha",
    "A book. "
    + " ".join(f"On the left side of the shelf is the book {number}." for number in range(9)),
    "非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常非常",
)

FOREIGN = (
    "Une voiture rouge est garée dans la rue devant un bâtiment blanc.",
    "L'image montre un chien brun assis sur un tapis, avec une balle.",
    "Ein rotes Auto steht auf der Straße vor einem weißen Gebäude.",
    "Un coche rojo está aparcado en la calle.",
    "Um carro vermelho estacionado na rua, com uma porta aberta.",
    "Un'auto rossa è parcheggiata nella strada davanti alla casa.",
    "Een rode auto is in de straat geparkeerd.",
    "Czerwony samochód jest zaparkowany na ulicy i ma białe drzwi.",
    "En röd bil står på gatan och har en vit dörr.",
    "En rød bil er parkert på gaten med en hvit dør.",
    "Kırmızı bir araba sokakta park edilmiş ve kapısı beyaz.",
    "Sebuah mobil merah yang diparkir di jalan dengan pintu putih.",
    "Một chiếc xe màu đỏ đậu trên đường phố và có cửa trắng.",
    "Červené auto je na ulici a má bílé dveře, které jsou otevřené.",
    "O mașină roșie este parcată pe stradă și are o ușă albă.",
    "Egy piros autó áll az utcán, és fehér az ajtaja.",
    "一辆红色的汽车停在街上。",
    "Красная машина стоит на улице.",
    "赤い車が通りに止まっています。",
    "길가에 빨간 차가 서 있습니다.",
    "سيارة حمراء متوقفة في الشارع.",
    "Μια κόκκινη μηχανή στον δρόμο.",
    "A red car 停在街上，旁边有一座白色的建筑物和一棵很大的树，树下坐着三个人。",
    "\u201cUne voiture rouge est garée dans la rue.\u201d",
)


def refused(text: str, finish: Finish = "stop") -> Rejected:
    with pytest.raises(Rejected) as caught:
        accept_caption(text, finish)
    return caught.value


@pytest.mark.parametrize("caption", CAPTIONS)
def test_captions_pass_as_they_are(caption):
    assert accept_caption(caption, "stop") == clean(caption)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text):
    assert refused(text).reason is Reason.CAPTION_REFUSAL


@pytest.mark.parametrize("text", REPETITIVE)
def test_loops(text):
    assert refused(text).reason is Reason.CAPTION_REPETITIVE


@pytest.mark.parametrize("text", FOREIGN)
def test_other_languages(text):
    assert refused(text).reason is Reason.CAPTION_OTHER_LANGUAGE


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "...", "12", "\u200b", "!?", "<>", "\ud800", "###"]
)
@pytest.mark.parametrize("finish", ["stop", "length", "other"])
def test_no_words(text, finish):
    assert refused(text, finish).reason is Reason.CAPTION_EMPTY


@pytest.mark.parametrize(
    ("text", "finish"),
    [
        ("A red car that", "length"),
        ("A red car that has", "length"),
        ("A red car that", "other"),
        ("A red car,", "other"),
    ],
)
def test_cut_answers(text, finish):
    assert refused(text, finish).reason is Reason.CAPTION_CUT


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nThe region shows a car. I cannot tell.\n</think>\n\nA red car.",
        "The template has opened it. Is it red?</think>A red car.",
        "<think>One.</think><think>And another.</think> A red car.",
        "<think></think>A red car.",
        "A red car.",
    ],
)
def test_what_was_thought_is_no_part_of_a_caption(text):
    assert accept_caption(text, "stop") == "A red car."


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("<think>\nThe region shows a red car.", "stop", Reason.CAPTION_CUT),
        ("<think>\nThe region shows a red car.", "length", Reason.CAPTION_CUT),
        ("<think>One.</think><think>A red car.", "stop", Reason.CAPTION_CUT),
        ("<think>It is red.</think>A red", "length", Reason.CAPTION_CUT),
        ("<think>It is red.</think>\n", "stop", Reason.CAPTION_EMPTY),
        ("<think>It is red.</think>I cannot see it.", "stop", Reason.CAPTION_REFUSAL),
    ],
)
def test_a_thought_alone_is_no_caption(text, finish, reason):
    cause = refused(text, finish)
    assert (cause.reason, text in cause.detail) == (reason, True)


@pytest.mark.parametrize("text", ["A red car.", 'It says "Stop."', "Is it red?"])
def test_an_answer_that_ends_for_another_reason_must_end_a_sentence(text):
    assert accept_caption(text, "other") == text


def test_a_caption_of_several_paragraphs_becomes_one_disarmed_line():
    text = " The <image> shows a dog.\n\n\tIt sits on <region1>. ### "
    caption = accept_caption(text, "stop")
    assert caption == "The (image) shows a dog. It sits on (region1). # # #"


def test_a_caption_that_is_too_long():
    words = " ".join(f"word{number} of the text" for number in range(MAX_TEXT_CHARACTERS))
    assert refused(words).reason is Reason.TEXT_TOO_LONG


@pytest.mark.parametrize("text", ["I cannot see \ud800 it.", "I cannot " + "see it, " * 90])
def test_the_detail_holds_the_whole_text(text):
    detail = refused(text).detail
    assert detail.endswith(text.replace("\ud800", "?"))
    detail.encode()


def test_the_tables_have_a_check_for_each_way_to_fail():
    assert {str(reason) for reason in (*CHECKS, *REGION_CHECKS)} == {
        "caption_markup",
        "caption_denies",
        "caption_meta",
        "caption_short",
        "caption_other_class",
        "caption_copies_global",
        "caption_empty",
        "caption_cut",
        "caption_refusal",
        "caption_repetitive",
        "caption_other_language",
    }


@given(st.text(), st.sampled_from(["stop", "length", "other"]))
def test_any_text_is_a_clean_caption_or_is_rejected(text, finish):
    try:
        caption = accept_caption(text, finish)
    except Rejected:
        return
    assert caption == clean(caption)
    assert "\n" not in caption


@pytest.mark.parametrize("unit", ["a", "ab ", "a. ", '"', "I ", "' ", "a b c d ", "Sorry "])
def test_long_texts_are_judged_soon(unit):
    refused(unit * (60_000 // len(unit)))
