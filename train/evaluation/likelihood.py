"""The likelihood of a question's choices: the mean for each of a choice's tokens, and its end.

The mean does not favour short choices.
"""

from collections.abc import Sequence

from transformers import BatchFeature

from model.choices import score_choices
from model.processor import RegionProcessor
from model.region_model import RegionModel
from train.evaluation.reply import Reply


def choice_loglik(
    model: RegionModel, processor: RegionProcessor, inputs: BatchFeature, choices: Sequence[str]
) -> tuple[float, ...]:
    """Return the mean log-likelihood per token of each choice after one prompt.

    Args:
        model: in the mode for evaluation, with the attention "sdpa".
        processor: the model's.
        inputs: of one row.
        choices: one at least.
    """
    ids = [processor.answer_ids(choice) for choice in choices]
    scores = score_choices(model, inputs.to(model.device), ids)
    return tuple(score.mean for score in scores)


def likeliest(choices: Sequence[str], loglik: tuple[float, ...]) -> Reply:
    """Return the reply that names the likeliest choice, the first of several alike."""
    best = max(range(len(loglik)), key=loglik.__getitem__)
    return Reply(text=choices[best], choice_loglik=loglik)
