"""What a training step costs by method on the exact configuration of CodeT5+ 220M, side by side.

    python benchmarks/step_cost.py [--methods transducer lora prefix prompt linear full] [--precision bfloat16] [--rounds 7]

Random weights of exactly that shape, nothing downloaded. Batches of 8 functions of this project's own source, 256 tokens each,
with their graphs, and 64 target tokens. Every method lives in a process of its own, which measures its peak of memory; the
processes take steps in turn, one at a time, so that all of them see the same machine. A step is what `transducer.train` does:
batching, forward, backward, clipping, AdamW. Prints medians, quartiles, ratios and whether the bars of the project are met.
"""
from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

METHODS = ("transducer", "lora", "prefix", "prompt", "linear", "full")
BATCH, SOURCE, TARGET = 8, 256, 64
CODET5P_220M = dict(vocab_size=32_100, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_decoder_layers=12, num_heads=12,
                    dropout_rate=0.1, feed_forward_proj="relu", decoder_start_token_id=0, pad_token_id=0, eos_token_id=2)
PARAMETERS = 222_882_048
"""Of the published model (paper of Transducer Tuning, full fine-tuning)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--rounds", type=int, default=7, help="counted steps of each method; at least 2")
    parser.add_argument("--minutes", type=float, default=0, help="no round begins later than this; 0: all of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engine", choices=("auto", "dgl", "torch"), default="auto")
    parser.add_argument("--profile", metavar="METHOD", help="prints where one method's time goes instead")
    parser.add_argument("--worker", metavar="METHOD", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker or options.profile:
        work(options)
        return
    workers = {method: start(method, options) for method in options.methods}
    seconds: dict[str, list[dict]] = {method: [] for method in workers}
    for method, worker in workers.items():
        print(f"warm step of {method}", file=sys.stderr)
        ask(worker, "step")
    end = time.monotonic() + 60 * options.minutes
    for round_number in range(options.rounds):
        if round_number > 1 and options.minutes and time.monotonic() > end:
            break
        print(f"round {round_number + 1} of {options.rounds}", file=sys.stderr)
        order = list(workers)
        for method in order[round_number % len(order):] + order[:round_number % len(order)]:
            seconds[method].append(ask(workers[method], "step"))
    facts = {method: ask(worker, "facts") for method, worker in workers.items()}
    report(seconds, facts, options)


def start(method: str, options: argparse.Namespace) -> subprocess.Popen:
    command = [sys.executable, __file__, "--worker", method, "--precision", options.precision, "--threads", str(options.threads),
               "--engine", options.engine]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=os.environ | {"OMP_NUM_THREADS": str(options.threads)})
    ask(worker, "ready")  # one at a time: building is work too
    return worker


def ask(worker: subprocess.Popen, question: str) -> dict:
    worker.stdin.write(question + "\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"a process ended with code {worker.wait()}")
    return json.loads(line)


def work(options: argparse.Namespace) -> None:
    """A method's process: answers questions from standard input."""
    import torch

    from transducer.measure import peak_memory, resident_bytes

    torch.set_num_threads(options.threads)
    model, batches = build(options)
    from transducer.cost import Stepper

    stepper = Stepper(model, 1e-3)
    if options.profile:
        profile(stepper, batches)
        return
    graph_side = GraphSide(model)
    cuda = model.backbone.device.type == "cuda"
    start_bytes = torch.cuda.memory_allocated() if cuda else resident_bytes()
    count = 0
    with peak_memory(model.backbone.device) as peak:
        for line in sys.stdin:
            if line.strip() == "facts":
                break
            if line.strip() == "step":
                graph_side.begin()
                processor = time.process_time()
                taken = stepper(batches[count % len(batches)])
                count += 1
                print(json.dumps({"step": taken, "processor": time.process_time() - processor, "graph": graph_side.end()}), flush=True)
            else:
                print("{}", flush=True)
    print(json.dumps({"trainable": model.trainable_count(), "start": start_bytes, "peak": peak.bytes,
                      "reserved": peak.reserved_bytes, "artefact": artefact_bytes(model),
                      "nodes": sum(len(example.graph.bag_offsets) for example in batches[0]) if model.reads_graph else None}),
          flush=True)


def build(options: argparse.Namespace):
    """A method on a random model, and batches of prepared examples."""
    import torch
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    import checkpoints
    from transducer.backbone import Backbone
    from transducer.config import TransducerSettings
    from transducer.methods import build_method, method_class

    torch.manual_seed(0)
    method = options.worker or options.profile
    model = T5ForConditionalGeneration(T5Config(**CODET5P_220M))
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    if torch.cuda.is_available():
        model = model.cuda()
    else:
        model.set_attn_implementation("eager")  # as `load_backbone` does on a CPU
    tokenizer = AutoTokenizer.from_pretrained(checkpoints.path("codet5-tiny"))
    backbone = Backbone(model, tokenizer, "codet5p-220m of random weights", None, "0" * 64)
    backbone.set_precision(options.precision)
    adapted = build_method(method, backbone, TransducerSettings(), options.engine)
    return adapted, examples(tokenizer, method_class(method).reads_graph)


