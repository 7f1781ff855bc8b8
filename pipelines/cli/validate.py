"""The command `validate`, which says what is wrong with recipes, without reading data."""

from argparse import Namespace

from pipelines.cli.command import Commands, add_command, add_module_flag
from schemas.console import result
from schemas.errors import UsageError


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "validate",
        "Say what is wrong with recipes, each fault with its line, without reading data.",
        "validate regiongpt_finetune eval_rec",
        takes_others=True,
    )
    parser.add_argument(
        "recipes",
        nargs="+",
        metavar="NAME|FILE",
        help="recipes of ours by name, or .yaml files of your own",
    )
    add_module_flag(parser)


def run(args: Namespace) -> int:
    """Say of each recipe that it is valid, or all that is wrong with it.

    Returns:
        The exit status: 0 if all recipes are valid, else 1.
    """
    return max([*map(_validate, args.recipes)])


def _validate(name: str) -> int:
    from pipelines.cli.recipe_faults import check_recipe
    from pipelines.recipes.load import load_recipe, recipe_path
    from pipelines.storage.yaml_lines import YamlLines

    try:
        stated = load_recipe(name)
    except UsageError as error:
        result(f"{name}: {error}")
        return 1
    path = recipe_path(name)
    with open(path, encoding="utf-8") as file:
        lines = YamlLines(file.read())
    faults, needs = check_recipe(stated)
    shown = [(lines.line(fault.path), str(fault)) for fault in faults]
    shown += [
        (number, f"{'.'.join(map(str, keys))}: the key stands twice, and only the last one counts")
        for keys, number in lines.repeated()
    ]
    for number, text in sorted(shown, key=lambda fault: fault[0] or 0):
        result(f"{name}:{number}: {text}" if number else f"{name}: {text}")
    if shown:
        return 1
    for flags in needs:
        result(f"{name}: a build needs {flags}")
    result(f"{name}: valid")
    return 0
