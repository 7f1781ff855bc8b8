"""The flags of the command `evaluate`; nothing heavy is imported, so that `--help` is fast."""

import argparse

from train.flags import whole

LINE = "Evaluate a model on an evaluation build, or score a file of predictions."
# The benchmarks, for `--help`; those there are stand in `train.evaluation.benchmarks`.
CONFIGS = (
    "eval_coco, eval_coco_dilated, eval_coco_eroded, eval_lvis, eval_v3det, eval_captions, "
    "eval_dlc, eval_gar, eval_rec, eval_pope, eval_vcr"
)
EXAMPLES = """\
examples:
  regionforge evaluate --config eval_pope --shards /eval_pope --checkpoint runs/a
  regionforge evaluate --config eval_pope --shards /eval_pope --predictions theirs.jsonl
The same command again goes on where a run was stopped."""
Group = argparse._ArgumentGroup


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare all flags."""
    parser.add_argument("--config", required=True, metavar="NAME", help=f"one of {CONFIGS}")
    parser.add_argument("--shards", metavar="DIR", help="the build of the recipe of that name")
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="where the report goes (default: evaluation/CONFIG in the run's or model's folder; "
        "without --checkpoint, the folder of the file)",
    )
    _add_answers(parser.add_argument_group("whose answers"))
    _add_questions(parser.add_argument_group("which questions"))
    _add_model(parser.add_argument_group("the model of --checkpoint"))
    _add_metrics(parser.add_argument_group("metrics"))


def _add_answers(group: Group) -> None:
    group.add_argument(
        "--checkpoint",
        metavar="PATH",
        help="a model's: a run's folder, a step's, a model's folder, or a Hub name",
    )
    group.add_argument(
        "--baseline", choices=("clip",), help="a baseline's: CLIP's names of crops of the boxes"
    )
    group.add_argument("--clip-model", metavar="NAME", help="open_clip's (default: ViT-L-14-336)")
    group.add_argument(
        "--clip-weights",
        metavar="TAG",
        help="a tag of open_clip's, a file, or TAG=FILE (default: openai)",
    )
    group.add_argument(
        "--predictions", metavar="FILE", help="anyone's: predictions.jsonl, as evaluate writes it"
    )
    group.add_argument(
        "--judged",
        action="append",
        default=[],
        metavar="FILE",
        help="what `regionforge judge` has made of them (eval_dlc, eval_gar), alone or beside "
        "either; may be repeated",
    )


def _add_questions(group: Group) -> None:
    group.add_argument(
        "--split",
        action="append",
        metavar="NAME",
        help="a split of the build (default: all of them); may be repeated",
    )
    group.add_argument(
        "--limit", type=whole(1), metavar="N", help="those about N pictures, chosen by hash"
    )
    group.add_argument("--seed", type=whole(0), metavar="N", help="of that choice (default: 0)")
    group.add_argument("--image-root", metavar="DIR", help="the folder of referenced pictures")


def _add_model(group: Group) -> None:
    group.add_argument(
        "--regions",
        choices=("box", "mask"),
        help="the form in which the model is given regions (default: masks where it takes them "
        "and the build has them)",
    )
    group.add_argument(
        "--batch", type=whole(1), metavar="N", help="questions at once (default: 16)"
    )
    group.add_argument(
        "--max-new-tokens",
        type=whole(1),
        metavar="N",
        help="of an answer (default: the benchmark's)",
    )
    group.add_argument(
        "--choice-likelihood",
        action="store_true",
        help="also score the likelihood of yes and no (eval_pope)",
    )
    group.add_argument("--device", metavar="NAME", help="cpu or cuda (default: a GPU if any)")
    group.add_argument(
        "--dtype",
        choices=("bfloat16", "float16", "float32"),
        help="of weights and computation (default: bfloat16 on a GPU, else float32)",
    )
    group.add_argument(
        "--workers",
        type=whole(0),
        metavar="N",
        help="processes that read questions and pictures ahead (default: 2)",
    )


def _add_metrics(group: Group) -> None:
    group.add_argument(
        "--encoder",
        metavar="DIR",
        help="the folder of all-MiniLM-L6-v2: synonyms and semantic similarity of names",
    )
    group.add_argument(
        "--colon-rule",
        choices=("osprey", "blank"),
        help="what a colon in a name does: only what follows it counts, as in Osprey's script "
        "(the default), or it is a blank",
    )
    group.add_argument(
        "--grouped",
        action="store_true",
        help="captions: also with all sentences about a region as references of one answer",
    )
