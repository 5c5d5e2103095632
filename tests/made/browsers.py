"""Chromium without a screen, driven by its DevTools protocol."""

import base64
import io
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--no-first-run", "--disable-extensions", "--hide-scrollbars", "--use-gl=angle",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--remote-debugging-port=0",
    "--disable-dev-shm-usage", "about:blank",
)  # fmt: skip
PATIENCE = 240.0


class Page:
    """One page of a browser."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._number = connection, 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one call of the protocol."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is on the page, as plain values."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} never became true: {self.value('document.body.innerText')}"
            time.sleep(0.1)

    def settled(self, frames: int = 10) -> None:
        """Waits for so many pictures more."""
        step = "n => new Promise(done => { const f = () => n-- > 0 ? requestAnimationFrame(f) : done(true); f(); })"
        self.value(f"({step})({frames})")

    def open(self, address: Path | str, width: int, height: int) -> None:
        """Shows a file from disk, or what a server has there, in a window of that size."""
        url = address.absolute().as_uri() if isinstance(address, Path) else address
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def picture(self) -> Tensor:
        """What the window shows: [3, height, width] in [0, 1]."""
        content = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        return torch.from_numpy(pixels.copy()).movedim(-1, 0).float() / 255

    def drag(self, x: int, y: int, right: int, down: int) -> None:
        """Presses the left button at x, y and draws the mouse along."""
        button = {"button": "left", "buttons": 1, "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **button)
        for step in range(1, 5):
            self.call(
                "Input.dispatchMouseEvent", type="mouseMoved", x=x + right * step / 4, y=y + down * step / 4, **button
            )
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x + right, y=y + down, **button)

    def wheel(self, x: int, y: int, down: int) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=down)

    def key(self, kind: str, code: str) -> None:
        """`kind` is down or up."""
        self.call("Input.dispatchKeyEvent", type=f"key{kind.title()}", code=code, key=code.removeprefix("Key").lower())


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A page of a Chromium that keeps what it must in `folder`; skips where there is none, or nothing to talk to it."""
    client = pytest.importorskip("websockets.sync.client", reason="websockets, which viser brings, is not installed")
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"no browser on PATH: none of {', '.join(_NAMES)}")
    profile = folder / "profile"
    running = subprocess.Popen(
        [program, f"--user-data-dir={profile}", *_FLAGS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with client.connect(_address(profile, running), max_size=None, open_timeout=PATIENCE) as connection:
            page = Page(connection)
            page.call("Page.enable")
            yield page
    finally:
        running.terminate()
        running.wait(timeout=60)


def _address(profile: Path, running: subprocess.Popen) -> str:
    port, end = profile / "DevToolsActivePort", time.monotonic() + PATIENCE
    while not (port.is_file() and port.read_text().strip()):
        assert running.poll() is None, "the browser ended at once"
        assert time.monotonic() < end, "the browser does not answer"
        time.sleep(0.1)
    url = f"http://127.0.0.1:{port.read_text().split()[0]}/json/list"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        pages = [entry for entry in json.load(answer) if entry["type"] == "page"]
    return pages[0]["webSocketDebuggerUrl"]
