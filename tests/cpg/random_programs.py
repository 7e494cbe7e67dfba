"""Random Python functions that can be run: structured control flow of all kinds, decided by chance when they run.

`source` writes the function `run(a, b, c, d, t, f, r, m)`. `namespace` has what it calls: `t()` is a truth value,
`f(...)` may raise `A` or its subclass `B`, `r()` is a short range, `m()` a context manager, all by chance. After a
number of calls everything raises `Enough`, so every run ends.
"""

from __future__ import annotations

import random

VARIABLES = "abcd"


class Enough(BaseException):
    """The run has been long enough."""


class A(Exception):
    """Raised by `f`."""


class B(A):
    """Raised by `f`."""


class Chance:
    """Decides while a program runs."""

    def __init__(self, seed: int, limit: int = 60) -> None:
        self.generator = random.Random(seed)
        self.left = limit

    def next(self, choices: list) -> object:
        self.left -= 1
        if self.left < 0:
            raise Enough
        return self.generator.choice(choices)

    def __enter__(self) -> Chance:
        return self

    def __exit__(self, *error: object) -> bool:
        return False

    def names(self) -> dict[str, object]:
        """What a program calls."""

        def f(*values: object) -> object:
            outcome = self.next([None, None, None, A, B])
            if outcome is not None:
                raise outcome
            return values[:1]

        return {
            "t": lambda *values: self.next([True, False]), "f": f, "r": lambda: range(self.next([0, 1, 2])),
            "m": lambda: self, "A": A, "B": B,
        }  # fmt: skip


