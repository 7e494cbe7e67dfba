"""A headless Chromium for tests, driven through chromedriver's HTTP protocol (W3C WebDriver)."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which the protocol names an element."""

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip

KEYS = {
    "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004",
    "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
}  # fmt: skip


def missing() -> str | None:
    """Why there is no browser, or None."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH; install the Debian packages chromium and chromium-driver"
    return None


class Browser:
    """One window. Use it as a context manager."""

    def __init__(self, folder: Path, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        environment = {**os.environ, "HOME": str(folder)}
        self.driver = subprocess.Popen(
            [shutil.which("chromedriver"), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment,
        )  # fmt: skip
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                break
        self.address = f"http://127.0.0.1:{found[1]}/session"
        size = f"--window-size={width},{height}"
        theme = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ()
        options = {"binary": shutil.which("chromium"), "args": [*ARGUMENTS, f"--user-data-dir={folder}", size, *theme]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        try:
            self.address += "/" + self._send("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._send("DELETE", "")
        finally:
            self._end()

    def _end(self) -> None:
        self.driver.terminate()
        self.driver.wait(timeout=20)
        self.driver.stdout.close()

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        # No proxy: the driver is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.read().decode()[:1000]}") from None

    def open(self, path: Path) -> None:
        """Load a file and wait until its script has run."""
        self.visit(path.as_uri())
        assert self.run("return document.documentElement.dataset.ready") == "true", self.log()

    def visit(self, address: str) -> None:
        """Load an address."""
        self._send("POST", "/url", {"url": address})

    def resize(self, width: int, height: int) -> None:
        """Lay the page out as in a window of that size, which may be smaller than a real window can be."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._send("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def run(self, script: str, *arguments: object) -> Any:
        """The value that a script returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> dict[str, str]:
        """The first element that a CSS selector finds."""
        return self._send("POST", "/element", {"using": "css selector", "value": selector})

    def hover(self, selector: str) -> None:
        """Move the mouse to the middle of an element; it has to be in view."""
        self._mouse(self.find(selector), [])

    def click(self, selector: str) -> None:
        """Move there, press and release."""
        self._mouse(self.find(selector), [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}])

    def drag(self, selector: str, dx: int, dy: int) -> None:
        """Press on an element, move by so many pixels and release."""
        move = {"type": "pointerMove", "duration": 50, "origin": "pointer", "x": dx, "y": dy}
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        self._mouse(self.find(selector), [down, move, up])

    def _mouse(self, element: dict[str, str], then: list[dict[str, Any]]) -> None:
        move = {"type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0}
        actions = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [move, *then]}
        self._send("POST", "/actions", {"actions": [actions]})

    def wheel(self, selector: str, amount: int, control: bool = False) -> None:
        """Turn the wheel over an element, with the control key held if asked."""
        origin = self.find(selector)
        scroll = {"type": "scroll", "x": 0, "y": 0, "deltaX": 0, "deltaY": amount, "duration": 0, "origin": origin}
        pause = {"type": "pause"}
        wheel = {"type": "wheel", "id": "wheel", "actions": [pause, scroll, pause]}
        down, up = {"type": "keyDown", "value": "\ue009"}, {"type": "keyUp", "value": "\ue009"}
        keys = {"type": "key", "id": "keys", "actions": [down, pause, up]}
        self._send("POST", "/actions", {"actions": [keys, wheel] if control else [wheel]})

    def type(self, *keys: str) -> None:
        """Press and release keys one after the other, to whatever has the focus."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._send("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def log(self) -> list[dict[str, Any]]:
        """What the console of the page says since the last call: errors, refused loads."""
        return self._send("POST", "/se/log", {"type": "browser"})

    def screenshot(self, path: Path) -> None:
        """The window as a PNG file."""
        path.write_bytes(base64.b64decode(self._send("GET", "/screenshot")))
