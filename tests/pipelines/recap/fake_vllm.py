"""A stand-in for vLLM in tests of `--serve`; a program, called as vLLM's are.

    fake_vllm.py PLAN serve MODEL --port N ...
    fake_vllm.py PLAN -m vllm.entrypoints.openai.api_server --model MODEL --port N ...

It is `bench/stub_server.py` behind vLLM's flags. The plan is JSON, see `Plan`; a line of JSON about
each start goes to `lives.jsonl` beside it, a line about each request to `log.jsonl`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
stub_model = import_module("bench.stub_model")
stub_server = import_module("bench.stub_server")

SLEEPER = "import time; time.sleep(300)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The behaviour of the stand-in."""

    rules: list[dict] = field(default_factory=list)  # of the stub
    delay: float = 0.0  # of answers
    blind: bool = False
    dies_at: list[int] = field(default_factory=list)  # of each life: the call that kills it
    deadly: str = ""  # the id of a request that always kills it
    says: list[str] = field(default_factory=list)  # at each start; variables are filled in
    exits: list[int | None] = field(default_factory=list)  # of each life: the status it ends with
    hangs: bool = False  # never listens
    stubborn: bool = False  # takes no SIGTERM
    child: bool = False  # starts a process in a session of its own


def make_mortal(model: Any, plan: Plan, life: int) -> None:
    """Make some requests kill the stand-in."""
    left = plan.dies_at[life] if life < len(plan.dies_at) else 0
    answers = model.rule

    def rule(call: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 or call.id == plan.deadly:
            model.log(call, "killed")
            os.kill(os.getpid(), signal.SIGKILL)
        return answers(call)

    model.rule = rule


async def serve(model: Any, port: int) -> None:
    await stub_server.Server(model).listen(port)
    await asyncio.Event().wait()


def main() -> None:
    path, arguments = Path(sys.argv[1]), sys.argv[2:]
    plan = Plan(**json.loads(path.read_text("utf-8")))
    if plan.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    others = []
    if plan.child:
        code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
        command = [sys.executable, "-c", code if plan.stubborn else SLEEPER]
        others = [subprocess.Popen(command, start_new_session=True).pid]
    with path.with_name("lives.jsonl").open("a+", encoding="utf-8") as lives:
        lives.seek(0)
        life = len(lives.readlines())
        key = os.environ["VLLM_API_KEY"]
        seen = {"pids": [os.getpid(), *others], "arguments": arguments, "key": key}
        lives.write(json.dumps(seen) + "\n")
    for line in plan.says:
        print(os.path.expandvars(line), flush=True)
    if life < len(plan.exits) and plan.exits[life] is not None:
        sys.exit(plan.exits[life])
    if plan.hangs:
        time.sleep(300)
    rules = [stub_model.Rule(**rule) for rule in plan.rules]
    script = stub_model.Script(rules=rules, delay=plan.delay, blind=plan.blind, api_key=key)
    model = stub_model.Model(script, str(path.with_name("log.jsonl")))
    make_mortal(model, plan, life)
    asyncio.run(serve(model, int(arguments[arguments.index("--port") + 1])))


if __name__ == "__main__":
    main()
