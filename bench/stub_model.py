"""The answers of the stub server: words chosen by a hash, and failures as set by a script."""

import base64
import json
import math
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

COLOURS = {"Red": (220, 30, 30), "Green": (30, 160, 30), "Blue": (30, 60, 220)}
COLOURS |= {"Yellow": (240, 220, 30), "Black": (10, 10, 10), "White": (245, 245, 245)}
WORDS = (
    ("small", "tall", "old", "bright", "narrow", "round", "plain", "heavy"),
    ("bottle", "animal", "table", "vehicle", "person", "plant", "building", "tool"),
    ("in front of", "next to", "behind", "above", "below", "close to", "far from", "near"),
    ("wall", "window", "tree", "road", "shelf", "river", "fence", "lamp"),
    ("soft", "strong", "warm", "cold", "even", "weak", "golden", "grey"),
    ("surface", "front", "rim", "base", "top", "handle", "side", "back"),
    ("smooth", "rough", "worn", "glossy", "dull", "striped", "dusty", "clean"),
    ("clear", "sharp", "blunt", "curved", "straight", "thin", "thick", "dark"),
)
IMAGE_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that makes matching requests fail, wait, or get an answer."""

    match: str = ".*"  # regular expression for the request's id
    prompt: str = ""  # regular expression for the request's text
    attempts: list[int] | None = None  # numbers of the matching attempts, from 0; None: all
    status: int = 200
    retry_after: str | float | None = None  # header's text; a number: a date so many seconds ahead
    delay: float = 0.0  # seconds before the answer
    cut: bool = False  # close the connection half way through the answer
    refuse: float | None = None  # seconds to refuse connections, after cutting all
    answer: str | None = None  # malformed, no_choices, empty, length; or the text
    finish: str = "stop"  # reason for the end of such a text
    yes: float | None = None  # probability of yes, where a judge is asked; None: by a hash


@dataclass(frozen=True, slots=True)
class Script:
    """The behaviour of the stub server."""

    rules: list[Rule] = field(default_factory=list)  # the first rule that matches a request applies
    delay: float = 0.0  # seconds before each answer
    capacity: int | None = None  # limit of concurrent requests; others get status 429
    blind: bool = False  # ignore pictures
    spells: bool = False  # count pictures as text
    noisy: bool = False  # make all answers different
    usage: bool = True  # report tokens
    caches: bool = False  # report the tokens of a first picture as cached, where it was sent before
    max_pictures: int | None = None  # limit of a request; others get status 400
    takes_schema: bool = True  # decode answers by a schema; else requests with one get status 400
    logprobs: bool = True  # tell log-probabilities; else requests for them get status 400
    takes_regions: bool = False  # look at the region of a request; else no notice is taken of it
    api_key: str | None = None  # other keys get status 401 with the key in the message

    @staticmethod
    def read(path: str | None) -> "Script":
        """Return the script in a JSON file, or the default script for None."""
        fields = json.loads(Path(path).read_text("utf-8")) if path else {}
        return Script(**{**fields, "rules": [Rule(**rule) for rule in fields.get("rules", [])]})


@dataclass(slots=True)
class Call:
    """A request to the server, and one of its attempts."""

    id: str
    attempt: int
    began: float
    prompt: str = ""
    pictures: list[bytes] = field(default_factory=list)  # the JPEGs in base64
    fields: dict[str, Any] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)  # e.g. ["user image_url", "user text"]


class Model:
    """The stub model, which chooses the answer to each request and logs the outcome."""

    def __init__(self, script: Script, log: str | None) -> None:
        self.script = script
        self.in_flight = 0
        self._seen: Counter[str] = Counter()
        self._first_pictures: set[bytes] = set()
        self._log = Path(log).open("ab", buffering=0) if log else None  # noqa: SIM115

    def call(self, request_id: str, body: bytes) -> Call:
        """Return the call in a request, from its id and JSON body."""
        call = Call(request_id, self._seen[request_id], time.monotonic())
        self._seen[request_id] += 1
        call.fields = json.loads(body)
        for message in call.fields["messages"]:
            kinds = ["text"] if isinstance(message["content"], str) else message["content"]
            names = [kind if isinstance(kind, str) else kind["type"] for kind in kinds]
            call.parts += [f"{message['role']} {name}" for name in names]
        content = call.fields["messages"][-1]["content"]
        if isinstance(content, str):
            call.prompt = content
            return call
        for part in content:
            if part["type"] == "text":
                call.prompt += part["text"]
            else:
                kind, picture = part["image_url"]["url"].encode().split(b",", 1)
                assert kind == b"data:image/jpeg;base64"
                call.pictures.append(picture)
        return call

    def rule(self, call: Call) -> Rule:
        """Return the first rule that matches a call, or an empty rule."""
        for rule in self.script.rules:
            timely = rule.attempts is None or call.attempt in rule.attempts
            if timely and re.search(rule.match, call.id) and re.search(rule.prompt, call.prompt):
                return rule
        return Rule()

    def refusal(self, call: Call) -> str:
        """Return why the content of a request is refused, or an empty text."""
        most = self.script.max_pictures
        if most is not None and len(call.pictures) > most:
            return f"At most {most} image(s) may be provided in one prompt."
        if not self.script.takes_schema and "response_format" in call.fields:
            return "response_format: json_schema is not supported"
        if not self.script.logprobs and "logprobs" in call.fields:
            return "logprobs is not supported by this model"
        return ""

    def log(self, call: Call, status: int | str) -> None:
        """Write the outcome of a request to the log, if there is a log."""
        if self._log is None:
            return
        line = {
            "id": call.id,
            "attempt": call.attempt,
            "status": status,
            "began": call.began,
            "ended": time.monotonic(),
            "in_flight": self.in_flight,
            "seed": call.fields.get("seed"),
            "parameters": {name: call.fields[name] for name in call.fields if name != "messages"},
            "parts": call.parts,
            "prompt": call.prompt,
            "pictures": [blake2b(each, digest_size=8).hexdigest() for each in call.pictures],
        }
        self._log.write(json.dumps(line).encode() + b"\n")

    def answer(self, call: Call, rule: Rule) -> bytes:
        """Return the body of an answer of the chat API, as a rule says."""
        kind = rule.answer
        if kind == "malformed":
            return b'{"id": "chatcmpl-0", "choices": [{"mess'
        yes = self._yes(call, rule) if "yes or no" in call.prompt else None
        text = "" if kind == "empty" else self._text(call) if yes is None else _yes_no(yes)
        if kind not in {None, "empty", "length", "no_choices"}:
            text = str(kind)
        if kind == "length":
            text = text.partition(",")[0]
        choice = {
            "index": 0,
            "finish_reason": "length" if kind == "length" else rule.finish,
            "message": {"role": "assistant", "content": text},
        }
        if yes is not None and kind is None and call.fields.get("logprobs"):
            choice["logprobs"] = _logprobs(yes)
        completion: dict[str, Any] = {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": 0,
            "model": call.fields["model"],
            "choices": [] if kind == "no_choices" else [choice],
        }
        if self.script.usage:
            completion["usage"] = self._usage(call, text)
        return json.dumps(completion).encode()

    def _usage(self, call: Call, text: str) -> dict[str, Any]:
        read = len(call.prompt.split())
        if self.script.spells:
            read += sum(map(len, call.pictures)) // 2
        elif not self.script.blind:
            read += IMAGE_TOKENS * len(call.pictures)
        written = len(text.split())
        total = read + written
        usage: dict[str, Any] = {"prompt_tokens": read, "completion_tokens": written}
        usage["total_tokens"] = total
        if self.script.caches:
            first = b"".join(call.pictures[:1])
            cached = IMAGE_TOKENS if first in self._first_pictures else 0
            self._first_pictures.add(first)
            usage["prompt_tokens_details"] = {"cached_tokens": cached}
        return usage

    def _yes(self, call: Call, rule: Rule) -> float:
        """Return the probability of yes, as a rule says, as a colour is, or by a hash."""
        if rule.yes is not None:
            return rule.yes
        asked = re.search(r"filled with (\w+)\?", call.prompt)
        if asked and not self.script.blind:
            return 0.98 if _colour(call.pictures[-1]).lower() == asked[1] else 0.02
        return blake2b(call.prompt.encode(), digest_size=1).digest()[0] / 256

    def _text(self, call: Call) -> str:
        picture = b"" if self.script.blind else b"".join(call.pictures[-1:])
        noise = str(self._seen.total()) if self.script.noisy else ""
        regions = call.fields.get("regions", []) if self.script.takes_regions else []
        text = f"{call.fields['model']}\n{call.prompt}\n{noise}\n{regions or ''}".encode()
        digest = blake2b(text + picture, digest_size=16).digest()
        if "one word" in call.prompt:
            if picture and not self.script.spells:
                return _colour(picture, regions[0]["bbox"] if regions else None)
            return list(COLOURS)[digest[0] % len(COLOURS)]
        words = [words[digest[n] % len(words)] for n, words in enumerate(WORDS)]
        form = "There is a {} {} {} a {}, in {} light. Its {} is {} and its edges are {}."
        answer = form.format(*words)
        return _in_parts(words, answer) if "JSON object" in call.prompt else answer


def _yes_no(yes: float) -> str:
    return "Yes" if yes >= 0.5 else "No"


def _logprobs(yes: float) -> dict[str, Any]:
    """Return the log-probabilities of an answer of one token."""
    tokens = {"Yes": yes, "No": 1 - yes}
    top = [{"token": text, "logprob": math.log(max(p, 1e-9))} for text, p in tokens.items()]
    top.sort(key=lambda each: -float(str(each["logprob"])))
    return {"content": [{**top[0], "top_logprobs": top}]}


def _in_parts(words: list[str], paragraph: str) -> str:
    """Return an answer in JSON, as `recap --structured` asks for it."""
    look, kind, beside, other, _, part, texture, _ = words
    attributes = {
        "colour": ["red"],
        "material": [],
        "shape": [look],
        "state": [texture],
        "text": [],
    }
    parts = {
        "phrase": f"a {look} {kind} with a {texture} {part}",
        "sentence": f"A {look} {kind} stands {beside} a {other}.",
        "paragraph": paragraph,
        "attributes": attributes,
    }
    return json.dumps(parts)


def _colour(picture: bytes, box: Sequence[float] | None = None) -> str:
    """Return the name of a picture's mean colour, or of that in a box, xyxy in pixels."""
    from PIL import Image

    with Image.open(BytesIO(base64.b64decode(picture))) as image:
        x0, y0, x1, y1 = box or (0, 0, *image.size)
        seen = image.crop((round(x0), round(y0), round(x1), round(y1)))
        pixel = seen.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    near = {
        name: sum((a - b) ** 2 for a, b in zip(pixel, colour, strict=True))
        for name, colour in COLOURS.items()
    }
    return min(near, key=lambda name: near[name])
