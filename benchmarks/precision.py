"""Is bfloat16 faster than float32 here? One training step of the embedded model and of CodeT5's geometries, side by side.

    python benchmarks/precision.py [--models tiny small base]

Random weights of exactly the published shapes, nothing downloaded. Prints float32 seconds / bfloat16 seconds, measured
by the function that `--precision auto` uses; above 1.15 it takes bfloat16.
"""
from __future__ import annotations

import argparse

from transformers import T5Config, T5ForConditionalGeneration

from transducer.backbone import Backbone, step_seconds

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
        seconds = {}
        for precision in ("float32", "bfloat16"):
            backbone.precision = precision
            seconds[precision] = step_seconds(backbone)
        print(f"{name}: float32 {seconds['float32']:.3f} s, bfloat16 {seconds['bfloat16']:.3f} s, "
              f"ratio {seconds['float32'] / seconds['bfloat16']:.2f}")


if __name__ == "__main__":
    main()
