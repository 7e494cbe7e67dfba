"""Random C and C++ programs that report what they do while they run.

Every point of a program that does anything calls a function of `RUNTIME` with a number of its own. A value is the
number of the call that made it, so that a call sees which definition each of its arguments comes from. The text
that runs is the text whose graph is held against the report; nothing is inserted.

    define(n, ...)      a new value: n
    test(n, ...)        true or false
    pick(n, ...)        0 to 3
    elements(n, ...)    C++: a range whose every step counts as n and gives n
    call(n, f, p)       C++: calls f with the value p, that of its parameter

In C++ any of them may throw. The macros A and B choose between alternatives; all four programs that they make are run.
"""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

RUNTIME = """\
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
static unsigned state = 1;
static int fuel, last;
static char steps[MOST][MOST], flows[MOST][MOST];
static jmp_buf stop;
static int chance(int of) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (int) ((state >> 3) % of);
}
static void step(int n) {
    if (fuel-- <= 0) longjmp(stop, 1);
    if (last) steps[last][n] = 1;
    last = n;
#ifdef __cplusplus
    if (chance(20) == 0) throw n;
    if (chance(20) == 0) throw "text";
#endif
}
static void report(int n, va_list values) {
    for (int value; (value = va_arg(values, int)) >= 0; ) if (value > 0) flows[value][n] = 1;
    step(n);
}
static int define_(int n, ...) { va_list v; va_start(v, n); report(n, v); va_end(v); return n; }
static int test_(int n, ...) { va_list v; va_start(v, n); report(n, v); va_end(v); return chance(2); }
static int pick_(int n, ...) { va_list v; va_start(v, n); report(n, v); va_end(v); return chance(4); }
#define define(...) define_(__VA_ARGS__, -1)
#define test(...) test_(__VA_ARGS__, -1)
#define pick(...) pick_(__VA_ARGS__, -1)
#ifdef __cplusplus
struct Elements {
    int n;
    int operator*() const { return n; }
    Elements& operator++() { return *this; }
    bool operator!=(const Elements&) const { step(n); return chance(2); }
    Elements begin() const { return *this; }
    Elements end() const { return *this; }
};
static Elements elements_(int n, ...) {
    va_list v;
    va_start(v, n);
    for (int value; (value = va_arg(v, int)) >= 0; ) if (value > 0) flows[value][n] = 1;
    va_end(v);
    return Elements{n};
}
#define elements(...) elements_(__VA_ARGS__, -1)
struct Activation {
    int around = last;
    Activation() { last = 0; }
    ~Activation() { last = around; }
};
template <typename F> static int call(int n, F f, int parameter) {
    step(n);
    Activation activation;
    f(parameter);
    return n;
}
#endif
struct Box { int field; };
static void observe(const char *name, void (*program)(void), int runs) {
    memset(steps, 0, sizeof steps);
    memset(flows, 0, sizeof flows);
    state = 1;
    for (volatile int run = 0; run < runs; run++) {
        fuel = 120;
        last = 0;
        if (setjmp(stop) == 0) {
#ifdef __cplusplus
            try { program(); } catch (...) { }
#else
            program();
#endif
        }
    }
    for (int a = 0; a < MOST; a++) for (int b = 0; b < MOST; b++) {
        if (steps[a][b]) printf("%s step %d %d\\n", name, a, b);
        if (flows[a][b]) printf("%s flow %d %d\\n", name, a, b);
    }
}
"""


def run(compiler: list[str], folder: Path, programs: list[str], runs: int) -> list[tuple[set, set]]:
    """What each program does: pairs of numbers, (step, next step) and (made at, used at)."""
    most = 1 + max(int(number) for program in programs for number in re.findall(r"\d+", program))
    text = f"#define MOST {most}\n" + RUNTIME
    for number, program in enumerate(programs):
        text += program.replace("program(", f"program_{number}(", 1)
    text += "int main(void) {\n"
    for number in range(len(programs)):
        text += f'observe("{number}", program_{number}, {runs});\n'
    text += "return 0; }\n"
    source, binary = folder / "programs.c", folder / "programs"
    source.write_text(text, encoding="utf-8")
    found: list[tuple[set, set]] = [(set(), set()) for _ in programs]
    for macros in ([], ["-DA"], ["-DB"], ["-DA", "-DB"]):
        subprocess.run([*compiler, *macros, "-w", "-O1", "-o", binary, source], check=True, timeout=120)
        done = subprocess.run([binary], capture_output=True, text=True, check=True, timeout=120)
        for line in done.stdout.splitlines():
            number, kind, source_number, target_number = line.split()
            found[int(number)][kind == "flow"].add((int(source_number), int(target_number)))
    return found


