"""How long `recap` and `judge` wait for a server, by their flags."""

import pytest

from pipelines.cli import judge, recap_tools
from pipelines.cli.parser import make_parser
from schemas.errors import UsageError

SERVER = ["--endpoint", "http://gpu:8000/v1", "--model", "m"]
COMMANDS = {
    "recap": (recap_tools.servers_of, ["recap", "--source", "coco", "--output", "o"]),
    "judge": (judge.servers_of, ["judge", "a.json", "--bench", "dlc", "--questions", "q.json"]),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("given", "first", "later"), [([], 10, 600), (["--patience", "900"], 900, 900)], ids=str
)
def test_patience_that_is_asked_for_holds_from_the_start(command, given, first, later):
    servers_of, words = COMMANDS[command]
    servers = servers_of(make_parser().parse_args([*words, *SERVER, *given]))
    assert (servers.first_patience, servers.patience) == (first, later)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_patience_is_refused(command):
    servers_of, words = COMMANDS[command]
    args = make_parser().parse_args([*words, *SERVER, "--patience", "0"])
    with pytest.raises(UsageError, match=r"^--patience"):
        servers_of(args)
