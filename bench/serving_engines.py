"""The speed of `regionforge serve` with each of its engines: its own, and a vLLM.

    python -m bench.serving_engines --vllm PATH [--calls N] [--rounds N] [--wide]

Servers of the same model with random weights answer the same questions about a region, of 32 tokens
each, with one request in flight and with 16, in turns. `PATH` is vLLM's Python or its executable.
Both compute on the processor: the built-in engine with one thread, vLLM with as many as it chooses.
`--wide` takes a language model of width 1,024 and 8 layers in the place of one of width 64 and 2:
what surrounds a model's computation counts less there.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import defaultdict

from bench.serving import BATCH, CALLS, TOKENS, ask_all, served
from model.config import RegionConfig
from model.presets import tiny_regiongpt
from model.tiny import write_tiny_model

IN_FLIGHT = (1, 16)
_ROUNDS = 3
_HEAD = 32  # the narrowest head that vLLM's kernels for processors take
_WIDE = {"hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 8}
_VLLM_ARGS = "--enforce-eager"

Speeds = dict[tuple[str, int], list[float]]  # requests/s of each round, by engine and in flight


def model_config(*, wide: bool) -> RegionConfig:
    """Return the shape of a tiny RegionGPT whose language model vLLM's kernels take."""
    config = tiny_regiongpt()
    text = config.text_config
    for name, value in _WIDE.items() if wide else ():
        setattr(text, name, value)
    text.head_dim = _HEAD
    text.num_attention_heads = text.num_key_value_heads = text.hidden_size // _HEAD
    return config


def main() -> None:
    """Run both engines in turns, and print their speeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vllm", required=True, metavar="PATH")
    parser.add_argument("--calls", type=int, default=CALLS // 5, metavar="N", help="of a round")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, metavar="N")
    parser.add_argument("--wide", action="store_true", help="a wider language model")
    args = parser.parse_args()
    engines = {
        "builtin": (),
        "vllm": ("--engine", "vllm", "--vllm", args.vllm, f"--vllm-args={_VLLM_ARGS}"),
    }
    speeds: Speeds = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_model(f"{folder}/tiny", model_config(wide=args.wide))
        for _ in range(args.rounds):
            for name, flags in engines.items():
                with served(f"{folder}/tiny", BATCH, *flags) as address:
                    for concurrency in IN_FLIGHT:
                        speed = _speed(address, args.calls, concurrency)
                        speeds[name, concurrency].append(speed)
    print(f"requests of {TOKENS} tokens each second, median of {args.rounds} rounds (all)")
    for (name, concurrency), all_of in speeds.items():
        rounds = ", ".join(f"{speed:.1f}" for speed in all_of)
        print(f"  {name}, {concurrency} in flight: {statistics.median(all_of):.1f} ({rounds})")


def _speed(address: str, calls: int, concurrency: int) -> float:
    """Return the requests that are answered each second; print those that are lost."""
    asyncio.run(ask_all(address, 2 * concurrency, concurrency))  # to warm up
    began = time.monotonic()
    answers = asyncio.run(ask_all(address, calls, concurrency))
    seconds = time.monotonic() - began
    if lost := calls - len(answers):
        print(f"  {lost} of {calls} lost", flush=True)
    return len(answers) / seconds


if __name__ == "__main__":
    main()
