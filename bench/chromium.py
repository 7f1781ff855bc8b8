"""A headless Chromium that is driven by the DevTools protocol, over a pair of pipes."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"),
    *("--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)
_PATIENCE = 60  # seconds for an answer
_PAUSE = 0.1  # seconds between two looks at the page
# The browser reads commands from file 3 and writes answers to file 4.
_LAUNCH = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
for target, pipe in enumerate(pipes, start=3):
    os.dup2(pipe, target)
os.execv(sys.argv[3], sys.argv[3:])
"""
_KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "ArrowUp": 38, "Enter": 13}


class Page:
    """A tab of the browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.call(f"{domain}.enable")

    def call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], _PATIENCE)
            assert ready, "the browser says nothing"
            more = os.read(self._answers, 1 << 16)
            assert more, "the browser has ended"
            self._unread += more
        content, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(content))

    def size(self, width: int, height: int, *, dark: bool = False, scale: float = 1) -> None:
        """Set the size of the window, whether it is dark, and the pixels of a unit of length."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path: Path, fragment: str = "") -> float:
        """Open a file, wait until it is loaded, and return the seconds that took."""
        return self.visit(f"{path.as_uri()}{fragment}")

    def visit(self, address: str) -> float:
        """Open an address, wait until it is loaded, and return the seconds that took."""
        for url in ("about:blank", address):  # the same address again would load nothing
            self.events.clear()
            started = time.perf_counter()
            self.call("Page.navigate", url=url)
            self.wait("Page.loadEventFired")
        self.run("new Promise(requestAnimationFrame)")
        return time.perf_counter() - started

    def wait(self, method: str) -> dict[str, Any]:
        """Return the first event of a name that came or comes."""
        while True:
            for event in self.events:
                if event.get("method") == method:
                    return event
            self.events.append(self._next())

    def run(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression of JavaScript is true, and return its value."""
        end = time.monotonic() + _PATIENCE
        while not (value := self.run(expression)):
            assert time.monotonic() < end, f"not so after {_PATIENCE} s: {expression}"
            time.sleep(_PAUSE)
        return value

    def settle(self, expression: str, seconds: float) -> None:
        """Wait until an expression of JavaScript has had the same value for some seconds."""
        last, since = None, time.monotonic()
        while (now := time.monotonic()) < since + seconds:
            if (value := self.run(expression)) != last:
                last, since = value, now
            time.sleep(_PAUSE)

    def upload(self, selector: str, path: Path) -> None:
        """Choose a file in an input for files."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def drag(self, *points: tuple[float, float]) -> None:
        """Press the mouse at the first point of the window, move over others, and let it go."""
        (x, y), (last_x, last_y) = points[0], points[-1]
        button: dict[str, Any] = {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, buttons=1, **button)
        for x, y in points[1:]:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=last_x, y=last_y, **button)

    def click(self, x: float, y: float) -> None:
        """Click at a point of the window."""
        self.drag((x, y))

    def type(self, text: str) -> None:
        """Write a text where the cursor is."""
        self.call("Input.insertText", text=text)

    def processor_seconds(self) -> float:
        """Return the time of processors that the page has taken, other work beside it left out."""
        metrics = self.call("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "ProcessTime"))

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        code = _KEYS.get(key, ord(key[0].upper()))
        text = {} if key in _KEYS else {"text": key}
        press = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **press, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **press)

    def problems(self, address: str = "file:") -> list[str]:
        """Return the errors and warnings that the page has logged, and what it has fetched.

        What was fetched from addresses that begin with the given one is left out.
        """
        faults = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        logged = [json.dumps(e["params"]) for e in self.events if e.get("method") in faults]
        fetched = [
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        return logged + [url for url in fetched if not url.startswith((address, "data:", "blob:"))]

    def screenshot(self, path: Path) -> None:
        """Write a picture of the window, for people to look at."""
        path.write_bytes(b64decode(self.call("Page.captureScreenshot")["data"]))


def find_chromium() -> str | None:
    """Return the path of the browser, or None where none is installed."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """Open a tab of a fresh browser, which ends with the block."""
    program = find_chromium()
    assert program, "no Chromium is installed"
    theirs_in, commands = os.pipe()
    answers, theirs_out = os.pipe()
    words = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(theirs_in), str(theirs_out), *words],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Page(commands, answers)
    finally:
        os.close(commands)  # at the end of its commands the browser ends
        os.close(answers)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
