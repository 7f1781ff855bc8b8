"""RecapD's prompts: the global prompt about an image, and a prompt about each region's close-up.

As in RegionGPT, section 3.3, the prompt about a region begins with the caption of the whole
picture and names the annotated class; either may be left out, hence four sets. Every
set has ten wordings or more, one of which is chosen by rank. All prompts end alike, with `ENDING`,
which asks for what the checks of captions let pass (`transforms.caption_checks`).
"""

from prompts.wordings import WordingSet

GLOBAL = WordingSet(
    "recap_global",
    (),
    (
        "Describe this picture as a whole, in detail.",
        "Write a full account of what can be seen in this photograph.",
        "What does this picture show? Cover the setting, the objects and how they are arranged.",
        "Look the whole image over and report all that matters in it, in a few sentences.",
        "Put the scene into words for somebody who cannot see it.",
        "Go through this picture thoroughly: what is there, where is it, and what is going on?",
        "Give a careful and complete caption of the entire image.",
        "Tell me about this scene, its main objects and the place in which they are found.",
        "Compose one detailed paragraph on the contents of the picture.",
        "Explain what is depicted here, from the foreground to the background.",
        "Survey the image and set down what it contains, with colors, actions and surroundings.",
        "Which things, people or animals appear here, and in what surroundings? Answer at length.",
    ),
)

REGION = WordingSet(
    "recap_region",
    ("<global>", "<class>"),
    (
        "This is what the complete picture shows: <global> You are now looking at a close-up taken from it. Describe the <class> in the close-up in detail, with its color, shape and material.",
        "The full scene reads as follows: <global> One part of it was cut out for you. Give a thorough description of the <class> you find there.",
        "Background, taken from the entire picture: <global> With that in mind, study the <class> in this crop and report its color, size, texture and anything peculiar about it.",
        "Somebody described the whole photograph like this: <global> Here you see only a detail. What does the <class> in it look like? Be specific.",
        "Keep the overall scene in mind: <global> The crop at hand holds the <class>. Write several sentences on its looks and its state.",
        "Seen as a whole, the picture is this: <global> Now concentrate on the <class> shown here from nearby, and describe its appearance, its parts and its pose or placement.",
        "As context, a summary of the image from which this crop comes: <global> Portray the <class> in the crop as exactly as you can.",
        "First the larger picture: <global> Then the detail: which colors, forms and materials make up the <class> in this close-up?",
        "The crop belongs to a larger image, summed up here: <global> Tell me all that can be seen of the <class>, leaving out what the crop does not show.",
        "Begin with the scene as a whole: <global> Then characterize the <class> in the section you are shown: its color, its style, its condition and what surrounds it.",
        "For orientation, the entire image in words: <global> What you get is one piece of it. Go into the details of the <class> in that piece.",
        "Around the piece you see, the picture is as told here: <global> Examine the <class> and write one paragraph on what makes it distinctive.",
    ),
)

REGION_WITHOUT_CLASS = WordingSet(
    "recap_region_without_class",
    ("<global>",),
    (
        "This is what the complete picture shows: <global> You are now looking at a close-up taken from it. Describe the close-up in detail, with colors, shapes and materials.",
        "The full scene reads as follows: <global> One part of it was cut out for you. Give a thorough description of that part.",
        "Background, taken from the entire picture: <global> With that in mind, study this crop and report the color, size and texture of what it holds.",
        "Somebody described the whole photograph like this: <global> Here you see only a detail. What does it look like? Be specific.",
        "Keep the overall scene in mind: <global> Write several sentences on the looks and the state of what the crop at hand holds.",
        "Seen as a whole, the picture is this: <global> Now concentrate on what is shown here from nearby, and describe its appearance, its parts and its pose or placement.",
        "As context, a summary of the image from which this crop comes: <global> Portray the content of the crop as exactly as you can.",
        "First the larger picture: <global> Then the detail: which colors, forms and materials can be made out in this close-up?",
        "The crop belongs to a larger image, summed up here: <global> Tell me all that can be seen in the crop, leaving out what it does not show.",
        "For orientation, the entire image in words: <global> What you get is one piece of it. Go into the details of that piece.",
        "Around the piece you see, the picture is as told here: <global> Examine the piece and write one paragraph on what makes it distinctive.",
    ),
)

REGION_WITHOUT_GLOBAL = WordingSet(
    "recap_region_without_global",
    ("<class>",),
    (
        "Describe the <class> in this close-up in detail, with its color, shape and material.",
        "One part of a picture was cut out for you. Give a thorough description of the <class> in it.",
        "Study the <class> in this crop and report its color, size, texture and anything peculiar about it.",
        "What does the <class> in this detail look like? Be specific.",
        "The crop at hand holds the <class>. Write several sentences on its looks and its state.",
        "Concentrate on the <class> shown from nearby, and describe its appearance, its parts and its pose or placement.",
        "Portray the <class> in the crop as exactly as you can.",
        "Which colors, forms and materials make up the <class> in this close-up?",
        "Tell me all that can be seen of the <class>, leaving out what the crop does not show.",
        "Go into the details of the <class> in this piece of a picture.",
        "Examine the <class> and write one paragraph on what makes it distinctive.",
    ),
)

REGION_ALONE = WordingSet(
    "recap_region_alone",
    (),
    (
        "Describe this close-up in detail, with colors, shapes and materials.",
        "One part of a picture was cut out for you. Give a thorough description of it.",
        "Study this crop and report the color, size and texture of what it holds.",
        "What does the thing in this detail look like? Be specific.",
        "Write several sentences on the looks and the state of what the crop at hand holds.",
        "Concentrate on what is shown from nearby, and describe its appearance, its parts and its placement.",
        "Portray the content of the crop as exactly as you can.",
        "Which colors, forms and materials can be made out in this close-up?",
        "Tell me all that can be seen in the crop, leaving out what it does not show.",
        "Go into the details of this piece of a picture.",
        "Examine the piece you are shown and write one paragraph on what makes it distinctive.",
    ),
)

ENDING = WordingSet(
    "recap_ending",
    ("<subject>",),
    (
        "Answer in plain prose of 120 words at most, without headings, lists or an opening phrase. Write about <subject> itself, and never about a picture, a crop or this request. Leave out whatever you are not sure of.",
    ),
)

SETS = (GLOBAL, REGION, REGION_WITHOUT_CLASS, REGION_WITHOUT_GLOBAL, REGION_ALONE)
