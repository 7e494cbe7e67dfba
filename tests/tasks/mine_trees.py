"""Small source trees, written out by tests, for the source `mine:`."""
from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

PROJECT = {
    "LICENSE.txt": "Do as you like.\n",
    "src/shop/__init__.py": "from .prices import total\n",
    "src/shop/prices.py": '''
import math
from .taxes import rate_of as rate

def total(prices, country):
    """Return the sum of all prices with the tax of a country."""
    return round_up(sum(prices) * (1 + rate(country)))

def round_up(value):
    """Return the value, rounded up to whole cents."""
    return math.ceil(value * 100) / 100

def cheapest(prices):
    # none is cheaper
    return min(prices)
''',
    "src/shop/taxes.py": '''
RATES = {"de": 0.19}

def rate_of(country):
    """Look up the tax rate of a country in the table."""
    return RATES[country]
''',
    "src/shop/basket.py": '''
from shop.prices import total

class Basket:
    size: int = 0

    def __init__(self, country):
        self.country = country
        self.items = []

    def add_item(self, price):
        """Put one more price into the basket."""
        self.items.append(price)

    def cost(self):
        """Return what all items cost together with tax."""
        return total(self.items, self.country)

class Shelf:
    def put_down(self, thing):
        self.thing = thing
        return self

class Floor:
    def put_down(self, thing):
        return thing
''',
    "tests/test_prices.py": '''
import pytest
from shop import total
from shop.prices import round_up, cheapest

def test_total():
    prices = [1, 2]
    result = total(prices, "de")
    assert result == 3.57

def test_round_up():
    assert round_up(0.001) == 0.01

async def test_cheapest_later():
    assert cheapest([2, 1]) == 1

def test_shelf(thing):
    place = thing.put_down(2)
    assert place
''',
    "tests/test_basket.py": '''
import unittest
from shop.basket import Basket

class TestBasket(unittest.TestCase):
    def setUp(self):
        self.basket = Basket("de")

    def test_cost(self):
        self.basket.add_item(1)
        self.assertEqual(self.basket.cost(), 1.19)

    class Inner(unittest.TestCase):
        def test_add_item(self):
            basket = Basket("de")
            basket.add_item(5)
            self.assertEqual(basket.items, [5])
''',
    "tests/test_taxes.py": '''
from shop import taxes

def test_rate_of():
    assert taxes.rate_of("de") == 0.19
''',
}
"""A project with its package below `src`."""


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """`folder` with the files in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return folder


class Repository:
    """A git repository whose commits have a fixed author and time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.commits = 0
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """What git prints."""
        who = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in (
            ("NAME", "A"), ("EMAIL", "a@example.org"), ("DATE", f"{1_700_000_000 + self.commits} +0000"))}
        return subprocess.run([shutil.which("git"), "-C", str(self.folder), *arguments], check=True, capture_output=True, text=True,
                              env={**who, "PATH": "/usr/bin:/bin", "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}).stdout

    def commit(self, message: str, files: Mapping[str, str | bytes]) -> str:
        """Writes the files and commits everything; the id."""
        write(self.folder, files)
        self.commits += 1
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()
