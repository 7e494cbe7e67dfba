"""How long `--help` of every command takes, beside an interpreter that does nothing.

    python benchmarks/help_speed.py [--rounds 9]

Processes are started in turn, one at a time, so that all of them see the same machine. Prints, for each command, the median of
its seconds, the ratio of that to the interpreter's own, and the modules that it had imported when it ended.
"""
from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTHING = ("-c", "pass")
COMMANDS = ("cpg", "tasks", "checkpoints.fetch", "checkpoints.pretrain", "checkpoints.pretrain_causal", "checkpoints.examine",
            "transducer", "transducer.train", "transducer.compare", "transducer.cost", "transducer.evaluate",
            "transducer.predict", "transducer.export", "transducer.serve", "transducer.report", "transducer.comparison_report",
            "transducer.comparison_report.budget_curve", "transducer.comparison_report.learning_curve")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="starts of each command")
    rounds = parser.parse_args().rounds
    calls = {"(nothing)": NOTHING, **{name: ("-m", name, "--help") for name in COMMANDS}}
    modules = {name: imported(call) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.perf_counter()
            run(*call)
            seconds[name].append(time.perf_counter() - begin)
    nothing = statistics.median(seconds["(nothing)"])
    print(f"{'command':42} {'seconds':>8} {'ratio':>6} {'modules':>8}")
    for name, taken in seconds.items():
        print(f"{name:42} {statistics.median(taken):8.3f} {statistics.median(taken) / nothing:6.1f} {modules[name]:8}")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


def imported(call: tuple[str, ...]) -> int:
    """Modules that the interpreter imports for a call, its own included."""
    return run("-X", "importtime", *call).stderr.count("import time:") - 1  # one line is the heading


if __name__ == "__main__":
    main()