class Program:
    """Writes one program; `text` is a function `program`."""

    def __init__(self, seed: int, depth: int, cpp: bool) -> None:
        self.random = random.Random(seed)
        self.cpp = cpp
        self.number = 0
        self.labels: list[str] = []
        self.macros = ["A", "B"]
        self.stores = ["r->field", "(*r).field", "xs[0]", "xs[1]"]
        own = [f"v{self.new()}" for _ in range(3)]
        declared = ", ".join(f"{name} = define({self.new()})" for name in own)
        body = self.block(own, own, depth, "", "in")
        while "@" in body:
            body = body.replace("@", f"goto {self.random.choice(self.labels)};" if self.labels else ";", 1)
        boxes = "struct Box box = { 0 }, *r = &box;\nint xs[2] = { 0, 0 };\n"
        self.text = f"void program(void) {{\nint {declared};\n{boxes}{body}}}\n"

    def new(self) -> int:
        """A number that no other call has."""
        self.number += 1
        return self.number

    def made(self, name: str, seen: list[str]) -> str:
        """A call that reports up to two variables, perhaps a field or an element."""
        chosen = self.random.sample(seen, min(len(seen), self.random.randint(0, 2)))
        if self.stores and self.random.random() < 0.2:
            chosen.append(self.random.choice(self.stores))
        return f"{name}({', '.join([str(self.new()), *chosen])})"

    # -------------------------------------------------------------------------------------- expressions
    def condition(self, own: list[str], seen: list[str], depth: int = 2) -> str:
        """A test, or tests joined by operators."""
        kind = self.random.choice(["test"] * 3 + ["&&", "||", "!", "?", "?:", ","]) if depth else "test"
        if kind == "test":
            return self.made("test", seen)
        if kind == "!":
            return f"!({self.condition(own, seen, depth - 1)})"
        if kind == ",":  # the grammar of C++ has no assignment here
            target = "" if self.cpp else f"{self.random.choice(own)} = "
            return f"({target}{self.made('define', seen)}, {self.made('test', seen)})"
        left, right = (self.condition(own, seen, depth - 1) for _ in range(2))
        if kind == "?":
            return f"({left} ? {right} : {self.condition(own, seen, depth - 1)})"
        return f"({left} {kind} {right})"

    def assignment(self, own: list[str], seen: list[str]) -> str:
        """To a variable, a field or an element; conditions come first, as the graph has them."""
        target = self.random.choice(own * 2 + self.stores)
        plain, other = self.made("define", seen), self.made("define", seen)
        kind = self.random.choice(["plain"] * 3 + ["chosen", "inside", "comma"])
        if kind == "chosen":
            return f"{target} = {self.condition(own, seen)} ? {plain} : {other}"
        if kind == "inside":
            return f"{target} = define({self.new()}, {plain})"
        return f"{target} = ({plain}, {other})" if kind == "comma" else f"{target} = {plain}"

    # --------------------------------------------------------------------------------------- statements
    def block(self, own: list[str], seen: list[str], depth: int, jumps: str, entered: str) -> str:
        """Statements. `jumps`: b and c where break and continue may stand, l in a lambda. `entered`: "in" where a goto
        may come in, "no" where variables may be declared, else neither."""
        text = ""
        if entered == "no" and self.random.random() < 0.3:
            text += f"int {self.random.choice(own)} = {self.made('define', [])};\n"
        for _ in range(self.random.randint(1, 3)):
            if entered == "in" and not self.cpp and self.random.random() < 0.25:
                self.labels.append(f"l{self.new()}")
                text += f"{self.labels[-1]}: ;\n"
            text += self.statement(own, seen, depth, jumps, entered) + "\n"
        return text + (self.jump(jumps) + "\n") * (self.random.random() < 0.1)

    def jump(self, jumps: str) -> str:
        """Any jump that may stand here."""
        kinds = ["return;"] + ["break;"] * 2 * ("b" in jumps) + ["continue;"] * 2 * ("c" in jumps)
        return self.random.choice(kinds + ["@"] * 3 * (not self.cpp and "l" not in jumps))

    def statement(self, own: list[str], seen: list[str], depth: int, jumps: str, entered: str) -> str:
        """One statement of any kind."""
        kinds = ["assign"] * 5 + ["jump"] * 2
        if depth:
            kinds += ["if", "if", "while", "do", "for", "endless", "switch", "switch", "#if", "block"]
            kinds += ["try", "try", "range", "initial", "lambda"] * self.cpp
        kind = self.random.choice(kinds)
        loop = jumps.replace("b", "").replace("c", "") + "bc"

        def inner(jumps: str = jumps, entered: str = entered, more: tuple[str, ...] = ()) -> str:
            return f"{{\n{self.block(own, [*seen, *more], depth - 1, jumps, entered)}}}"

        def test() -> str:
            return f"({self.condition(own, seen)})"

        if kind == "jump":
            return f"if {test()} {self.jump(jumps)}"
        if kind == "if":
            return f"if {test()} {inner()}" + (f" else {inner()}" if self.random.random() < 0.5 else "")
        if kind == "while":
            return f"while {test()} {inner(loop)}"
        if kind == "do":
            return f"do {inner(loop)} while {test()};"
        if kind == "endless":
            return f"for (;;) {{\n{self.assignment(own, seen)};\n{inner(loop)}\n}}"
        if kind == "for":
            first, second, third = (f"{self.random.choice(own)} = {self.made('define', seen)}" for _ in range(3))
            return f"for ({first}; {self.condition(own, seen)}; {second}, {third}) {inner(loop)}"
        if kind == "switch":
            return self.switch(own, seen, depth, jumps, entered)
        if kind == "#if" and self.macros:
            macro = self.macros.pop()
            ways = [self.block(own, seen, depth - 1, jumps, "") for _ in range(self.random.randint(1, 2))]
            return f"\n#if {macro}\n" + "#else\n".join(ways) + "#endif"
        if kind == "try":
            typed = f" catch (int e{self.new()}) {inner(entered='no')}" * (self.random.random() < 0.4)
            return f"try {inner(entered='no')}{typed} catch (...) {inner(entered='no')}"
        if kind == "range":
            name = f"e{self.new()}"
            return f"for (int {name} : {self.made('elements', seen)}) {inner(loop, 'no', (name,))}"
        if kind == "initial":
            name = f"i{self.new()}"
            first, second = self.made("define", seen), self.made("test", [*seen, name])
            return f"if (int {name} = {first}; {second}) {inner(entered='no', more=(name,))}"
        if kind == "lambda":
            return self.function(own, seen, depth)
        return inner(entered="no") if kind == "block" else f"{self.assignment(own, seen)};"

    def switch(self, own: list[str], seen: list[str], depth: int, jumps: str, entered: str) -> str:
        """Labels in any order and at any depth, also in a loop or branch inside (Duff's device)."""
        marks = self.random.sample(["case 0:", "case 1:", "case 2:", "case 3:", "default:"], self.random.randint(1, 4))
        jumps = jumps.replace("b", "") + "b"
        selector, text = self.made("pick", seen), ""
        for mark in marks:
            before, behind = (f"{self.assignment(own, seen)};\n" for _ in range(2))
            shape = self.random.choice(["plain"] * 4 + ["do", "if", "block"])
            if shape == "plain":
                text += f"{mark} ;\n{self.statement(own, seen, depth - 1, jumps, entered)}\n"
            elif shape == "do":
                text += f"do {{\n{before}{mark}\n{behind}}} while ({self.condition(own, seen)});\n"
            elif shape == "if":
                text += f"if ({self.condition(own, seen)}) {{\n{before}{mark}\n{behind}}}\n"
            else:
                text += f"{{\n{mark}\n{behind}}}\n"
            text += "break;\n" * (self.random.random() < 0.4)
        return f"switch ({selector}) {{\n{text}}}"

    def function(self, own: list[str], seen: list[str], depth: int) -> str:
        """A lambda that reads what it captures and assigns to a variable of its own; what follows it, and its calls."""
        name, parameter, bound, inside = (f"{letter}{self.new()}" for letter in "fpbw")
        captures = self.random.choice(["=", "&", f"&, {own[0]}", f"=, &{own[-1]}"])
        visible = [*seen, parameter, inside]
        if self.random.random() < 0.5:
            captures += f", {bound} = {self.made('define', seen)}"
            visible.append(bound)
        stores, self.stores = self.stores, []  # a copy of a pointer still leads to the field
        body = f"int {inside} = {self.made('define', [])};\n{self.block([inside], visible, depth - 1, 'l', '')}"
        self.stores = stores
        text = f"auto {name} = [{captures}](int {parameter}) {{\n{body}}};\n"
        for _ in range(self.random.randint(1, 2)):
            text += f"{self.assignment(own, seen)};\ncall({self.new()}, {name}, {parameter[1:]});\n"
        return f"{{\n{text}}}"
