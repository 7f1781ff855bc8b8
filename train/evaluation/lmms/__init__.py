"""Our models under lmms-eval (the extra `lmms`), which finds them by the name `regionforge`.

    python -m lmms_eval --model regionforge --tasks pope,refcocog_bbox_val --batch_size 16 \
        --model_args pretrained=runs/a

Arguments of `--model_args` besides `pretrained`: `dtype`, `max_new_tokens` (for tasks that state
none), and `regions`. By `regions=given`, the default, a task that asks about "this region" gives
the model the box as a region, on the clean picture; by `regions=drawn` it is drawn on the picture
in red, as other models see it. Decoding is greedy. Tasks that ask for likelihoods, for several
rounds or for sampling are refused.
"""

from typing import Any


def manifest() -> Any:
    """Return the entry of lmms-eval's list of models; nothing heavy is imported for it."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(
        model_id="regionforge", simple_class_path="train.evaluation.lmms.model.RegionForgeModel"
    )
