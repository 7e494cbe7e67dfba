"""Random C# programs that report what they do while they run.

Every point of a program that does anything calls a method of `RUNTIME` with the activation that it belongs to and a
number of its own. Values know the number that made them, so that a call sees which definition each of its arguments
comes from. The text that runs is the text whose graph is held against the report; nothing is inserted.

    Make(a, n, values...)         a new value
    Again(a, n, value)            a new value, whatever the old one
    Test(a, n, values...)         true or false
    Check(a, n, values...)        the same, and does not throw
    Pick(a, n, values...)         0 to 3
    Maybe(a, n, values...)        a value whose method `Give` returns its argument, or null
    Other(a, n, values...)        a value, null or a string
    Each(a, n, values...)         a sequence whose every step counts as n
    Set(a, n, out v, values...)   a new value for v
    Change(a, n, ref v)           uses v and perhaps gives it a new value
    Call(a, n, f, p, values...)   calls f with a value that its parameter p makes

The others may throw. `run` gives back the steps from call to call within one activation and the flows of values.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

RUNTIME = """
using System;
using System.Collections.Generic;

class Stop : Exception { }
class X : Exception { public bool Some = true; }
class Y : X { }
class V : IDisposable {
  public readonly int Made;
  public V(int made) { Made = made; }
  public V Give(V value) { return value; }
  public void Dispose() { }
}
static class R {
  static readonly Random Chance = new Random(1);
  static readonly V[] None = new V[0];
  static int activations, fuel;
  static Dictionary<int, int> last;
  static HashSet<string> steps, flows;

