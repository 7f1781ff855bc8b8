"""The papers to cite: the papers of each data set, and the paper of the instruction style."""

from collections.abc import Iterator, Mapping

from pipelines.datasets.catalog import dataset
from pipelines.plan import Plan
from schemas.style import Style

_REGIONGPT = (
    "Qiushan Guo, Shalini De Mello, Hongxu Yin, Wonmin Byeon, Ka Chun Cheung, Yizhou Yu, Ping Luo, "
    "Sifei Liu. RegionGPT: Towards Region Understanding Vision Language Model. CVPR 2024."
)
_GPT4ROI = (
    "Shilong Zhang, Peize Sun, Shoufa Chen, Min Xiao, Wenqi Shao, Wenwei Zhang, Kai Chen, Ping "
    "Luo. GPT4RoI: Instruction Tuning Large Language Model on Region-of-Interest. "
    "arXiv:2307.03601, 2023."
)

_STYLES: Mapping[Style, str] = {Style.REGIONGPT: _REGIONGPT, Style.GPT4ROI: _GPT4ROI}


def citing_section(plan: Plan) -> str:
    """Return the card's section of papers to cite, with each paper once."""
    listed = "\n".join(f"- {paper}" for paper in dict.fromkeys(_papers(plan)))
    return f"## Citing\n\nPlease cite the owners of the sources you use:\n\n{listed}"


def _papers(plan: Plan) -> Iterator[str]:
    for source in plan.recipe.sources:
        if source.annotations is None:
            yield from dataset(source.name).papers
    yield _STYLES[plan.recipe.style]
