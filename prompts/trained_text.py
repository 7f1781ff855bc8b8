"""The text of an owner's sentence as models write and read it, in training and in questions."""

from prompts.detokenise import detokenised
from prompts.shouting import unshouted


def trained_text(text: str) -> str:
    """Return a clean sentence detokenised and not in capitals.

    "THE PERSON ' S HAT" becomes "the person's hat". The references of evaluations keep the owner's
    text; questions of evaluations have this form, because a model was trained on it.
    """
    return unshouted(detokenised(text))