  public static int Begin() { return ++activations; }
  static bool One(int of) { return Chance.Next(of) == 0; }
  static void Note(int a, int n, V[] values) {
    int before;
    if (last.TryGetValue(a, out before)) steps.Add(before + " " + n);
    last[a] = n;
    foreach (V value in values) if (value != null) flows.Add(value.Made + " " + n);
  }
  static void Report(int a, int n, params V[] values) {
    if (--fuel < 0) throw new Stop();
    Note(a, n, values);
    if (One(12)) throw One(3) ? new Exception() : One(2) ? new X() : new Y();
  }
  public static V Make(int a, int n, params V[] values) { Report(a, n, values); return new V(n); }
  public static V Again(int a, int n, V value) { Report(a, n); return new V(n); }
  public static bool Test(int a, int n, params V[] values) { Report(a, n, values); return One(2); }
  public static bool Check(int a, int n, params V[] values) {
    if (fuel > 0) Note(a, n, values);
    return One(2);
  }
  public static int Pick(int a, int n, params V[] values) { Report(a, n, values); return Chance.Next(4); }
  public static V Maybe(int a, int n, params V[] values) { Report(a, n, values); return One(2) ? null : new V(n); }
  public static object Other(int a, int n, params V[] values) {
    Report(a, n, values);
    return One(2) ? new V(n) : One(2) ? (object) "" : null;
  }
  public static IEnumerable<V> Each(int a, int n, params V[] values) {
    for (;; values = None) {
      Report(a, n, values);
      if (One(2)) yield break;
      yield return new V(n);
    }
  }
  public static bool Set(int a, int n, out V value, params V[] values) {
    value = new V(n);
    Report(a, n, values);
    return One(2);
  }
  public static bool Change(int a, int n, ref V value) {
    V old = value;
    if (One(2)) value = new V(n);
    Report(a, n, old);
    return One(2);
  }
  public static V Call(int a, int n, Func<V, V> f, int p, params V[] values) {
    Report(a, n, values);
    f(new V(p));
    return new V(n);
  }
  public static void Observe(Func<V> program, int runs) {
    steps = new HashSet<string>();
    flows = new HashSet<string>();
    for (int run = 0; run < runs; run++) {
      last = new Dictionary<int, int>();
      fuel = 150;
      try { program(); } catch (Exception e) when (e is Stop || e is X || e.GetType() == typeof(Exception)) { }
    }
    Console.WriteLine(string.Join(",", steps));
    Console.WriteLine(string.Join(",", flows));
  }
}
static class Programs {
  static void Main() { CALLS }
PROGRAMS
}
"""


def run(mcs: str, mono: str, folder: Path, programs: list[str], runs: int) -> list[tuple[set, set]]:
    """What each program does in that many runs: pairs of numbers, (step, next step) and (made at, used at)."""
    renamed = [program.replace(" Main(", f" Main{i}(", 1) for i, program in enumerate(programs)]
    calls = " ".join(f"R.Observe(Main{i}, {runs});" for i in range(len(programs)))
    source, target = folder / "programs.cs", folder / "programs.exe"
    source.write_text(RUNTIME.replace("CALLS", calls).replace("PROGRAMS", "".join(renamed)), encoding="utf-8")
    made = subprocess.run([mcs, "-warn:0", f"-out:{target}", source], capture_output=True, text=True, timeout=300, check=False)
    if made.returncode:
        raise AssertionError((made.stdout + made.stderr)[:2000])
    done = subprocess.run([mono, target], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise AssertionError((done.stdout[-500:] + done.stderr)[:2000])
    lines = [[pair.split(" ") for pair in line.split(",") if pair] for line in done.stdout.splitlines()]
    pairs = [{(int(source), int(target)) for source, target in line} for line in lines]
    return list(zip(pairs[::2], pairs[1::2]))


class Program:
    """Writes one program; `text` is a method `Main`."""

    def __init__(self, seed: int, depth: int) -> None:
        self.random = random.Random(seed)
        self.number = 0
        self.activation = ""
        self.text = f"static V Main() {{\n{self.body([], depth)}}}\n"

    def new(self) -> int:
        """A number that nothing else has."""
        self.number += 1
        return self.number

    def reports(self, name: str, seen: list[str], *more: object) -> str:
        """A call that reports, with up to two values as arguments."""
        chosen = self.random.sample(seen, min(len(seen), self.random.randint(0, 2)))
        return f"R.{name}({', '.join([self.activation, str(self.new()), *map(str, more), *chosen])})"

    def body(self, seen: list[str], depth: int) -> str:
        """The statements of a function that reads the variables around it and assigns to its own."""
        around, self.activation = self.activation, f"a{self.new()}"
        own = [f"v{self.new()}" for _ in range(2)]
        text = f"int {self.activation} = R.Begin();\n"
        text += f"V {own[0]} = {self.reports('Make', seen)}, {own[1]} = {self.reports('Make', seen)};\n"
        text += self.block(own, [*seen, *own], depth, ("return",))
        text += f"return {self.reports('Make', [*seen, *own])};\n"
        self.activation = around
        return text

    # -------------------------------------------------------------------------------------- expressions
    def condition(self, seen: list[str], own: list[str], depth: int = 2) -> str:
        """A test, or tests joined by operators."""
        kind = self.random.choice(["test"] * 3 + ["&&", "||", "!", "?", "set", "change"]) if depth else "test"
        if kind == "set":
            target = self.random.choice(own)
            return self.reports("Set", [name for name in seen if name != target], f"out {target}")
        if kind == "change":
            return self.reports("Change", [], f"ref {self.random.choice(own)}")
        if kind == "test":
            return self.reports("Test", seen)
        inner = [self.condition(seen, own, depth - 1) for _ in range({"!": 1, "?": 3}.get(kind, 2))]
        if kind == "!":
            return f"!({inner[0]})"
        if kind == "?":
            return f"({inner[0]} ? {inner[1]} : {inner[2]})"
        return f"({inner[0]} {kind} {inner[1]})"

    def value(self, seen: list[str], depth: int) -> str:
        """A value that is made by the statement around it; conditions come first, as the graph has them."""
        kind = self.random.choice(["plain"] * 4 + ["chosen", "joined", "optional", "thrown", "inside", "called"])
        again = f"R.Again({self.activation}, {self.new()}, "
        if kind == "chosen":
            return again + f"{self.reports('Test', seen)} ? {self.reports('Make', seen)} : null)"
        if kind == "joined":
            return again + f"{self.reports('Maybe', seen)} ?? {self.reports('Make', seen)})"
        if kind == "optional":
            return again + f"{self.reports('Maybe', seen)}?.Give({self.reports('Make', seen)}))"
        if kind == "thrown":
            return again + f"{self.reports('Maybe', seen)} ?? throw new Y())"
        if kind == "inside":
            return self.reports("Make", seen, self.reports("Make", seen))
        if kind == "called" and depth > 0:
            parameter = self.new()
            name = f"p{parameter}"
            if self.random.random() < 0.5:
                function = f"{name} => {{\n{self.body([*seen, name], depth - 1)}}}"
            else:
                function = f"delegate (V {name}) {{\n{self.body([*seen, name], depth - 1)}}}"
            return self.reports("Call", seen, function, parameter)
        return self.reports("Make", seen)

    # --------------------------------------------------------------------------------------- statements
    def block(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """Statements, perhaps with a variable of their own."""
        text = ""
        if self.random.random() < 0.3:
            name = f"v{self.new()}"
            text, own, seen = f"V {name} = {self.value(seen, depth)};\n", [*own, name], [*seen, name]
        for _ in range(self.random.randint(1, 3)):
            text += self.statement(own, seen, depth, jumps) + "\n"
        return text

    def statement(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """One statement."""
        nested = [self.choice, self.choice, self.loop, self.loop, self.switch, self.attempt, self.attempt, self.attempt]
        nested += [self.pattern, self.labelled, self.again, self.late, self.guarded]
        make = self.random.choice([self.assignment] * 4 + ([self.jump] if jumps else []) + (nested if depth else []))
        return make(own, seen, depth - 1, jumps)

    def assignment(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """One or two variables get new values, in one of several ways."""
        target = self.random.choice(own)
        kind = self.random.choice(["="] * 4 + ["out", "out new", "ref"])
        if kind == "=":
            return f"{target} = {self.value(seen, depth)};"
        if kind == "ref":
            return f"R.Change({self.activation}, {self.new()}, ref {target});"
        others = [name for name in seen if name != target]
        if kind == "out":
            return self.reports("Set", others, f"out {target}") + ";"
        name = f"v{self.new()}"
        return f"{{\n{self.reports('Set', others, f'out V {name}')};\n{target} = {self.reports('Make', [name])};\n}}"

    def jump(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A jump that is taken or not."""
        jump = self.random.choice([*jumps, "throw"])
        if jump == "return":
            jump += f" {self.reports('Make', seen)}"
        elif jump == "throw":
            jump += " new X()"
        return f"if ({self.condition(seen, own)}) {{\n{jump};\n}}"

    def choice(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """if, perhaps with else."""
        text = f"if ({self.condition(seen, own)}) {{\n{self.block(own, seen, depth, jumps)}}}"
        return text + (f" else {{\n{self.block(own, seen, depth, jumps)}}}" if self.random.random() < 0.5 else "")

    def pattern(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A variable that a test defines, for the statements under it or behind it."""
        name = f"v{self.new()}"
        test = f"{self.reports('Other', seen)} is V {name}"
        if self.random.random() < 0.5:
            return f"if ({test} && {self.reports('Test', [name])}) {{\n{self.block(own, [*seen, name], depth, jumps)}}}"
        return f"{{\nif (!({test})) {{\nthrow new X();\n}}\n{self.block(own, [*seen, name], depth, jumps)}}}"

    def loop(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """while, do, for, foreach."""
        inner = (*(jump for jump in jumps if jump not in ("break", "continue")), "break", "continue")
        kind = self.random.choice(["while", "do", "for", "foreach", "foreach", "endless"])
        name = f"v{self.new()}"
        if kind == "foreach":
            body = self.block(own, [*seen, name], depth, inner)
            return f"foreach (V {name} in {self.reports('Each', seen)}) {{\n{body}}}"
        if kind == "for":
            test = self.reports("Test", [*seen, name])
            update = f"{name} = {self.reports('Make', [*seen, name])}"
            body = self.block([*own, name], [*seen, name], depth, inner)
            return f"for (V {name} = {self.reports('Make', seen)}; {test}; {update}) {{\n{body}}}"
        body, test = self.block(own, seen, depth, inner), self.condition(seen, own)
        if kind == "do":
            return f"do {{\n{body}}} while ({test});"
        if kind == "endless":
            return f"for (;;) {{\nif ({test}) {{\nbreak;\n}}\n{body}}}"
        return f"while ({test}) {{\n{body}}}"

    def switch(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """Sections that end in a jump, to another one too; a default anywhere."""
        heads = {"0": "case 0:", "1": "case 1:\ncase 2:"} | ({"": "default:"} if self.random.random() < 0.6 else {})
        order = list(heads)
        self.random.shuffle(order)
        gotos = [f"goto case {label}" if label else "goto default" for label in order]
        inner = (*(jump for jump in jumps if jump != "break"), "break", *gotos)
        text = f"switch ({self.reports('Pick', seen)}) {{\n"
        for label in order:
            end = self.random.choice(["break"] * 3 + gotos)
            # Mono passes a finalizer by on the way back to the very beginning of its try, as it should not.
            first = self.assignment(own, seen, 0, ())
            text += f"{heads[label]}\n{first}\n{self.block(own, seen, depth, inner)}{end};\n"
        return text + "}"

    def attempt(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """try with handlers, filters and a finalizer; nothing jumps out of that. Filters run before the finalizers
        inside, which graphs do not show.
        """
        text = f"try {{\n{self.block(own, seen, depth, jumps)}}}"
        filters = "finally" not in text
        heads = [head for head in ("(Y)", "(X x)", "(Exception)") if self.random.random() < 0.4]
        heads += [""] if "(Exception)" not in heads and self.random.random() < 0.3 else []
        for head in heads:
            last = head in ("", "(Exception)")
            filtered = filters and not last and self.random.random() < 0.4
            # Mono does not take a filter that throws for false, as it should.
            checks = [self.reports("Check", seen) for _ in range(self.random.randint(1, 2))]
            test = f" when ({self.random.choice([' && ', ' || ']).join(checks)})" if filtered else ""
            text += f" catch {head.replace(' x', f' x{self.new()}')}{test} {{\n{self.block(own, seen, depth, jumps)}"
            text += ("throw;\n" if self.random.random() < 0.2 else "") + "}"
        if not heads or self.random.random() < 0.4:
            text += f" finally {{\n{self.block(own, seen, depth, ())}}}"
        return text

    def labelled(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """Statements that a goto inside them leaves for the one behind."""
        label = f"l{self.new()}"
        body = self.block(own, seen, depth, (*jumps, *[f"goto {label}"] * 3))
        return f"{{\n{{\n{body}}}\n{self.assignment(own, seen, 0, ())}\n{label}:\n{self.assignment(own, seen, 0, ())}\n}}"

    def again(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A statement that a goto returns to."""
        label = f"l{self.new()}"
        test = self.condition(seen, own)
        first = self.assignment(own, seen, 0, ())
        return f"{{\n{label}:\n{first}\n{self.statement(own, seen, depth, jumps)}\nif ({test}) {{\ngoto {label};\n}}\n}}"

    def late(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A function that is called after the variables it sees have changed."""
        name, parameter = f"f{self.new()}", self.new()
        body = self.body([*seen, f"p{parameter}"], 0)
        text = f"{{\nFunc<V, V> {name} = p{parameter} => {{\n{body}}};\n{self.block(own, seen, depth, jumps)}"
        return text + f"{self.reports('Call', seen, name, parameter)};\n}}"

    def guarded(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """using, lock, checked."""
        name = f"v{self.new()}"
        kind = self.random.choice(["using", "lock", "checked"])
        if kind == "using":
            body = self.block(own, [*seen, name], depth, jumps)
            return f"using (V {name} = {self.reports('Make', seen)}) {{\n{body}}}"
        head = f"lock ({self.reports('Make', seen)})" if kind == "lock" else "checked"
        return f"{head} {{\n{self.block(own, seen, depth, jumps)}}}"