def examples(tokenizer, with_graph: bool) -> list[list]:
    """Two batches: functions of this project's source cut to the length of the input, labels at random."""
    import numpy as np

    from cpg import extract
    from transducer.tensors import NodeBags, PreparedExample, graph_arrays
    from transducer.text import TextEncoder

    encoder, bags, random = TextEncoder(tokenizer, None, SOURCE, TARGET), NodeBags(tokenizer), np.random.default_rng(0)
    found = []
    for path in sorted((ROOT / "cpg").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if len(found) < 2 * BATCH and isinstance(node, ast.FunctionDef):
                encoded = encoder.encode_source(ast.get_source_segment(text, node))
                if len(encoded.token_ids) == SOURCE:
                    graph = graph_arrays(extract(encoded.text, "python"), encoded, bags) if with_graph else None
                    found.append(PreparedExample(encoded.token_ids, random.integers(5, len(tokenizer), TARGET), graph))
    assert len(found) == 2 * BATCH
    return [found[:BATCH], found[BATCH:]]


class GraphSide:
    """Seconds of a step that only a method with graphs has: joining graphs, node features, GVE and ABFL, forward and backward.

    Backward is the time from the gradient's arrival at the fused embeddings to the end of the backward pass.
    """

    def __init__(self, model):
        self._seconds = 0.0
        if not model.reads_graph:
            return
        import torch

        from transducer import tensors

        fused, joined, backward = model.fused, tensors._joined, torch.Tensor.backward

        def timed_fused(*arguments, **named):
            begin = time.perf_counter()
            made = fused(*arguments, **named)
            self._seconds += time.perf_counter() - begin
            made.embeddings.register_hook(self._arrived)
            return made

        def timed_joined(graphs):
            begin = time.perf_counter()
            try:
                return joined(graphs)
            finally:
                self._seconds += time.perf_counter() - begin

        def timed_backward(tensor, *arguments, **named):
            backward(tensor, *arguments, **named)
            self._seconds += time.perf_counter() - self._arrival

        model.fused, tensors._joined, torch.Tensor.backward = timed_fused, timed_joined, timed_backward

    def _arrived(self, gradient) -> None:
        self._arrival = time.perf_counter()

    def begin(self) -> None:
        self._seconds = 0.0

    def end(self) -> float:
        return self._seconds


def artefact_bytes(model) -> int:
    import tempfile

    from checkpoints.artefact import folder_bytes

    if model.changes_backbone:
        return 4 * model.trainable_count()
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "saved")
        return folder_bytes(Path(folder) / "saved")


def profile(stepper, batches: list) -> None:
    """Operators by their own time over two steps after a warm one."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    stepper(batches[0])
    with profiled(activities=[ProfilerActivity.CPU]) as record:
        for batch in batches:
            stepper(batch)
    print(record.key_averages().table(sort_by="self_cpu_time_total", row_limit=30, max_name_column_width=60))


def report(seconds: dict[str, list[dict]], facts: dict[str, dict], options: argparse.Namespace) -> None:
    steps = {method: statistics.median(step["step"] for step in taken) for method, taken in seconds.items()}
    processor = {method: statistics.median(step["processor"] for step in taken) for method, taken in seconds.items()}
    count = len(seconds[options.methods[0]])
    print(f"{BATCH} x {SOURCE} tokens in, {TARGET} out, {options.precision}, {options.threads} threads, {count} steps each in turn; "
          "medians; peaks of resident memory, each process its own (GPU: allocated)")
    print(f"{'method':12} {'step s':>7} {'quartiles':>15} {'/ lora':>7} {'/ prompt':>8} {'cpu s':>7} {'/ lora':>7} {'/ prompt':>8} "
          f"{'peak MB':>8} {'added MB':>8} {'trained':>12} {'saved kB':>9}")
    for method, taken in seconds.items():
        low, _, high = statistics.quantiles([step["step"] for step in taken], n=4)
        fact = facts[method]
        print(f"{method:12} {steps[method]:7.3f} {low:7.3f}-{high:7.3f} {ratio(steps, method, 'lora'):>7} "
              f"{ratio(steps, method, 'prompt'):>8} {processor[method]:7.3f} {ratio(processor, method, 'lora'):>7} "
              f"{ratio(processor, method, 'prompt'):>8} {fact['peak'] / 1e6:8,.0f} {(fact['peak'] - fact['start']) / 1e6:8,.0f} "
              f"{fact['trainable']:12,} {fact['artefact'] / 1e3:9,.1f}")
    if {"transducer", "lora", "prompt"} <= seconds.keys():
        bars(seconds, facts, steps, processor)


def bars(seconds: dict[str, list[dict]], facts: dict[str, dict], steps: dict[str, float], processor: dict[str, float]) -> None:
    """What the project asks of the transducer. Processor time tells on a machine that is shared, where the clock does not."""
    share = statistics.median(step["graph"] / step["step"] for step in seconds["transducer"])
    mine, lora = facts["transducer"], facts["lora"]
    for text, value, bar in (
            ("step time / lora's", steps["transducer"] / steps["lora"], 1.00),
            ("step time / prompt tuning's", steps["transducer"] / steps["prompt"], 1.05),
            ("processor time / lora's", processor["transducer"] / processor["lora"], 1.00),
            ("processor time / prompt tuning's", processor["transducer"] / processor["prompt"], 1.05),
            ("peak memory / lora's", mine["peak"] / lora["peak"], 1.00),
            ("graph side / step", share, 0.03), ("saved kB", mine["artefact"] / 1e3, 130)):
        print(f"transducer: {text} {value:.3f}, bar {bar}: {'met' if value <= bar else 'MISSED'}")
    print(f"nodes in a batch: {mine['nodes']:,}")


def ratio(medians: dict[str, float], method: str, other: str) -> str:
    return f"{medians[method] / medians[other]:.3f}" if other in medians else "-"


if __name__ == "__main__":
    main()
