"""A tiny LLaVA that tells what colour a picture mostly has, in a sentence of that colour's own.

    VLLM/bin/python tests/vllm/make_llava.py DIR

writes a folder that vLLM serves: a CLIP that sees 112 x 112 pixels, a Llama of two layers, both of
random weights trained here for a minute, a tokenizer trained on this file, and a processor with a
chat template. All sentences have the same number of tokens. They share few words, so that a
region's caption does not repeat that of its image where the colours differ. What is asked is
ignored: so it was trained, on questions that mean nothing. Of two pictures it looks at the last
one. The same software makes it the same.
"""

import random
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SIDE, PATCH = 112, 14
IMAGE_TOKENS = (SIDE // PATCH) ** 2
IMAGE, END, PAD = "<image>", "</s>", "<pad>"
COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 150, 20),
    "blue": (20, 40, 220),
    "yellow": (240, 220, 20),
    "white": (235, 235, 235),
    "black": (25, 25, 25),
    "grey": (128, 128, 128),
    "orange": (240, 130, 20),
}
SENTENCES = {
    "red": "A red surface glows warmly here, smooth as wax under evening light "
    "that comes from far left.",
    "green": "Everything around is green, much like some lawn after heavy spring "
    "rain has fallen on fresh grass.",
    "blue": "Its paint looks blue even where brushes went twice, deep and cold as "
    "lakes are during winter.",
    "yellow": "Bright yellow fills nearly all of this, with soft blurred edges but "
    "no mark to disturb it.",
    "white": "Plain white stretches between both sides, clean and flat just as "
    "paper does before anybody writes there.",
    "black": "Nothing except black shows, dark like coal under closed lids so "
    "hardly one detail can still appear.",
    "grey": "Dull grey lies over every part, having the fine grain which concrete "
    "gets once its water dries.",
    "orange": "Here something orange hangs ripe, round at corners of the kind you "
    "would peel before eating slowly.",
}
# Pictures first, as they come; then the words.
TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: "
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}\n"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
STEPS, BATCH, RATE = 300, 16, 2e-3
MOST_PICTURES = 2
LONGEST_QUESTION = 240  # tokens
LONGEST_NAME = 24  # tokens before a picture


def main(folder: Path) -> None:
    """Make the model, train it, and save it with its processor."""
    torch.set_num_threads(1)  # sums depend on it, and two wait for each other on a busy machine
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    images = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # of the whole image, which is left out
        chat_template=TEMPLATE,
    )
    model = make_model(tokenizer)
    train(model, processor)
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    rename_weights(folder / "model.safetensors")


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and pairs of them that this file and the sentences hold often."""
    pairs = ByteLevelBPETokenizer()
    sentences = [*SENTENCES.values()] * 50
    pairs.train_from_iterator(
        [*Path(__file__).read_text(encoding="utf-8").splitlines(), *sentences],
        vocab_size=700,
        special_tokens=[PAD, END, IMAGE],
        show_progress=False,
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pairs._tokenizer,
        pad_token=PAD,
        eos_token=END,
        bos_token=END,
        extra_special_tokens={"image_token": IMAGE},
    )
    lengths = {len(tokenizer(sentence).input_ids) for sentence in sentences}
    assert len(lengths) == 1, f"sentences of {lengths} tokens"
    return tokenizer


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """The model, of random weights."""
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=IMAGE_TOKENS,
    )
    return LlavaForConditionalGeneration(config)


def train(model: LlavaForConditionalGeneration, processor: LlavaProcessor) -> None:
    """Teach it the sentences."""
    chance, noise = random.Random(0), np.random.default_rng(0)
    steps = torch.optim.AdamW(model.parameters(), lr=RATE)
    rates = torch.optim.lr_scheduler.OneCycleLR(steps, RATE, total_steps=STEPS)
    for step in range(STEPS):
        pictures = 1 + step % MOST_PICTURES
        shown = [chance.choices(list(COLOURS), k=pictures) for _ in range(BATCH)]
        pixels = processor.image_processor(
            [draw(colour, chance, noise) for colours in shown for colour in colours],
            return_tensors="pt",
        )
        tokens, labels = lesson(processor.tokenizer, shown, chance)
        output = model(input_ids=tokens, pixel_values=pixels["pixel_values"], labels=labels)
        steps.zero_grad()
        output.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
        rates.step()
        if step % 50 == 0 or step == STEPS - 1:
            print(f"step {step}: loss {output.loss.item():.4f}", file=sys.stderr, flush=True)


def rename_weights(file: Path) -> None:
    """Give CLIP's weights the names that they have on the Hub, which vLLM looks for."""
    own, hub = "vision_tower.", "vision_tower.vision_model."
    weights = load_file(file)
    named = {
        hub + name[len(own) :] if name.startswith(own) else name: weights[name] for name in weights
    }
    save_file(named, file, metadata={"format": "pt"})


def lesson(
    tokenizer: PreTrainedTokenizerFast, shown: list[list[str]], chance: random.Random
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and what is to be learned of them, (BATCH, tokens) both."""
    length = chance.randint(1, LONGEST_QUESTION)
    lengths = [chance.randint(0, LONGEST_NAME) for _ in shown[0]]
    rows, goals = [], []
    for colours in shown:
        before = tokenizer("USER: ").input_ids
        for name in lengths:
            before += words(tokenizer, name, chance)
            before += tokenizer(f"{IMAGE * IMAGE_TOKENS}\n").input_ids
        before += words(tokenizer, length, chance) + tokenizer("\nASSISTANT:").input_ids
        answer = tokenizer(f" {SENTENCES[colours[-1]]}{END}").input_ids
        rows.append(before + answer)
        goals.append([-100] * len(before) + answer)
    return torch.tensor(rows), torch.tensor(goals)


def words(tokenizer: PreTrainedTokenizerFast, number: int, chance: random.Random) -> list[int]:
    """Return tokens that mean nothing."""
    return chance.choices(range(3, len(tokenizer)), k=number)


def draw(colour: str, chance: random.Random, noise: np.random.Generator) -> Image.Image:
    """Return a picture that is mostly of one colour."""
    base = tuple(value + chance.randint(-15, 15) for value in COLOURS[colour])
    image = Image.new("RGB", (SIDE, SIDE), base)
    if chance.random() < 0.5:
        x, y, side = chance.randint(0, 80), chance.randint(0, 80), chance.randint(10, 45)
        other = COLOURS[chance.choice(list(COLOURS))]
        ImageDraw.Draw(image).rectangle((x, y, x + side, y + side), fill=other)
    grain: NDArray[np.float64] = noise.normal(0, chance.uniform(0, 12), (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
