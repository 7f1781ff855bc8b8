"""The instruction: the style, mode, wordings and shares by which tasks write exchanges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prompts.cutting import MAX_WORDS
from prompts.wordings import WordingSet
from schemas.ids import Hasher
from schemas.sample import ImageInfo, Task
from schemas.style import Style

REC_NEGATIVES = 0.2  # default share of choices without a right option
MAX_REC_NEGATIVES = 0.5  # the share where every choice comes with one that has no right option
NO_BOX_SHARE = 0.5  # default share of image conversations that declare no regions


class InstructionMode(StrEnum):
    """The ways to spread an image's regions over turns and conversations (RegionGPT, Table 13)."""

    MULTI_TURN_ALL = "multi_turn_all"  # one conversation, a turn for each region
    # Conversations of one turn, each about up to ten regions. A region whose category holds a comma
    # is asked about alone, because commas separate the names of an answer.
    ONE_TURN_ALL = "one_turn_all"
    ONE_TURN_ONE = "one_turn_one"  # a conversation for each region


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """The options of a recipe for the writing of exchanges."""

    style: Style
    mode: InstructionMode  # the mode of classification
    wordings: Mapping[str, WordingSet]
    seed: int
    rec_negatives: float = REC_NEGATIVES  # share of choices without a right option, 0 to 0.5
    no_box_share: float = NO_BOX_SHARE  # share of image conversations without regions, 0 to 1
    plain_captions: bool = False  # image captions follow the image alone, without a request
    merge: bool = False  # the tasks of an image share conversations
    # Names of the sets of wordings that define captioning in the gpt4roi style, by source.
    task_definitions: Mapping[str, str] = field(default_factory=dict)
    captions_per_conversation: int = 1  # captions of several regions, in the gpt4roi style
    # The share of a source's conversations that name the set of categories to answer from, by
    # source; those of other sources all do.
    suffix_shares: Mapping[str, float] = field(default_factory=dict)
    max_words: int = MAX_WORDS  # of a conversation; longer ones are cut between turns
    # The share of a source's conversations of a task that is kept, before tasks are merged, by
    # source and task; those of other tasks are all kept.
    weights: Mapping[str, Mapping[Task, float]] = field(default_factory=dict)
    evaluation: bool = False  # True: a model answers the conversations and is scored

    def hasher(self, image: ImageInfo) -> Hasher:
        """Return the hasher of an image, whose ranks depend on the seed and the image."""
        return Hasher(self.seed, image.source, image.split, image.image_id)
