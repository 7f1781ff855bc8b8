"""The forms in which a conversation is written, each a Jinja template in transformers' manner.

`vicuna_v0` (GPT4RoI), which ends answers with `###`:

    A chat between a curious human and … the human's questions.

    ### Human: <image>
    What is in <region1>?
    ### Assistant: a red star
    ###

`vicuna_v0_released`: the same text, of which a model also learns the roles' words, as GPT4RoI's
released code has it.

`vicuna_v1` (RegionGPT), which ends them with `</s>`:

    A chat between a curious user and … the user's questions. USER: <image>
    What is in <region1>? ASSISTANT: a red star</s>

`plain` (captions of whole images, where nothing is asked): `<image>a red star`, and a line break.

`chat`: a language model's own, from its tokenizer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from transformers import PreTrainedTokenizerBase

from model.config import TemplateName
from schemas.errors import UsageError
from schemas.sample import IMAGE_TOKEN

Messages = Sequence[Mapping[str, str]]  # each with `role` and `content`


@dataclass(frozen=True)
class Template:
    """The form of a conversation.

    Attributes:
        name: that of a configuration, or `plain`.
        jinja: the template of transformers' `apply_chat_template`.
        stop: the text that ends an answer; None: the first special token after it.
        stop_strings: texts at which generation ends, beside the special token.
        plain_captions: conversations that ask nothing (see `asks_nothing`) are written plainly.
        learned: a pattern of the template's own words that are supervised beside the answers.
    """

    name: str
    jinja: str
    stop: str | None = None
    stop_strings: tuple[str, ...] = ()
    plain_captions: bool = True
    learned: str = "(?!)"  # none


_CURIOUS_HUMAN = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the human's questions."
)
_CURIOUS_USER = _CURIOUS_HUMAN.replace("human", "user")

_SYSTEM = (
    "{{{{ bos_token }}}}{{% if messages[0]['role'] == 'system' %}}{{{{ messages[0]['content'] }}}}"
    '{{% else %}}{{{{ "{sentence}" }}}}{{% endif %}}'
)
_VICUNA_V0 = (
    _SYSTEM.format(sentence=_CURIOUS_HUMAN) + "{{ '\\n\\n' }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '### Human: ' + message['content'] + '\\n' }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ '### Assistant: ' + message['content'] + '\\n' }}"
    "{% endif %}{% endfor %}"
    "{{ '### Assistant:' if add_generation_prompt else '###' }}"
)
_VICUNA_V1 = (
    _SYSTEM.format(sentence=_CURIOUS_USER) + "{{ ' ' }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'USER: ' + message['content'] + ' ' }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ 'ASSISTANT: ' + message['content'] + eos_token }}"
    "{% endif %}{% endfor %}"
    "{{ 'ASSISTANT:' if add_generation_prompt }}"
)
_PLAIN = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    "{{ '' if add_generation_prompt else '\\n' }}"
)
_ASKS_NOTHING = (
    "{% if messages | length <= 2 and messages[0]['role'] == 'user' and messages[0]['content'] "
    f"== '{IMAGE_TOKEN}' %}}"
)

VICUNA_V0 = Template(
    "vicuna_v0", _VICUNA_V0, stop="\n###", stop_strings=("###",), plain_captions=False
)
VICUNA_V0_RELEASED = replace(
    VICUNA_V0, name="vicuna_v0_released", learned="### Human|^ Human|### Assistant:"
)
VICUNA_V1 = Template("vicuna_v1", _VICUNA_V1)
PLAIN = Template("plain", _PLAIN, stop="\n", stop_strings=("\n",))


def chosen_template(
    name: str, tokenizer: PreTrainedTokenizerBase, chat_template: str | None = None
) -> Template:
    """Return the template of a configuration's `template`.

    Args:
        name: one of `model.config.TemplateName`.
        tokenizer: the language model's.
        chat_template: the form of conversations for `chat`, in Jinja; None: the tokenizer's own.

    Raises:
        UsageError: it is `chat`, and the tokenizer has no chat template either.
    """
    if name not in (names := get_args(TemplateName)):
        raise ValueError(f"template is {name!r}, expected one of {', '.join(names)}")
    if name == "chat":
        form = tokenizer.chat_template if chat_template is None else chat_template
        if not isinstance(form, str):
            raise UsageError(
                "the template is 'chat', and the language model's tokenizer has no chat template "
                "(chat_template.jinja): choose 'vicuna_v1', or a language model made for chat"
            )
        return Template("chat", form)
    return next(
        template for template in (VICUNA_V0, VICUNA_V0_RELEASED, VICUNA_V1) if template.name == name
    )


def asks_nothing(messages: Messages) -> bool:
    """Return whether the one user turn is exactly `<image>`: a caption without a question."""
    first = messages[0]
    return len(messages) <= 2 and first["role"] == "user" and first["content"] == IMAGE_TOKEN


def saved_jinja(template: Template) -> str:
    """Return the Jinja template to be saved with the tokenizer, which chooses `plain` itself."""
    if not template.plain_captions or template.jinja.startswith(_ASKS_NOTHING):
        return template.jinja
    written = template.jinja.removesuffix("\n")  # Jinja drops it at the end of a template
    return f"{_ASKS_NOTHING}{_PLAIN}{{% else %}}{written}{{% endif %}}"


def render(
    tokenizer: PreTrainedTokenizerBase, jinja: str, messages: Messages, *, generate: bool
) -> str:
    """Return the text of a conversation.

    Models that may think before they answer are asked not to: the data hold no thoughts.

    Args:
        tokenizer: names the special tokens.
        jinja: a template.
        messages: the turns.
        generate: the text ends where an answer begins.
    """
    text: str = tokenizer.apply_chat_template(
        [dict(message) for message in messages],
        chat_template=jinja,
        tokenize=False,
        add_generation_prompt=generate,
        enable_thinking=False,
    )
    return text
