"""What a training step costs here by precision and by kind of attention, side by side in one run.

    python benchmarks/training_step.py [--models tiny small base]

Random weights of exactly the published shapes, nothing downloaded; steps of 8 x 400 tokens, measured by the function that
`--precision auto` uses. Prints seconds and the ratio to the first line of a model. `--precision auto` takes bfloat16 where
it is more than 1.15 times as fast; on a CPU a backbone computes attention in the plain ("eager") way.
"""
from __future__ import annotations

import argparse
from itertools import product

from transformers import T5Config, T5ForConditionalGeneration

from transducer.backbone import Backbone
from transducer.precision import step_seconds

SHAPES = {
    "tiny": dict(vocab_size=12_288, d_model=256, d_kv=64, d_ff=1024, num_layers=4, num_heads=4),
    "small": dict(vocab_size=32_100, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8),
    "base": dict(vocab_size=32_100, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", choices=SHAPES, default=["tiny", "small"])
    for name in parser.parse_args().models:
        model = T5ForConditionalGeneration(T5Config(decoder_start_token_id=0, **SHAPES[name]))
        backbone = Backbone(model, None, name, None, "")
        first = None
        for precision, attention in product(("float32", "bfloat16"), ("sdpa", "eager")):
            backbone.precision = precision
            model.set_attn_implementation(attention)
            seconds = step_seconds(backbone, source=400)
            first = first or seconds
            print(f"{name}: {precision:8} {attention:5} {seconds:.3f} s, {first / seconds:.2f} times as fast as the first")


if __name__ == "__main__":
    main()
