"""The processor of both models: pictures, texts and regions become a batch.

    processor = AutoProcessor.from_pretrained(folder)
    batch = processor(
        images=picture, text="<image>\\nWhat is in <region1>?", regions=[(12, 30, 200, 310)]
    )
    ids = model.generate(**batch, **processor.stopping())
    processor.post_process_image_text_to_text(ids)

The names and shapes of a batch are those of `model.batch`. Regions are in the frame of the upright
picture: a photograph that its camera marked as turned (EXIF) is turned before its regions are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from model.batch import Arrangement, Example, RegionBatch, join
from model.config import IGNORED, RegionConfig
from model.errors import InputError, naming
from model.example import make_example
from model.image_processor import RegionImageProcessor
from model.picture import Picture
from model.regiongpt.coverage import Sampling
from model.regions import RegionAs
from model.request import (
    CallOptions,
    ChatOptions,
    Message,
    Row,
    call_options,
    chat_rows,
    check_options,
    is_single,
    stored_picture,
    text_rows,
    training_row,
)
from model.text.encode import ConversationEncoder, EncodedPrompt
from model.text.sequence import TokenLayout
from model.text.template import chosen_template


class RegionProcessor(ProcessorMixin):
    """Makes the input of GPT4RoI and RegionGPT from pictures, texts and regions."""

    def __init__(  # noqa: PLR0913  # transformers restores a processor by these names
        self,
        image_processor: RegionImageProcessor,
        tokenizer: PreTrainedTokenizerBase,
        chat_template: str | None = None,
        template: str = "vicuna_v1",
        region_grid: int | None = None,
        image_boundaries: bool = False,
        max_length: int | None = None,
        mask_sampling: str = "area",
    ) -> None:
        """Make the processor; `processor_for` makes that of a configuration.

        Args:
            image_processor: makes the model's picture.
            tokenizer: the language model's.
            chat_template: the form of conversations where `template` is `chat`, in Jinja; by
                default the tokenizer's own.
            template: one of `model.config.TemplateName`, e.g. `vicuna_v0` or `chat`.
            region_grid: G cells on a side of the map from which regions are pooled; None: boxes.
            image_boundaries: there is a token before and one after the picture's.
            max_length: the most tokens of a row; turns at a training row's end are left out.
            mask_sampling: `area` or `bilinear`, see `RegionGPTConfig`.
        """
        super().__init__(image_processor, tokenizer, chat_template=chat_template)
        self.template = template
        self.region_grid = region_grid
        self.image_boundaries = image_boundaries
        self.max_length = max_length
        self.mask_sampling = Sampling(mask_sampling)
        layout = TokenLayout(image_processor.grid**2, image_boundaries, max_length)
        chosen = chosen_template(template, tokenizer, chat_template)
        self._encoder = ConversationEncoder(tokenizer, chosen, layout)
        self.chat_template = self._encoder.jinja
        if template != "chat" and chat_template not in (None, self.chat_template):
            raise ValueError(
                f"chat_template is not that of the template {template!r}: set template to 'chat' "
                "to write conversations in the form of a chat_template"
            )

    def __call__(
        self,
        images: Picture | Sequence[Picture | None] | None = None,
        text: str | Sequence[str] | None = None,
        regions: Sequence[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> BatchFeature:
        """Return the batch of one text, or of several.

        Args:
            images: the picture of a text, or a list with a picture or None for each of several
                texts. The forms are those of `model.picture.read_picture`.
            text: with `<image>` once where there is a picture, and `<region1>`, `<region2>`, ...
                Without a text, only pictures are made.
            regions: the regions of a text, or a list of such lists. The forms are those of
                `model.regions`; `<region1>` stands for the first.
            options: see `CallOptions`.

        Raises:
            RegionForgeError: the pictures, texts and regions are bad, or do not fit each other.
        """
        if text is None:
            if images is None or regions is not None:
                raise InputError("expected a text with the pictures and regions")
            return self.image_processor(images)
        check_options(options)
        rows = [self._encode_text(row) for row in text_rows(text, images, regions)]
        return self._join(rows, options)

    def apply_chat_template(  # the names are transformers'
        self,
        conversation: Sequence[Any],
        *,
        images: Picture | Sequence[Picture | None] | None = None,
        regions: Sequence[Any] | None = None,
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        return_dict: bool = False,
        **options: Unpack[ChatOptions],
    ) -> Any:
        """Return messages as text, or as the batch of one conversation or of several.

        Args:
            conversation: messages, or a list of conversations; see `model.request` for their form.
            images: see `__call__`; pictures may be in the messages' parts instead.
            regions: see `__call__`.
            add_generation_prompt: end with the words after which the assistant answers.
            tokenize: return a batch, not text.
            return_dict: return the whole batch, not only its ids.
            options: see `ChatOptions`.
        """
        chosen = call_options(options)
        if not tokenize:
            rows = chat_rows(conversation, None, None)
            written = [
                self._encoder.render(row.content, generate=add_generation_prompt) for row in rows
            ]
            return written[0] if is_single(conversation) else written
        rows = chat_rows(conversation, images, regions)
        encoded = [self._encode_chat(row, generate=add_generation_prompt) for row in rows]
        batch = self._join(encoded, chosen)
        return batch if return_dict else batch["input_ids"]

    def stopping(self) -> dict[str, Any]:
        """Return the arguments of `generate` that end an answer where the template ends it."""
        arguments: dict[str, Any] = {}
        if self._encoder.stop_strings:
            arguments |= {
                "stop_strings": list(self._encoder.stop_strings),
                "tokenizer": self.tokenizer,
            }
        if self._encoder.stop_ids:
            arguments["eos_token_id"] = list(self._encoder.stop_ids)
        return arguments

    def post_process_image_text_to_text(
        self, generated_outputs: Any, skip_special_tokens: bool = True
    ) -> list[str]:
        """Return the answers in what `generate` returned, without stops and the blanks around.

        Args:
            generated_outputs: [B, new] ids, as our models' `generate` returns them.
            skip_special_tokens: True, as pipelines have it.
        """
        if not skip_special_tokens:
            raise ValueError("skip_special_tokens is False, expected True: answers are without")
        return [self._encoder.answer(ids.tolist()) for ids in generated_outputs]

    def answer_ids(self, answer: str) -> list[int]:
        """Return the ids of an answer and its stop, e.g. for `model.choices.score_choices`."""
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
        encoded = self._encoder.encode_conversation(messages, 0, "the answer")
        return [label for label in encoded.labels if label != IGNORED]

    def encode_row(self, row: Mapping[str, Any], region_as: RegionAs | None = None) -> Example:
        """Return a record for training.

        Args:
            row: as `schemas.shard.SCHEMA` has it, its image as bytes or decoded; of a row made
                by hand, `messages`, and its `image` and `regions` where it has some, are enough.
            region_as: see `CallOptions`.

        Raises:
            RegionForgeError: the row is bad, or its first question and answer are too long.
        """
        name, messages, regions = training_row(row)
        encoded = self._encoder.encode_conversation(messages, len(regions), name)
        with naming(name):
            picture = stored_picture(row)
        kept = {region + 1: regions[region + 1] for region in encoded.kept_regions}
        example = self._example(Row(name, encoded, picture, kept), region_as)
        return replace(example, labels=encoded.labels, dropped_turns=encoded.dropped_turns)

    def encode_prompt(
        self,
        messages: Sequence[Message],
        picture: Picture | None = None,
        regions: Sequence[Any] = (),
        region_as: RegionAs | None = None,
    ) -> Example:
        """Return messages up to an answer, to be joined with other prompts by `collate`.

        Args:
            messages: each with `role` and `content`; the last is a user's.
            picture: in a form that `model.picture.read_picture` takes; None: the text has none.
            regions: in the forms of `model.regions`; `<region1>` stands for the first.
            region_as: see `CallOptions`.

        Raises:
            RegionForgeError: the parts are bad, do not fit each other, or are too long.
        """
        row = Row("the prompt", list(messages), picture, dict(enumerate(regions, start=1)))
        encoded = self._encode_chat(row, generate=True)
        self._check_length(encoded)
        return self._example(encoded, region_as)

    def collate(self, examples: Sequence[Example], *, packed: bool = False) -> RegionBatch:
        """Return the batch of rows: those of training padded on the right, prompts on the left.

        Args:
            examples: of `encode_row`, or of `encode_prompt`.
            packed: put the rows one after another instead of padding them.
        """
        padded: Arrangement = "left" if examples and examples[0].labels is None else "right"
        arrangement: Arrangement = "packed" if packed else padded
        return join(examples, self._pad_id, arrangement, self.image_processor.normalised)

    @property
    def _pad_id(self) -> int:
        """The id between rows; no token sees it, so any will do."""
        return int(self.tokenizer.pad_token_id or 0)

    def _encode_text(self, row: Row[str]) -> Row[EncodedPrompt]:
        encoded = self._encoder.encode_text(row.content, len(row.regions), row.name)
        return row.with_content(encoded)

    def _encode_chat(self, row: Row[list[Message]], *, generate: bool) -> Row[EncodedPrompt]:
        """Return messages as ids: as a prompt, as a finished conversation, or as they stand."""
        messages, regions = row.content, len(row.regions)
        if generate:
            return row.with_content(self._encoder.encode_prompt(messages, regions, row.name))
        if messages[-1]["role"] != "assistant":
            text = self._encoder.render(messages, generate=False)
            return self._encode_text(row.with_content(text))
        encoded = self._encoder.encode_conversation(messages, regions, row.name)
        if encoded.dropped_turns:
            raise InputError(f"{row.name}: more than max_length, {self.max_length} tokens")
        return row.with_content(encoded)

    def _join(self, rows: Sequence[Row[EncodedPrompt]], options: CallOptions) -> RegionBatch:
        for row in rows:
            self._check_length(row)
        lengths = [len(row.content.input_ids) for row in rows]
        if not options.get("padding", True) and len(set(lengths)) > 1:
            raise InputError("rows of different lengths without padding, expected padding=True")
        examples = [self._example(row, options.get("region_as")) for row in rows]
        arrangement = options.get("padding_side", "left")
        return join(examples, self._pad_id, arrangement, self.image_processor.normalised)

    def _check_length(self, row: Row[EncodedPrompt]) -> None:
        length = len(row.content.input_ids)
        if self.max_length is not None and length > self.max_length:
            raise InputError(f"{row.name}: {length} tokens, expected {self.max_length} at most")

    def _example(self, row: Row[EncodedPrompt], region_as: RegionAs | None) -> Example:
        return make_example(
            row, self.image_processor, region_as, self.region_grid, self.mask_sampling
        )


def processor_for(
    config: RegionConfig, tokenizer: PreTrainedTokenizerBase, max_length: int | None = None
) -> RegionProcessor:
    """Return the processor of a model.

    Args:
        config: the model's.
        tokenizer: its language model's.
        max_length: the most tokens of a row; by default as many as the language model takes.
    """
    longest = getattr(config.text_config, "max_position_embeddings", None)
    return RegionProcessor(
        RegionImageProcessor.from_config(config),
        tokenizer,
        template=config.template,
        region_grid=getattr(config, "region_grid", None),
        image_boundaries=getattr(config, "image_boundaries", False),
        max_length=longest if max_length is None else max_length,
        mask_sampling=getattr(config, "mask_sampling", "area"),
    )