class Writer:
    """Writes one program."""

    def __init__(self, seed: int) -> None:
        self.generator = random.Random(seed)
        self.lines: list[str] = []
        self.targets = VARIABLES
        self.makers = {
            self.assignment: 4, self.call: 3, self.branch: 3, self.while_: 2, self.for_: 2, self.try_: 4, self.with_: 1,
            self.jump: 2, self.match: 1, self.nested: 1,
        }  # fmt: skip

    def source(self) -> str:
        """The text of the function `run`."""
        self.add(0, f"def run({', '.join(VARIABLES)}):")
        self.block(1, self.generator.choice([1, 2, 2, 3]), False)
        return "\n".join(self.lines) + "\n"

    def add(self, indent: int, text: str) -> None:
        self.lines.append(" " * indent + text)

    def pick(self, *choices: str) -> str:
        return self.generator.choice(choices)

    def variable(self) -> str:
        return self.generator.choice(VARIABLES)

    def target(self) -> str:
        return self.generator.choice(self.targets)

    def value(self, depth: int = 1) -> str:
        kind = self.generator.randrange(9 if depth else 3)
        if kind < 2:
            return self.variable()
        if kind < 4:
            return f"f({self.variable()})"
        if kind == 4:
            return f"({self.value(depth - 1)} if {self.condition(depth - 1)} else {self.value(depth - 1)})"
        if kind == 5:
            return f"({self.value(depth - 1)} {self.pick('and', 'or')} {self.value(depth - 1)})"
        if kind == 6:
            return f"[f({self.variable()}, i) for i in r() if {self.condition(depth - 1)}]"
        if kind == 7:
            return f"(lambda v={self.value(depth - 1)}: v or {self.variable()})()"
        return f"f({self.value(depth - 1)}, {self.value(depth - 1)})"

    def condition(self, depth: int = 1) -> str:
        kind = self.generator.randrange(9 if depth else 4)
        if kind < 3:
            return f"t({self.variable()})"
        if kind == 3:
            return f"(t() and {self.variable()})"
        if kind < 6:
            return f"({self.condition(depth - 1)} {self.pick('and', 'or')} {self.condition(depth - 1)})"
        if kind == 6:
            return f"not {self.condition(depth - 1)}"
        if kind == 7:
            return f"(t() <= {self.condition(depth - 1)} < t({self.variable()}) != t())"
        return f"({self.target()} := {self.value(depth - 1)})"

    def block(self, indent: int, depth: int, in_loop: bool) -> None:
        for _ in range(self.generator.choice([1, 1, 2, 2, 3])):
            makers = list(self.makers)
            make = self.generator.choices(makers, self.makers.values())[0]
            if depth == 0 and make not in (self.assignment, self.call, self.jump):
                make = self.assignment
            make(indent, depth - 1, in_loop)

    def assignment(self, indent: int, depth: int, in_loop: bool) -> None:
        target = self.pick(f"{self.target()} =", f"{self.target()} =", f"{self.target()} = {self.target()} =")
        self.add(indent, f"{target} {self.value()}")

    def call(self, indent: int, depth: int, in_loop: bool) -> None:
        self.add(indent, self.pick(f"f({self.value()})", "pass", f"assert {self.condition()}", self.value()))

    def branch(self, indent: int, depth: int, in_loop: bool) -> None:
        self.add(indent, f"if {self.condition()}:")
        self.block(indent + 1, depth, in_loop)
        for _ in range(self.generator.choice([0, 0, 1])):
            self.add(indent, f"elif {self.condition()}:")
            self.block(indent + 1, depth, in_loop)
        self.otherwise(indent, depth, in_loop)

    def otherwise(self, indent: int, depth: int, in_loop: bool) -> None:
        if self.generator.random() < 0.4:
            self.add(indent, "else:")
            self.block(indent + 1, depth, in_loop)

    def while_(self, indent: int, depth: int, in_loop: bool) -> None:
        self.add(indent, f"while {self.pick('True', self.condition(), self.condition())}:")
        self.add(indent + 1, "t()")
        self.block(indent + 1, depth, True)
        self.otherwise(indent, depth, in_loop)

    def for_(self, indent: int, depth: int, in_loop: bool) -> None:
        self.add(indent, f"for {self.target()} in r():")
        self.block(indent + 1, depth, True)
        self.otherwise(indent, depth, in_loop)

    def try_(self, indent: int, depth: int, in_loop: bool) -> None:
        handlers = self.generator.choice([[], ["B"], ["A as e"], ["B as e", "A"], ["(B, A)"], ["B", ""], [""]])
        self.add(indent, "try:")
        self.add(indent + 1, f"f({self.variable()})")
        self.block(indent + 1, depth, in_loop)
        for handler in handlers:
            self.add(indent, f"except {handler}:".replace(" :", ":"))
            if handler.endswith(" as e"):
                self.add(indent + 1, f"{self.target()} = e")
            self.block(indent + 1, depth, in_loop)
        if handlers:
            self.otherwise(indent, depth, in_loop)
        if not handlers or self.generator.random() < 0.5:
            self.add(indent, "finally:")
            self.block(indent + 1, depth, in_loop)

    def with_(self, indent: int, depth: int, in_loop: bool) -> None:
        self.add(indent, f"with m() as m1{self.pick('', ', m()')}:")
        self.block(indent + 1, depth, in_loop)

    def jump(self, indent: int, depth: int, in_loop: bool) -> None:
        jumps = ["return", f"return {self.value()}", "raise A", "raise B"] + ["break", "continue"] * (3 * in_loop)
        self.add(indent, f"if t(): {self.generator.choice(jumps)}")

    def match(self, indent: int, depth: int, in_loop: bool) -> None:
        self.add(indent, f"match {self.value()}:")
        patterns = ["None", f"[{self.target()}]", f"({self.target()}, *_)", f"{self.target()} if t()", "_"]
        for pattern in sorted(self.generator.sample(range(5), self.generator.randint(1, 4))):
            self.add(indent + 1, f"case {patterns[pattern]}:")
            self.block(indent + 2, depth, in_loop)

    def nested(self, indent: int, depth: int, in_loop: bool) -> None:
        """A function that sees one variable of the function around it, and may assign it."""
        captured, before = self.variable(), self.targets
        rebinds = self.generator.random() < 0.3
        others = "".join(f", {name}=0" for name in VARIABLES if name != captured)
        self.add(indent, f"def g(v={self.value()}{others}):")
        if rebinds:
            self.add(indent + 1, f"nonlocal {captured}")
        else:
            self.targets = self.targets.replace(captured, "") or "v"
        self.block(indent + 1, min(depth, 1), False)
        self.targets = before
        self.add(indent, f"{self.target()} = g()")
