"""The scan of Mamba's layers on a CPU: the project's against the library's, in one process and in turn.

    python benchmarks/state_space_step.py [--lengths 32 64 128 256] [--rounds 3] [--threads 1]

Random weights of a Mamba of width 256 with 8 layers, batches of 8, gradients to the input embeddings alone, as a method that
changes the input has them. Prints the medians of a forward and a backward pass at each length, their ratio, and how far the
gradients are apart.
"""
from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=(32, 64, 128, 256), help="tokens of each example")
    parser.add_argument("--rounds", type=int, default=3, help="counted steps of each; one more goes before")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    import torch
    from transformers import MambaConfig, MambaForCausalLM
    from transformers.models.mamba import modeling_mamba as module
    from transformers.utils import logging

    from transducer import scan

    logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = MambaForCausalLM(MambaConfig(vocab_size=12_000, hidden_size=256, num_hidden_layers=8, state_size=16)).eval()
    model.requires_grad_(False)
    scan.install(model)
    ours = getattr(module, scan.NAME)
    ways = {"library": ours.of_the_library, "project": ours}
    print(f"{'tokens':>6} {'library s':>10} {'project s':>10} {'ratio':>6}  largest difference of a gradient, of the largest gradient")
    for length in options.lengths:
        inputs = torch.randn(BATCH, length, 256, requires_grad=True)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        gradients = {}
        for _ in range(options.rounds + 1):
            for name, way in ways.items():
                setattr(module, scan.NAME, way)
                begin = time.perf_counter()
                loss = model(inputs_embeds=inputs, use_cache=False).logits.logsumexp(-1).mean()
                (gradients[name],) = torch.autograd.grad(loss, inputs)
                seconds[name].append(time.perf_counter() - begin)
        library, project = (statistics.median(seconds[name][1:]) for name in ways)
        apart = (gradients["project"] - gradients["library"]).abs().max() / gradients["library"].abs().max()
        print(f"{length:6d} {library:10.2f} {project:10.2f} {library / project:6.1f}  {float(apart):.1e}", flush=True)


if __name__ == "__main__":
    main()
