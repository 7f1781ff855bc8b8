"""The papers to cite: the papers of each data set, and the paper of the instruction style."""

from collections.abc import Iterable, Mapping

from pipelines.datasets.catalog import dataset
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


def citing_section(sources: Iterable[str], styles: Iterable[Style]) -> str:
    """Return the card's section of papers to cite, with each paper once.

    Args:
        sources: the names of the data sets, without a user's own.
        styles: the styles of the instructions.
    """
    papers = [paper for name in sources for paper in dataset(name).papers]
    papers += [_STYLES[style] for style in styles]
    listed = "\n".join(f"- {paper}" for paper in dict.fromkeys(papers))
    return f"## Citing\n\nPlease cite the owners of the sources you use:\n\n{listed}"
