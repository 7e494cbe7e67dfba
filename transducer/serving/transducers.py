"""The table of what is served: transducers by name, all of one model. It may change while requests run."""
from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.artefact import read_artefact
from tasks import TASKS, Task, get_task

from ..errors import ConfigurationError
from ..model import TransducerModel
from ..prepare import Preparer
from .errors import ForbiddenError, MalformedError, NameTakenError, OverloadedError, UnknownServedError
from .settings import ServeSettings

if TYPE_CHECKING:
    from ..backbone import Backbone

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Served:
    """A transducer in memory, and what its task says where a request says nothing."""

    name: str
    task: Task
    model: TransducerModel
    preparer: Preparer
    beams: int
    max_new_tokens: int

    def to_dict(self) -> dict:
        return {"name": self.name, "task": self.task.name, "summary": self.task.summary, "placeholder": self.task.placeholder,
                "languages": list(self.task.languages), "fusion": self.model.settings.fusion, "parameters": self.model.trainable_count(),
                "beams": self.beams, "max_new_tokens": self.max_new_tokens}


class Transducers:
    """What is served, by name. A transducer that is taken away goes on answering the requests that have it already.

    Args:
        backbone: the model that all of them share.
        settings: limits; `root` is where clients may name folders.
    """

    def __init__(self, backbone: Backbone, settings: ServeSettings):
        self.backbone = backbone
        self._settings = settings
        self._served: dict[str, Served] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterable[Served]:
        return iter(list(self._served.values()))

    def __len__(self) -> int:
        return len(self._served)

    def add(self, name: str, folder: Path) -> Served:
        """Loads a folder and serves it. Cost: reading the folder, some tens of milliseconds.

        Raises:
            MalformedError, NameTakenError, OverloadedError: the name cannot be used, or the table is full.
            ConfigurationError: the folder does not say its task, and the name is no task's.
            CheckpointError, BackboneError: the folder holds no transducer for this model.
        """
        if not NAME.fullmatch(name):
            raise MalformedError(f"the name {name!r} cannot be served; use up to 64 letters, digits, '.', '-' and '_', the first a "
                                 "letter or digit")
        self._check_room(name)
        task = self._task(name, folder)
        model = TransducerModel.from_pretrained(folder, self.backbone, engine=self._settings.engine,
                                                allow_mismatch=self._settings.allow_mismatch)
        preparer = Preparer.for_model(model, task, self._settings.max_source_tokens)
        limit = min(preparer.text.max_target_tokens, self._settings.max_new_tokens)
        served = Served(name, task, model, preparer, min(task.generation["num_beams"], self._settings.max_beams), limit)
        with self._lock:
            self._check_room(name)
            self._served[name] = served
        return served

    def add_below_root(self, name: str, folder: str) -> Served:
        """As `add`, with a folder that a client named.

        Raises:
            ForbiddenError: there is no root, or the folder is not below it.
        """
        if not self._settings.root:
            raise ForbiddenError("this server adds no transducers; start it with --root FOLDER and --token-file FILE to allow it")
        root = Path(self._settings.root).resolve()
        try:
            place = (root / folder).resolve()
        except (OSError, ValueError) as error:
            raise MalformedError(f"the folder {folder!r} is no path ({error}); give one below the root of the server") from None
        if place == root or not place.is_relative_to(root):
            raise ForbiddenError(f"the folder {folder!r} is not below the root of this server; give a path relative to the root")
        return self.add(name, place)

    def remove(self, name: str) -> None:
        """Raises UnknownServedError where nothing of that name is served."""
        with self._lock:
            self._by_name(name)
            del self._served[name]

    def choose(self, transducer: str | None, task: str | None) -> Served:
        """The one that a request means by its name, or by a task that only one is for.

        Raises:
            MalformedError: neither or both are given, or several transducers are for the task.
            UnknownServedError: no such one.
        """
        if (transducer is None) == (task is None):
            raise MalformedError(f"the request names {'neither a task nor a transducer' if task is None else 'a task and a transducer'}; "
                                 f"give one of them; {self._listed()}")
        if transducer is not None:
            return self._by_name(transducer)
        found = [served for served in self if served.task.name == task]
        if len(found) > 1:
            raise MalformedError(f"task {task!r} has {len(found)} transducers: {', '.join(served.name for served in found)}; give one of "
                                 "them as 'transducer'")
        if not found:
            known = sorted({served.task.name for served in self})
            raise UnknownServedError(f"no transducer for task {task!r} is served{_nearest(task, known)}; {self._listed()}")
        return found[0]

    def _by_name(self, name: str) -> Served:
        served = self._served.get(name)
        if served is None:
            raise UnknownServedError(f"no transducer {name!r} is served{_nearest(name, self._served)}; {self._listed()}")
        return served

    def _check_room(self, name: str) -> None:
        if name in self._served:
            raise NameTakenError(f"a transducer {name!r} is served already; remove it first, or use another name")
        if len(self._served) >= self._settings.max_transducers:
            raise OverloadedError(f"{len(self._served)} transducers are served already; remove one, or start the server with a larger "
                                  "--max-transducers")

    def _task(self, name: str, folder: Path) -> Task:
        task = read_artefact(folder).config["task"] or name
        if task not in TASKS:
            raise ConfigurationError(f"transducer {folder} says {task!r} is its task; expected one of: {', '.join(TASKS)}; where it says "
                                     "none, serve it under the name of its task")
        return get_task(task)

    def _listed(self) -> str:
        return "served: " + (", ".join(f"{served.name} ({served.task.name})" for served in self) or "none")


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""
