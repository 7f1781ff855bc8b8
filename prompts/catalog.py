"""The table of tasks and the table of wording sets, with a line for each entry.

A file given with `--wordings` may replace any set by name.
"""

from collections.abc import Callable, Mapping

from prompts import (
    image_caption,
    image_conversation,
    multi_region_answer,
    multi_region_caption,
    recap_given,
    recap_marked,
    referring_expression_comprehension,
    region_attribute,
    region_caption,
    region_classification,
    region_count,
    region_detailed_caption,
    region_reasoning,
    region_relationship,
    region_yes_no,
)
from prompts import recap as recap_prompts
from prompts.dialogue import Exchange
from prompts.evaluation import (
    captions,
    choice,
    classification,
    detailed,
    reasoning,
    region_question,
    relationship,
    yes_no,
)
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.sample import ScreenedImage, Task

# A function that returns an image's conversations for a task, in order, as exchanges.
Dialogues = Callable[[ScreenedImage, Instruction], list[list[Exchange]]]

DIALOGUES: Mapping[Task, Dialogues] = {
    Task.IMAGE_CAPTION: image_caption.dialogues,
    Task.IMAGE_CONVERSATION: image_conversation.dialogues,
    Task.MULTI_REGION_CAPTION: multi_region_caption.dialogues,
    Task.REGION_CLASSIFICATION: region_classification.dialogues,
    Task.REGION_CAPTION: region_caption.dialogues,
    Task.REGION_DETAILED_CAPTION: region_detailed_caption.dialogues,
    Task.REFERRING_EXPRESSION_COMPREHENSION: referring_expression_comprehension.dialogues,
    Task.REGION_RELATIONSHIP: region_relationship.dialogues,
    Task.REGION_REASONING: region_reasoning.dialogues,
    Task.REGION_ATTRIBUTE: region_attribute.dialogues,
    Task.REGION_YES_NO: region_yes_no.dialogues,
    Task.REGION_COUNT: region_count.dialogues,
    Task.MULTI_REGION_ANSWER: multi_region_answer.dialogues,
}

EVALUATIONS: Mapping[Task, Dialogues] = {
    Task.IMAGE_CONVERSATION: yes_no.dialogues,
    Task.REGION_CLASSIFICATION: classification.dialogues,
    Task.REGION_CAPTION: captions.dialogues,
    Task.REFERRING_EXPRESSION_COMPREHENSION: choice.dialogues,
    Task.REGION_REASONING: reasoning.dialogues,
    Task.REGION_DETAILED_CAPTION: detailed.dialogues,
    Task.REGION_RELATIONSHIP: relationship.dialogues,
}

# The sets of wordings that a task uses, in any style, mode and evaluation.
WORDINGS_OF: Mapping[Task, tuple[WordingSet, ...]] = {
    Task.IMAGE_CAPTION: (),
    Task.IMAGE_CONVERSATION: (),
    Task.MULTI_REGION_CAPTION: (
        multi_region_caption.CAPTION,
        multi_region_caption.PHRASE,
        multi_region_caption.GROUP_PHRASE,
    ),
    Task.REGION_CLASSIFICATION: (
        region_classification.ONE_REGION,
        region_classification.SEVERAL_REGIONS,
        region_classification.DETECTION_TASK,
    ),
    Task.REGION_CAPTION: (
        *region_caption.BY_FORM.values(),
        region_caption.EVALUATION,
        region_caption.REFERRING_TASK,
        region_caption.REFERRING_TASK_NO_POSITION,
    ),
    Task.REGION_DETAILED_CAPTION: (region_detailed_caption.DETAILED, detailed.DESCRIPTION),
    Task.REFERRING_EXPRESSION_COMPREHENSION: (referring_expression_comprehension.CHOICE,),
    Task.REGION_RELATIONSHIP: (region_relationship.RELATIONSHIP, relationship.DESCRIPTION),
    Task.REGION_REASONING: (
        region_reasoning.ALL_OBJECTS,
        region_reasoning.REASON,
        region_question.LETTER,
    ),
    Task.REGION_ATTRIBUTE: (*region_attribute.BY_NAME.values(), region_attribute.OWNERS),
    Task.REGION_YES_NO: (region_yes_no.YES_NO,),
    Task.REGION_COUNT: (region_count.COUNT,),
    Task.MULTI_REGION_ANSWER: (multi_region_answer.RESPECTIVELY,),
}

WORDING_SETS: Mapping[str, WordingSet] = {
    wordings.name: wordings
    for sets in (
        *WORDINGS_OF.values(),
        (*recap_prompts.SETS, recap_prompts.ENDING),
        recap_given.GIVEN_SETS,
        (*recap_marked.MARKED_SETS, *recap_marked.SINGLE),
    )
    for wordings in sets
}
