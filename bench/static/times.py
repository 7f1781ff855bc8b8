"""The time of a row by component, from counts and the rates that were measured on an H200."""

from bench.static.cases import Case
from model.flops import RowSizes, flops_by_part
from train.bench.floor import H200, adamw_seconds

Table = list[tuple[str, float, float]]  # component, teraflops or gigabytes, milliseconds


def time_table(case: Case, sizes: RowSizes, *, moved: float, trained: int) -> Table:
    """Return the components of a mean row's time.

    Args:
        case: names the model and the stage.
        sizes: of the rows.
        moved: bytes that operators beside products and attention move for a row, each by itself.
        trained: the number of weights that train.
    """
    parts = flops_by_part(case.config, case.recipe.stage, sizes)
    means = {part: float(counts.mean()) for part, counts in parts.items()}
    table = [(part, mean / 1e12, 1000 * mean / H200.products) for part, mean in means.items()]
    step = adamw_seconds(trained) / case.recipe.batch
    table.append(("AdamW, GB", step * H200.copy / 1e9, 1000 * step))
    table.append(("other operators one by one, GB", moved / 1e9, 1000 * moved / H200.copy))
    return table
