"""vLLM's load generator on recorded requests; this file runs in vLLM's environment.

    VLLM/bin/python -P bench/vllm_load.py URL MODEL CONCURRENCY REQUESTS

REQUESTS is a file with a line of JSON for each request: `messages` and `max_tokens` of OpenAI's
chat API. The last printed line has the measures as JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from vllm.benchmarks.datasets import SampleRequest
from vllm.benchmarks.serve import TaskType, benchmark


async def main(url: str, model: str, concurrency: int, requests: Path) -> dict[str, Any]:
    """Send all requests and return the measures of the load generator."""
    lines = [json.loads(line) for line in requests.read_text(encoding="utf-8").splitlines()]
    samples = [
        SampleRequest(
            prompt="",
            prompt_len=0,
            expected_output_len=line["max_tokens"],
            chat_messages=line["messages"],
        )
        for line in lines
    ]
    before = time.process_time()
    measures = await benchmark(
        task_type=TaskType.GENERATION,
        endpoint_type="openai-chat",
        api_url=f"{url}/chat/completions",
        base_url=url.removesuffix("/v1"),
        model_id=model,
        model_name=model,
        tokenizer=None,
        input_requests=samples,
        logprobs=None,
        request_rate=float("inf"),
        burstiness=1.0,
        disable_tqdm=True,
        num_warmups=concurrency,
        profile=False,
        selected_percentile_metrics=[],
        selected_percentiles=[],
        ignore_eos=False,
        goodput_config_dict={},
        max_concurrency=concurrency,
        lora_modules=None,
        extra_headers=None,
        extra_body={"temperature": 0.2, "top_p": 1.0},
    )
    return {
        "calls": measures["completed"],
        "failed": measures["failed"],
        "seconds": measures["duration"],
        "busy": time.process_time() - before,
        "prompt_tokens": measures["total_input_tokens"] / measures["completed"],
        "completion_tokens": sum(measures["output_lens"]) / measures["completed"],
    }


if __name__ == "__main__":
    url, model, concurrency, requests = sys.argv[1:]
    print(json.dumps(asyncio.run(main(url, model, int(concurrency), Path(requests)))))
