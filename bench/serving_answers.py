"""Answers about regions of held-out pictures: through each way of asking, those of the evaluation.

    python -m bench.serving_answers [--data DIR] [--checkpoint RUN --shards DIR]
                                    [--pictures N] [--browser N]

The tiny model is that of `regionforge demo`, which is trained unless it is there, or the one that
is named with an evaluation build. `regionforge evaluate` scores it; then the same questions are put
through `answer`, and those about the first N pictures through `chat`, `serve` and the page. Boxes
on the page are clicked, so their corners are whole pixels of what is shown. The first N questions
are also asked in a browser, where gradio and Chromium are installed. The end is 1 where an answer
differs, or the page is less often right.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.chromium import chromium, find_chromium
from bench.serving import served
from bench.serving_page import ask, click_box, open_picture, served_page
from bench.serving_ways import (
    Answers,
    HeldOut,
    evaluated,
    held_out_questions,
    share_right,
    through_answer,
    through_chat,
    through_page,
    through_server,
)
from regionforge.demo_training import train_and_ask
from schemas.console import Console
from schemas.process import run_process
from train.serve.serving import model_name

DATA = Path(__file__).parent / "data" / "serving"
_LESS = 0.01  # share of right answers that the page may have less than the evaluation
_SHOT = "page.png"


def main() -> int:
    """Train unless it was done, ask in all ways, and print the shares of right answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR")
    parser.add_argument("--checkpoint", type=Path, metavar="RUN")
    parser.add_argument("--shards", type=Path, metavar="DIR", help="of the recipe eval_v3det")
    parser.add_argument(
        "--browser", type=int, default=4, metavar="N", help="questions in a browser"
    )
    parser.add_argument(
        "--pictures", type=int, default=40, metavar="N", help="default: %(default)s"
    )
    args = parser.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    checkpoint, shards = args.checkpoint, args.shards
    if checkpoint is None:
        checkpoint, shards = args.data / "run_stage2", args.data / "proof_eval"
        if not checkpoint.exists() and not train_and_ask(Console(), args.data, None):
            return 1
    questions = held_out_questions(shards, args.data / "pictures")
    right = evaluated(checkpoint, shards, args.data / "evaluation")
    print(f"evaluate: {share_right(questions, right):.4f} right of {len(questions)}", flush=True)
    by_answer = through_answer(checkpoint, shards, args.data / "answers")
    faults = _faults("answer", by_answer, right, questions)
    pictures = sorted({each.picture for each in questions})[: args.pictures]
    questions = [each for each in questions if each.picture in pictures]
    with served(str(checkpoint), batch=16) as address:
        name = model_name(str(checkpoint))
        by_server = asyncio.run(through_server(address, name, questions))
    faults += _faults("serve", by_server, right, questions)
    faults += _faults("chat", through_chat(checkpoint, questions), right, questions)
    by_page = through_page(checkpoint, questions)
    faults += _faults("page", by_page, right, questions)
    if args.browser and find_chromium() and find_spec("gradio"):
        some = questions[: args.browser]
        faults += _faults("browser", _in_browser(checkpoint, some, args.data), by_page, some)
    print("\n".join(faults) or "all ways hold")
    return 1 if faults else 0


def _faults(
    name: str, answers: Answers, expected: Mapping[str, str], questions: Sequence[HeldOut]
) -> list[str]:
    """Print the score of a way, and return what is wrong with it."""
    right, least = share_right(questions, answers), share_right(questions, expected)
    differing = sum(answers.get(each.id) != expected[each.id] for each in questions)
    print(f"{name}: {right:.4f} right; {differing} answers differ", flush=True)
    if name == "page":
        return [f"page: {right:.4f}, expected {least:.4f}"] if right < least - _LESS else []
    return [f"{name}: {differing} answers differ"] if differing else []


def _in_browser(checkpoint: Path, questions: Sequence[HeldOut], folder: Path) -> Answers:
    """Return the answers of the page in a browser, and leave a picture of its window."""
    answers = Answers()
    with served_page(checkpoint) as address, chromium(folder / "profile") as page:
        for each in questions:
            open_picture(page, address, each.picture)
            click_box(page, each.box_shares())
            answers[each.id] = ask(page, each.words)
        page.screenshot(folder / _SHOT)
    return answers


if __name__ == "__main__":
    run_process(main)
