"""Training checkpoints without pickle: optimiser, schedule and random states as safetensors and JSON.

    adapter/                        what the method's `save` writes
    method_state.safetensors        what a method that prunes remembers; absent where there is nothing
    optimizer.safetensors           state of AdamW by parameter number
    training_state.json             parameter groups, schedule, random states of Python and numpy
    random_state.safetensors        random states of torch
    trainer_state.json              written last: a checkpoint without it is not complete

`CheckpointHooks` replaces the hooks of `transformers.Trainer` that would pickle.
"""
from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .storage import write_json

COMPLETE_MARK = "trainer_state.json"
METHOD_STATE = "method_state.safetensors"


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a folder, None where there is none."""
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE_MARK}")]
    return max(complete, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


class CheckpointHooks:
    """Mixin for `transformers.Trainer`: saves and restores what is trained, and nothing of the backbone."""

    def _save(self, output_dir: str | None = None, state_dict=None) -> None:
        if not self.args.should_save:  # `Trainer` calls this on every process
            return
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        model = self.accelerator.unwrap_model(self.model)
        model.save(folder / "adapter")
        state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.training_state().items()}
        if state:
            save_file(state, folder / METHOD_STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        model, folder = self.accelerator.unwrap_model(model or self.model), Path(resume_from_checkpoint)
        model.load(folder / "adapter")
        if (folder / METHOD_STATE).exists():
            model.load_training_state(load_file(folder / METHOD_STATE))

    def _load_best_model(self) -> None:
        self.accelerator.unwrap_model(self.model).load(Path(self.state.best_model_checkpoint) / "adapter")

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.args.should_save:
            return
        state = self.optimizer.state_dict()
        tensors = {f"{index}.{key}": torch.as_tensor(value).detach().cpu().contiguous().clone()
                   for index, entry in state["state"].items() for key, value in entry.items()}
        folder = Path(output_dir)
        save_file(tensors, folder / "optimizer.safetensors")
        write_json(folder / "training_state.json", {
            "param_groups": state["param_groups"], "scheduler": self.lr_scheduler.state_dict()})

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        entries: dict[int, dict] = {}
        for name, tensor in load_file(folder / "optimizer.safetensors").items():
            index, key = name.split(".", 1)
            entries.setdefault(int(index), {})[key] = tensor
        state = json.loads((folder / "training_state.json").read_text(encoding="utf-8"))
        self.optimizer.load_state_dict({"state": entries, "param_groups": state["param_groups"]})
        self.lr_scheduler.load_state_dict(state["scheduler"])

    def _random_state_file(self, folder: str) -> Path:
        return Path(folder) / f"random_state_{self.args.process_index}.safetensors"

    def _save_rng_state(self, output_dir: str) -> None:
        os.makedirs(output_dir, exist_ok=True)
        states = {"torch": torch.get_rng_state()}
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state()
        numpy_state = np.random.get_state()
        others = {"python": random.getstate(), "numpy": [numpy_state[0], numpy_state[1].tolist(), *numpy_state[2:]]}
        save_file(states, self._random_state_file(output_dir), metadata={"others": json.dumps(others)})

    def _load_rng_state(self, checkpoint: str | None) -> None:
        path = self._random_state_file(checkpoint) if checkpoint else None
        if path is None or not path.exists():  # another number of processes than before
            return
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            others = json.loads(file.metadata()["others"])
        states = load_file(path)
        torch.set_rng_state(states["torch"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])
        version, internal, gauss = others["python"]
        random.setstate((version, tuple(internal), gauss))
        name, keys, *rest = others["numpy"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
