"""The flags of `chat`, `answer`, `serve`; nothing heavy is imported, so that `--help` is fast."""

import argparse
import math

from train.flags import whole

CHAT_LINE = "Talk with a trained model about a picture and its regions."
CHAT_EXAMPLES = """\
examples:
  regionforge chat --checkpoint runs/a --image street.jpg --region 12,30,200,310
  regionforge chat --checkpoint runs/a --image street.jpg --detections boxes.json --image-id 7
  regionforge chat --checkpoint runs/a --web
  echo "What is region1?" | regionforge chat --checkpoint runs/a --image a.jpg --region mask.png
Each line of standard input is a question, which names regions as region1, region2, ..."""
ANSWER_LINE = "Put many questions about regions to a trained model, and write its answers."
ANSWER_EXAMPLES = """\
examples:
  regionforge answer --checkpoint runs/a --images photos --regions boxes.json \\
      --question "What is region1?" --output answers
  regionforge answer --checkpoint runs/a --shards /shards --split val --output answers
The same command again goes on where it was stopped."""
SERVE_LINE = "Serve a trained model by OpenAI's protocol, with regions in its requests."
SERVE_EXAMPLES = """\
examples:
  regionforge serve --checkpoint runs/a --name regiongpt --port 8000
  regionforge serve --checkpoint runs/a --engine vllm --vllm /opt/vllm/bin/vllm
Then http://127.0.0.1:8000/v1 is an endpoint, e.g. of `regionforge recap --endpoint`."""
BUILTIN, VLLM = "builtin", "vllm"  # engines of `serve`
Group = argparse._ArgumentGroup


def add_chat_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `chat`."""
    _add_checkpoint(parser)
    parser.add_argument(
        "--image", metavar="FILE", help="the picture (default: the talk is about none)"
    )
    _add_regions(
        parser.add_argument_group("regions, numbered in the order in which they are named")
    )
    _add_web(parser.add_argument_group("a page in a browser instead (the extra demo)"))
    _add_model(parser.add_argument_group("the model"))


def add_answer_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `answer`."""
    _add_checkpoint(parser)
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="the folder of answers.jsonl; a run in it goes on",
    )
    _add_asked(parser.add_argument_group("what is asked: each turn of a build, or a question"))
    model = parser.add_argument_group("the model")
    _add_model(model)
    _add_bulk(model)


def add_serve_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `serve`."""
    _add_checkpoint(parser)
    _add_address(parser.add_argument_group("the server"))
    _add_model(parser.add_argument_group("the model"))
    _add_engine(parser.add_argument_group("what generates the answers"))
    _add_limits(parser.add_argument_group("limits"))


def _add_regions(group: Group) -> None:
    group.add_argument(
        "--region",
        action="append",
        default=[],
        metavar="REGION",
        help="x1,y1,x2,y2 in pixels of the upright picture, a picture of a mask (what is not black "
        'is inside), or run lengths {"size": [h, w], "counts": ...}, also in a .json file; may be '
        "repeated",
    )
    group.add_argument(
        "--detections",
        metavar="FILE",
        help="the boxes or masks of a detector, in COCO's results format; all are listed before "
        "the first question, as GPT4RoI does",
    )
    group.add_argument("--image-id", metavar="N", help="whose detections are meant")
    group.add_argument(
        "--min-score", type=_score, metavar="X", help="leave out detections below (default: 0.5)"
    )


def _add_web(group: Group) -> None:
    group.add_argument(
        "--web",
        action="store_true",
        help="open pictures and draw regions on a page, for browsers on this machine alone",
    )
    group.add_argument(
        "--port",
        type=whole(0),
        metavar="N",
        help="where the page is (default: 7860; 0: a free port, which is printed)",
    )


def _add_address(group: Group) -> None:
    group.add_argument(
        "--name", metavar="NAME", help="the model's, in requests (default: its folder's)"
    )
    group.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to listen (default: %(default)s, this machine alone); there is no password",
    )
    group.add_argument(
        "--port",
        type=whole(0),
        default=8000,
        metavar="N",
        help="default: %(default)s; 0: a free one, which is printed",
    )


def _add_engine(group: Group) -> None:
    group.add_argument(
        "--engine",
        choices=(BUILTIN, VLLM),
        default=BUILTIN,
        help="this process, or a vLLM that is started with the language model and is given the "
        "embeddings of prompts (default: %(default)s)",
    )
    group.add_argument(
        "--vllm",
        metavar="PATH",
        help="for --engine vllm: its own Python, or its executable (default: `vllm` on the PATH)",
    )
    group.add_argument(
        "--vllm-args",
        metavar="FLAGS",
        help="for --engine vllm: vLLM's flags, e.g. --vllm-args='--gpu-memory-utilization 0.7'",
    )


def _add_limits(group: Group) -> None:
    group.add_argument(
        "--batch",
        type=whole(1),
        default=16,
        metavar="N",
        help="requests that are answered together, at most (default: %(default)s)",
    )
    group.add_argument(
        "--waiting",
        type=whole(1),
        default=64,
        metavar="N",
        help="requests that wait, at most (default: %(default)s); others are sent away",
    )
    group.add_argument(
        "--max-body",
        type=whole(1),
        default=32,
        metavar="MIB",
        help="size of a request in MiB, its picture included (default: %(default)s)",
    )
    group.add_argument(
        "--timeout",
        type=whole(1),
        default=120,
        metavar="SECONDS",
        help="from a request's beginning to its answer's end (default: %(default)s)",
    )


def _add_bulk(group: Group) -> None:
    group.add_argument(
        "--batch",
        type=whole(1),
        default=16,
        metavar="N",
        help="questions at once (default: %(default)s)",
    )
    group.add_argument(
        "--workers",
        type=whole(0),
        default=2,
        metavar="N",
        help="processes that read questions and pictures ahead (default: %(default)s)",
    )


def _add_asked(group: Group) -> None:
    group.add_argument("--shards", metavar="DIR", help="the output of `regionforge build`")
    group.add_argument(
        "--split",
        action="append",
        metavar="NAME",
        help="a split of the build (default: all of them); may be repeated",
    )
    group.add_argument("--image-root", metavar="DIR", help="the folder of referenced pictures")
    group.add_argument("--images", metavar="DIR", help="the folder of pictures, with --regions")
    group.add_argument(
        "--regions",
        metavar="FILE",
        help="images and annotations in COCO's format; each annotation is asked about",
    )
    group.add_argument(
        "--question", metavar="TEXT", help="what is asked about each region, as region1"
    )


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="PATH",
        help="a run's folder, a step's, a model's folder, or a Hub name",
    )


def _add_model(group: Group) -> None:
    group.add_argument(
        "--max-new-tokens",
        type=whole(1),
        default=512,
        metavar="N",
        help="of an answer (default: %(default)s)",
    )
    group.add_argument("--device", metavar="NAME", help="cpu or cuda (default: a GPU if any)")
    group.add_argument(
        "--dtype",
        choices=("bfloat16", "float16", "float32"),
        help="of weights and computation (default: bfloat16 on a GPU, else float32)",
    )


def _score(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1")
    return number


COMMANDS = (
    ("chat", CHAT_LINE, CHAT_EXAMPLES, add_chat_flags),
    ("answer", ANSWER_LINE, ANSWER_EXAMPLES, add_answer_flags),
    ("serve", SERVE_LINE, SERVE_EXAMPLES, add_serve_flags),
)
