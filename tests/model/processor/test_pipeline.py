"""transformers' pipeline for pictures and texts answers as `generate` does."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers import AutoModel, pipeline

from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.processor import RegionProcessor
from model.tiny import write_tiny_model

BOXES = [(0, 0, 16, 12), (32, 12, 64, 48)]


@pytest.mark.parametrize("make", [tiny_gpt4roi, tiny_regiongpt])
def test_a_pipeline_answers_as_generate(make: Any, picture: Image.Image, tmp_path: Path) -> None:
    write_tiny_model(tmp_path, make())
    ask: Any = pipeline("image-text-to-text", model=str(tmp_path), device="cpu")
    assert isinstance(ask.processor, RegionProcessor)
    words = {"type": "text", "text": "What are <region1> and <region2>?"}
    question = [{"role": "user", "content": [{"type": "image", "image": picture}, words]}]
    answers = ask(text=question, regions=BOXES, max_new_tokens=4, return_full_text=False)
    processor = RegionProcessor.from_pretrained(tmp_path)
    batch = processor.apply_chat_template(
        question, regions=BOXES, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    ids = AutoModel.from_pretrained(tmp_path).generate(**batch, max_new_tokens=4)
    assert answers[0]["generated_text"] == processor.post_process_image_text_to_text(ids)[0]
    whole = ask(text=question, regions=BOXES, max_new_tokens=4)[0]["generated_text"]
    assert whole[-1] == {"role": "assistant", "content": answers[0]["generated_text"]}


def test_options_of_pipelines(mask_processor: RegionProcessor) -> None:
    hello = [[{"role": "user", "content": "Hello"}]] * 2
    options: dict[str, Any] = {
        "tokenize": True,
        "add_generation_prompt": True,
        "continue_final_message": False,
    }
    more = {"padding": True, "padding_side": "left"}
    ids = mask_processor.apply_chat_template(hello, processor_kwargs=more, **options)
    assert len(ids) == 2
    with pytest.raises(ValueError, match="padding_side is 'top'"):
        mask_processor.apply_chat_template(hello, processor_kwargs={"padding_side": "top"})
    with pytest.raises(ValueError, match="continue_final_message is True, expected False"):
        mask_processor.apply_chat_template(hello, continue_final_message=True)
    with pytest.raises(ValueError, match="skip_special_tokens is False, expected True"):
        mask_processor.post_process_image_text_to_text([], skip_special_tokens=False)
