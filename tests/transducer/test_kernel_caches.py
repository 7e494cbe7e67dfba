"""Memory does not grow with the number of different lengths."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.transducer import tiny
from transducer.kernel_caches import CACHES, KEPT, keep_few_kernels

LENGTHS = """
import sys, torch
from transducer import load_backbone
backbone = load_backbone(sys.argv[1], "bfloat16", device="cpu")
wide, narrow = torch.nn.Linear(256, 1024).bfloat16(), torch.nn.Linear(1024, 256).bfloat16()

def pages():
    return int(open("/proc/self/statm").read().split()[1])

def product(length):
    narrow(wide(torch.ones(8, length, 256, dtype=torch.bfloat16))).sum()

product(200)
before = pages()
for length in range(40, 160):
    product(length)
print((pages() - before) * 4096 // 2**20)
"""


def test_products_of_many_lengths_keep_few_kernels(model_folder: Path) -> None:
    """Without the limit it is close to 200 MB where kernels are compiled; on a processor where they are not, it is small either way."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc, which this system lacks")
    environment = {name: value for name, value in tiny.environment().items() if name not in CACHES}
    result = subprocess.run([sys.executable, "-c", LENGTHS, str(model_folder)], env=environment, capture_output=True, text=True,
                            timeout=120)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 90


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHES[0], "500")
    monkeypatch.delenv(CACHES[1], raising=False)
    keep_few_kernels()
    assert [os.environ[name] for name in CACHES] == ["500", str(KEPT)]
