"""Evaluation of reasoning: choosing an answer, then the reason for the right answer, from lists.

Every question makes two conversations, as in the evaluation of VCR's authors: the first requests
the answer, and the second gives the right answer and requests the reason. Both begin with the same
list of the image's objects, so that every choice can name objects as in training. Both have the
question as their group, which joins them. Questions about regions without a reason to choose are
written by `prompts.evaluation.region_question`.
"""

from msgspec.structs import replace

from prompts.dialogue import EvaluationTarget, Exchange
from prompts.evaluation import region_question
from prompts.instruction import Instruction
from prompts.region_reasoning import ALL_OBJECTS, REASON, after_list, by_class, questions
from schemas.item import Choices, Question
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return two conversations for each question with choices, and one for each other question.

    Those with choices come first, in order of the questions' ids.
    """
    hasher = instruction.hasher(screened.image)
    regions = {region.region_id: region for region in screened.regions}
    objects = instruction.wordings[ALL_OBJECTS.name].choose(0)
    reason, reason_prompt = instruction.wordings[REASON.name].choose(0)
    talks = []
    for asked in questions(screened):
        if asked.answers is None or asked.rationales is None:
            continue
        request, prompt = after_list(asked, regions, hasher, objects)
        answer = Exchange(
            task=Task.REGION_REASONING,
            request=request,
            answer=tuple(by_class(asked.answer, regions, instruction.style)),
            prompt=prompt,
            items=(asked.id,),
        )
        rationale = Exchange(
            task=Task.REGION_REASONING,
            request=(reason,),
            answer=tuple(by_class(asked.rationale, regions, instruction.style)),
            prompt=reason_prompt,
            follows=True,
            items=(asked.id,),
            targets=(_target("rationale", asked, asked.rationales, regions),),
        )
        target = _target("answer", asked, asked.answers, regions)
        talks += [[replace(answer, targets=(target,))], [answer, rationale]]
    return talks + region_question.dialogues(screened, instruction)


def _target(
    name: str, asked: Question, choices: Choices, regions: dict[str, Region]
) -> EvaluationTarget:
    answers = tuple(
        tuple(by_class(passage, regions, Style.REGIONGPT)) for passage in choices.passages
    )
    return EvaluationTarget(
        item_id=f"{asked.id}/{name}",
        group=asked.id,
        references=(answers[choices.label],),
        choices=answers,
        label=choices.label,
    )
