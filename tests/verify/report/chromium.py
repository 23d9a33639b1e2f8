"""A headless Chromium, spoken to over a pipe in its DevTools protocol: no port, no driver.

https://chromedevtools.github.io/devtools-protocol/, with ``--remote-debugging-pipe``: commands are
JSON on descriptor 3 of the browser, answers and events on descriptor 4, each ended by a zero byte.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The name resolver answers nothing, so that a request that got out would be seen to fail.
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # tests run as root in containers, where the sandbox refuses to start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-extensions",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# A loaded machine takes its time; a page that takes longer is broken.
PATIENCE = 60.0


def find_chromium() -> str | None:
    """The path of a browser of that kind, if there is one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """A browser with one page; `events` are all that it told since the page was opened."""

    def __init__(self, program: str) -> None:
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        ours_in, theirs_in = _pipe()
        theirs_out, ours_out = _pipe()
        ends = [(os.POSIX_SPAWN_DUP2, ours_in, 3), (os.POSIX_SPAWN_DUP2, ours_out, 4)]
        quiet = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in (0, 1, 2)]
        arguments = [program, *OPTIONS, f"--user-data-dir={self.profile}", "about:blank"]
        group = {"setpgroup": 0, "file_actions": [*quiet, *ends]}
        self.process = os.posix_spawn(program, arguments, dict(os.environ), **group)
        os.close(ours_in)
        os.close(ours_out)
        self.sink, self.source = theirs_in, theirs_out
        self.rest, self.number, self.session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        self._attach()

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser and what it started, and remove its profile."""
        os.close(self.sink)
        os.close(self.source)
        with suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command; AssertionError with what the browser says is wrong with it."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.sink, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next(time.monotonic() + PATIENCE)
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]

    def _next(self, deadline: float) -> dict[str, Any]:
        """One message; what is no answer is kept among the events."""
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.source], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            self.rest += os.read(self.source, 1 << 20)
        line, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, address: str, width: int = 1200, dark: bool = False) -> None:
        """Load a page in a window of that width, and forget what was told before."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        assert "errorText" not in self.call("Page.navigate", url=address)
        deadline = time.monotonic() + PATIENCE
        while self.do("document.readyState") != "complete" or "blank" in self.do("location.href"):
            assert time.monotonic() < deadline, f"{address} is not loaded"

    def do(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: str = "", text: str = "") -> None:
        """A key, as from the keyboard."""
        given = {"key": key, "code": code or key}
        given |= {"text": text} if text else {}
        numbers = {"Tab": 9, " ": 32, "Enter": 13}
        given["windowsVirtualKeyCode"] = numbers.get(key, ord(key[0].upper()))
        self.call("Input.dispatchKeyEvent", type="keyDown", **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def picture(self, path: Path, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings on the console and in the log, and exceptions that nobody caught."""
        told = []
        for event in self.events:
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                told.append(parameters["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled":
                told.append(str(parameters["args"]))
            elif event["method"] == "Log.entryAdded":
                told.append(parameters["entry"]["text"])
        return told

    @property
    def requests(self) -> list[str]:
        """The addresses of all that was asked for."""
        sent = (e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent")
        return [parameters["request"]["url"] for parameters in sent]


def _pipe() -> tuple[int, int]:
    """Its ends at numbers above 4, where they are not overwritten when the browser starts."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
