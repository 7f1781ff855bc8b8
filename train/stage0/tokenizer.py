"""A small tokenizer of Llama's kind, trained on the words of a build.

Byte pair encoding within words; a blank stands as U+2581 before its word; characters outside the
alphabet fall back on bytes. `<s>` begins a text, `</s>` ends an answer:

    "a red star"  ->  <s> ▁a ▁red ▁star
"""

from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

SPACE = "\u2581"
_SPECIAL = ("<unk>", "<s>", "</s>")


def train_tokenizer(
    texts: Iterable[str], *, vocabulary: int, max_length: int = 2048
) -> PreTrainedTokenizerBase:
    """Return a tokenizer trained on texts.

    Args:
        texts: the texts, e.g. all messages of a build.
        vocabulary: the most tokens; 259 are the special ones and the bytes.
        max_length: the most tokens of a text, for its users.
    """
    learner = _empty(pre_tokenizers.Split(SPACE, "merged_with_next"))
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    learner.train_from_iterator(
        (SPACE + line.strip().replace(" ", SPACE) for text in texts for line in text.splitlines()),
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=[*_SPECIAL, *alphabet], show_progress=False
        ),
    )
    tokenizer = _empty(pre_tokenizers.Metaspace(prepend_scheme="first", split=False))
    tokenizer.model = learner.model
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(word, special=True, normalized=False) for word in _SPECIAL]
    )
    unknown, begin, end = _SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token=end,
        unk_token=unknown,
        pad_token=unknown,
        add_bos_token=True,
        model_max_length=max_length,
        padding_side="left",
    )


def _empty(pre_tokenizer: pre_tokenizers.PreTokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=_SPECIAL[0], fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer
