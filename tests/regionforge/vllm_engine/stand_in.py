"""A stand-in for vLLM: it serves the language model of a folder, and takes prompts as embeddings.

    stand_in.py serve FOLDER --host 127.0.0.1 --port 8000 ... --record FILE

It generates the likeliest tokens with transformers. FILE gets a line with its flags, and one about
the end of each request. At each request it behaves as FILE.mood says, if that is there:

    refuse     the status is 400
    break      an error comes after the first token
    hang       a token comes every 0.05 s, without an end
    die        the process ends, and FILE.mood goes

Before it listens, the mood `dead` ends it. The model is opened at the first request that needs it:
to import PyTorch takes most of the time of a stand-in that is only started and ended.
"""

import base64
import io
import json
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("folder")
    for name in ("host", "port", "served-model-name", "generation-config", "dtype"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--max-num-seqs")
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--enable-prompt-embeds", action="store_true")
    parser.add_argument("--disable-uvicorn-access-log", action="store_true")
    parser.add_argument("--record", required=True)
    args = parser.parse_args()
    record(args.record, vars(args) | {"pid": os.getpid()})
    if mood(args.record) == "dead":
        sys.exit("ValueError: Head size 24 is not supported")
    Server(args).serve_forever()


def record(path: str, line: dict) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def mood(path: str) -> str:
    file = Path(f"{path}.mood")
    return file.read_text(encoding="utf-8") if file.exists() else ""


class Server(ThreadingHTTPServer):
    def __init__(self, args: Namespace) -> None:
        self.args, self._opening = args, Lock()
        super().__init__((args.host, int(args.port)), Handler)

    def model(self) -> Any:
        with self._opening:
            return self._model

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(1)
        return AutoModelForCausalLM.from_pretrained(self.args.folder).eval()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def do_POST(self) -> None:
        args = self.server.args
        how = mood(args.record)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if how == "die":
            os.remove(f"{args.record}.mood")
            os._exit(3)
        key = self.headers["Authorization"] == f"Bearer {os.environ['VLLM_API_KEY']}"
        if how == "refuse" or not key or self.path != "/v1/completions":
            self.send_response(400)
            self.end_headers()
            self.wfile.write(b'{"error": {"message": "not today"}}')
            return
        self.send_response(200)
        self.end_headers()
        try:
            self._stream(body, how)
            record(args.record, {"ended": body["max_tokens"]})
        except OSError:
            record(args.record, {"gone": body["max_tokens"]})

    def _stream(self, body: dict, how: str) -> None:
        import torch

        rows = torch.load(io.BytesIO(base64.b64decode(body["prompt_embeds"])), weights_only=True)
        ends = body["stop_token_ids"]
        while how == "hang":
            self._send([5])
            time.sleep(0.05)
        with torch.inference_mode():
            ids = (
                self.server.model()
                .generate(
                    inputs_embeds=rows[None],
                    attention_mask=torch.ones(1, len(rows), dtype=torch.long),
                    do_sample=False,
                    max_new_tokens=body["max_tokens"],
                    eos_token_id=ends or None,
                    pad_token_id=0,
                )[0]
                .tolist()
            )
        for number, token in enumerate(ids):
            if how == "break" and number:
                self._send_event({"error": {"message": "out of sorts"}})
                return
            last = number == len(ids) - 1
            stopped = token in ends
            self._send([] if stopped else [token], ("stop" if stopped else "length") * last or None)
        self.wfile.write(b"data: [DONE]\n\n")

    def _send(self, tokens: list[int], end: str | None = None) -> None:
        choice = {"index": 0, "text": "", "token_ids": tokens, "finish_reason": end}
        self._send_event({"id": "a", "choices": [choice]})

    def _send_event(self, event: dict) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.flush()


if __name__ == "__main__":
    main()
