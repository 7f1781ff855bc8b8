"""What to cite: the papers of each data set, and of what its instructions are modelled on."""

from collections.abc import Iterator, Mapping

from pipelines.plan import Plan
from prompts.style import Style

COCO = (
    "Tsung-Yi Lin, Michael Maire, Serge Belongie, James Hays, Pietro Perona, Deva Ramanan, Piotr "
    "Dollár, C. Lawrence Zitnick. Microsoft COCO: Common Objects in Context. ECCV 2014."
)
LVIS = (
    "Agrim Gupta, Piotr Dollár, Ross Girshick. LVIS: A Dataset for Large Vocabulary Instance "
    "Segmentation. CVPR 2019."
)
REFERIT_GAME = (
    "Sahar Kazemzadeh, Vicente Ordonez, Mark Matten, Tamara Berg. ReferItGame: Referring to "
    "Objects in Photographs of Natural Scenes. EMNLP 2014."
)
REFCOCO = (
    "Licheng Yu, Patrick Poirson, Shan Yang, Alexander C. Berg, Tamara L. Berg. Modeling Context "
    "in Referring Expressions. ECCV 2016."
)
REFCOCOG = (
    "Junhua Mao, Jonathan Huang, Alexander Toshev, Oana Camburu, Alan L. Yuille, Kevin Murphy. "
    "Generation and Comprehension of Unambiguous Object Descriptions. CVPR 2016."
)
UMD_SPLIT = (
    "Varun K. Nagaraja, Vlad I. Morariu, Larry S. Davis. Modeling Context Between Objects for "
    "Referring Expression Understanding. ECCV 2016."
)
VISUAL_GENOME = (
    "Ranjay Krishna, Yuke Zhu, Oliver Groth, Justin Johnson, Kenji Hata, Joshua Kravitz, Stephanie "
    "Chen, Yannis Kalantidis, Li-Jia Li, David A. Shamma, Michael S. Bernstein, Li Fei-Fei. Visual "
    "Genome: Connecting Language and Vision Using Crowdsourced Dense Image Annotations. "
    "International Journal of Computer Vision, 2017."
)
FLICKR30K = (
    "Peter Young, Alice Lai, Micah Hodosh, Julia Hockenmaier. From Image Descriptions to Visual "
    "Denotations: New Similarity Metrics for Semantic Inference over Event Descriptions. "
    "Transactions of the ACL, 2014."
)
FLICKR30K_ENTITIES = (
    "Bryan A. Plummer, Liwei Wang, Chris M. Cervantes, Juan C. Caicedo, Julia Hockenmaier, "
    "Svetlana Lazebnik. Flickr30k Entities: Collecting Region-to-Phrase Correspondences for Richer "
    "Image-to-Sentence Models. ICCV 2015."
)
VCR = (
    "Rowan Zellers, Yonatan Bisk, Ali Farhadi, Yejin Choi. From Recognition to Cognition: Visual "
    "Commonsense Reasoning. CVPR 2019."
)
V3DET = (
    "Jiaqi Wang, Pan Zhang, Tao Chu, Yuhang Cao, Yujie Zhou, Tong Wu, Bin Wang, Conghui He, Dahua "
    "Lin. V3Det: Vast Vocabulary Visual Detection Dataset. ICCV 2023."
)
LLAVA = (
    "Haotian Liu, Chunyuan Li, Qingyang Wu, Yong Jae Lee. Visual Instruction Tuning. NeurIPS 2023."
)
LLAVA_15 = (
    "Haotian Liu, Chunyuan Li, Yuheng Li, Yong Jae Lee. Improved Baselines with Visual Instruction "
    "Tuning. CVPR 2024."
)
POPE = (
    "Yifan Li, Yifan Du, Kun Zhou, Jinpeng Wang, Wayne Xin Zhao, Ji-Rong Wen. Evaluating Object "
    "Hallucination in Large Vision-Language Models. EMNLP 2023."
)
REGIONGPT = (
    "Qiushan Guo, Shalini De Mello, Hongxu Yin, Wonmin Byeon, Ka Chun Cheung, Yizhou Yu, Ping Luo, "
    "Sifei Liu. RegionGPT: Towards Region Understanding Vision Language Model. CVPR 2024."
)
GPT4ROI = (
    "Shilong Zhang, Peize Sun, Shoufa Chen, Min Xiao, Wenqi Shao, Wenwei Zhang, Kai Chen, Ping "
    "Luo. GPT4RoI: Instruction Tuning Large Language Model on Region-of-Interest. "
    "arXiv:2307.03601, 2023."
)

PAPERS: Mapping[str, tuple[str, ...]] = {  # of a data set, and of the pictures it is about
    "coco": (COCO,),
    "flickr30k": (FLICKR30K_ENTITIES, FLICKR30K),
    "llava": (LLAVA, LLAVA_15, COCO),
    "llava_pretrain": (LLAVA,),
    "lvis": (LVIS, COCO),
    "pope": (POPE, COCO),
    "refcoco": (REFCOCO, REFERIT_GAME, COCO),
    "refcoco_plus": (REFCOCO, REFERIT_GAME, COCO),
    "refcocog": (REFCOCOG, UMD_SPLIT, COCO),
    "v3det": (V3DET,),
    "vcr": (VCR,),
    "visual_genome": (VISUAL_GENOME,),
}
STYLES: Mapping[Style, str] = {Style.REGIONGPT: REGIONGPT, Style.GPT4ROI: GPT4ROI}


def citing_section(plan: Plan) -> str:
    """Return the card's section: whom to cite, each paper once."""
    listed = "\n".join(f"- {paper}" for paper in dict.fromkeys(_papers(plan)))
    return f"## Citing\n\nPlease cite the owners of the sources you use:\n\n{listed}"


def _papers(plan: Plan) -> Iterator[str]:
    for source in plan.recipe.sources:
        if source.annotations is None:
            yield from PAPERS.get(source.name, ())
    yield STYLES[plan.recipe.style]
