"""Random Go programs that report what they do while they run.

Every point of a program that does anything calls a function of `RUNTIME` with the activation that it belongs to and
a number of its own. Values know the number that made them, so that a call sees which definition each of its
arguments comes from. The text that runs is the text whose graph is held against the report; nothing is inserted.

    define(a, n, values...)         a new value
    test(a, n, values...)           true or false
    pick(a, n, values...)           0 to 3
    anything(a, n, values...)       nil, a value or something else
    channel(a, n, k, values...)     a channel that has a value made by k, or none
    elements(a, n, values...)       a slice of values made by n, without a step of its own
    release(a, n, k, values...)     a deferred call; its arguments are used at k
    call(a, n, f, p, values...)     calls f with a value that its parameter p makes

All but `elements` may panic. `run` gives back the steps from call to call within one activation and the flows of values.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

RUNTIME = """
package main

import (
	"encoding/json"
	"math/rand"
	"os"
)

type V struct{ made int }

type pair [2]int

var (
	activations, fuel int
	last              map[int]int
	steps, flows      map[pair]bool
)

func begin() int { activations++; return activations }

func uses(n int, values []*V) {
	for _, value := range values {
		if value != nil {
			flows[pair{value.made, n}] = true
		}
	}
}

func step(a, n int) {
	fuel--
	if fuel < 0 {
		panic("stop")
	}
	if before, ok := last[a]; ok {
		steps[pair{before, n}] = true
	}
	last[a] = n
}

func fail() {
	if rand.Intn(12) == 0 {
		panic("failed")
	}
}

func report(a, n int, values []*V) { step(a, n); uses(n, values); fail() }

func define(a, n int, values ...*V) *V { report(a, n, values); return &V{n} }

func test(a, n int, values ...*V) bool { report(a, n, values); return rand.Intn(2) == 0 }

func pick(a, n int, values ...*V) int { report(a, n, values); return rand.Intn(4) }

func anything(a, n int, values ...*V) interface{} {
	report(a, n, values)
	return []interface{}{nil, &V{n}, &V{n}, 1, "x"}[rand.Intn(5)]
}

func channel(a, n, k int, values ...*V) chan *V {
	report(a, n, values)
	made := make(chan *V, 1)
	if rand.Intn(3) > 0 {
		made <- &V{k}
	}
	return made
}

func elements(a, n int, values ...*V) []*V {
	uses(n, values)
	return []*V{{n}, {n}, {n}}[:rand.Intn(4)]
}

func release(a, n, k int, values ...*V) { step(a, n); uses(k, values); fail() }

func call(a, n int, f func(*V) *V, p int, values ...*V) *V { report(a, n, values); f(&V{p}); return &V{n} }

func observe(program func() *V, runs int) [2][]pair {
	steps, flows = map[pair]bool{}, map[pair]bool{}
	for run := 0; run < runs; run++ {
		last, fuel = map[int]int{}, 150
		func() {
			defer func() { recover() }()
			program()
		}()
	}
	var found [2][]pair
	for i, pairs := range []map[pair]bool{steps, flows} {
		found[i] = []pair{}
		for pair := range pairs {
			found[i] = append(found[i], pair)
		}
	}
	return found
}

func main() {
	rand.Seed(1)
	var found [][2][]pair
	for _, program := range programs {
		found = append(found, observe(program, RUNS))
	}
	json.NewEncoder(os.Stdout).Encode(found)
}
"""


def run(go: str, folder: Path, programs: list[str], runs: int) -> list[tuple[set, set]]:
    """What each program does in that many runs: pairs of numbers, (step, next step) and (made at, used at)."""
    renamed = [program.replace("func program(", f"func program{i}(", 1) for i, program in enumerate(programs)]
    table = "var programs = []func() *V{" + ", ".join(f"program{i}" for i in range(len(programs))) + "}\n"
    source = folder / "programs.go"
    source.write_text(RUNTIME.replace("RUNS", str(runs)) + table + "\n".join(renamed), encoding="utf-8")
    environment = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    command = [go, "run", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    if done.returncode:
        raise AssertionError(done.stderr[:2000])
    return [(set(map(tuple, steps)), set(map(tuple, flows))) for steps, flows in json.loads(done.stdout)]


class Program:
    """Writes one program; `text` is a function `program`."""

    def __init__(self, seed: int, depth: int) -> None:
        self.random = random.Random(seed)
        self.number = 0
        self.activation = ""
        result = f"v{self.new()}"
        self.text = f"func program() ({result} *V) {{\n{self.body([], depth, result)}return\n}}\n"

    def new(self) -> int:
        """A number that nothing else has."""
        self.number += 1
        return self.number

    def reports(self, name: str, seen: list[str], *numbers: object) -> str:
        """A call that reports, with up to two arguments."""
        chosen = self.random.sample(seen, min(len(seen), self.random.randint(0, 2)))
        return f"{name}({', '.join([self.activation, str(self.new()), *map(str, numbers), *chosen])})"

    def body(self, seen: list[str], depth: int, result: str, parameter: str = "") -> str:
        """The statements of a function that reads the variables around it and assigns to its own."""
        around, self.activation = self.activation, f"a{self.new()}"
        own = [f"v{self.new()}" for _ in range(2)]
        first, second = own
        text = f"{self.activation} := begin()\n"
        text += f"{first}, {second} := {self.reports('define', [])}, {self.reports('define', [])}\n"
        used = [name for name in (first, second, parameter, result) if name]
        text += f"define({self.activation}, {self.new()}, {', '.join(used)})\n"
        text += self.block([*own, result], [*seen, *used], depth, (), hides=False)
        self.activation = around
        return text

    def literal(self, seen: list[str], depth: int, name: str, given: bool) -> str:
        """A function literal, with a parameter and a named result or without."""
        result, parameter = f"v{self.new()}", f"p{self.new()}"
        if given:
            return f"func({parameter} *V) ({result} *V) {{\n{self.body(seen, depth, result, parameter)}return\n}}"
        around, self.activation = self.activation, f"a{self.new()}"
        stops = self.random.random() < 0.5
        text = f"{self.activation} := begin()\n"
        if stops:
            text += f"if recover() != nil {{\n{self.reports('define', seen)}\n}}\n"
        text += f"{self.reports('define', seen)}\n"
        self.activation = around
        return f"func() {{\n{text}}}"

    # -------------------------------------------------------------------------------------- expressions
    def condition(self, seen: list[str], depth: int = 2) -> str:
        """A test, or tests joined by operators."""
        kind = self.random.choice(["test"] * 3 + ["&&", "||", "!"]) if depth else "test"
        if kind == "test":
            return self.reports("test", seen)
        if kind == "!":
            return f"!({self.condition(seen, depth - 1)})"
        return f"({self.condition(seen, depth - 1)} {kind} {self.condition(seen, depth - 1)})"

    # --------------------------------------------------------------------------------------- statements
    def block(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...], hides: bool = True) -> str:
        """Statements; perhaps a variable that hides one."""
        text = ""
        if hides and self.random.random() < 0.25:
            name = self.random.choice(own[:2])
            text += f"{name} := {self.reports('define', seen)}\ndefine({self.activation}, {self.new()}, {name})\n"
        for _ in range(self.random.randint(1, 3)):
            text += self.statement(own, seen, depth, jumps) + "\n"
        return text

    def statement(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """One statement."""
        simple = [self.assignment] * 4
        nested = [self.choice, self.choice, self.loop, self.loop, self.switch, self.conditions, self.types, self.select]
        nested += [self.labelled, self.again, self.deferred, self.deferred, self.called]
        make = self.random.choice(simple + ([self.jump] if jumps or depth < 3 else []) + (nested if depth else []))
        return make(own, seen, depth - 1, jumps)

    def assignment(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """One that defines one or two variables, some by a declaration of one more."""
        first, second = self.random.sample(own, 2)
        kind = self.random.choice(["one"] * 3 + ["two", "new"])
        if kind == "one":
            return f"{first} = {self.reports('define', seen)}"
        values = f"{self.reports('define', seen)}, {self.reports('define', seen)}"
        if kind == "two":
            return f"{first}, {second} = {values}"
        new = f"v{self.new()}"
        return f"{{\n{new}, {first} := {values}\ndefine({self.activation}, {self.new()}, {new}, {first})\n}}"

    def jump(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A conditional break, continue, return or panic."""
        jump = self.random.choice([*jumps, *jumps, f"return {self.reports('define', seen)}",
                                   f"panic({self.reports('define', seen)})"])
        return f"if {self.condition(seen)} {{\n{jump}\n}}"

    def choice(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """if, perhaps with a variable of its own."""
        inside, text = seen, "if "
        if self.random.random() < 0.4:
            name = f"v{self.new()}"
            text += f"{name} := {self.reports('define', seen)}; test({self.activation}, {self.new()}, {name}) && "
            inside = [*seen, name]
        text += f"{self.condition(inside)} {{\n{self.block(own, inside, depth, jumps)}}}"
        if self.random.random() < 0.5:
            text += f" else {{\n{self.block(own, inside, depth, jumps)}}}"
        return text

    def loop(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """for in its forms."""
        inner = (*jumps, "break", "continue")
        kind = self.random.choice(["clause", "condition", "endless", "range", "range"])
        name = self.random.choice(own)
        if kind == "range":
            new = self.random.random() < 0.5
            others = [other for other in seen if other != name]
            inside = f"define({self.activation}, {self.new()}, {name})\n" + self.block(own, seen, depth, inner)
            return f"for _, {name} {':=' if new else '='} range {self.reports('elements', others)} {{\n{inside}}}"
        test, body = self.condition(seen), self.block(own, seen, depth, inner)
        if kind == "condition":
            return f"for {test} {{\n{body}}}"
        if kind == "endless":
            return f"for {{\nif {test} {{\nbreak\n}}\n{body}}}"
        declared = self.random.choice([":=", "="])
        update = f"{name} = define({self.activation}, {self.new()}, {name})"
        return f"for {name} {declared} {self.reports('define', [])}; {test}; {update} {{\n{body}}}"

    def labelled(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A loop that a loop inside leaves or goes on with."""
        label = f"l{self.new()}"
        inner = self.loop(own, seen, depth, (*jumps, f"break {label}", f"continue {label}"))
        leave = self.random.choice(["break", "continue"])
        return f"{label}:\nfor {self.condition(seen)} {{\n{inner}\nif {self.condition(seen)} {{\n{leave} {label}\n}}\n}}"

    def again(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A statement that a goto returns to."""
        label = f"l{self.new()}"
        return f"{label}:\n{self.statement(own, seen, depth, jumps)}\nif {self.condition(seen)} {{\ngoto {label}\n}}"

    def switch(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """Cases that fall through or not, a default anywhere."""
        heads = ["case 0:", "case 1, 2:"] + (["default:"] if self.random.random() < 0.6 else [])
        self.random.shuffle(heads)
        return self.cases(f"switch {self.reports('pick', seen)} {{\n", heads, own, seen, depth, jumps)

    def conditions(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A switch whose labels are conditions."""
        heads = [f"case {self.condition(seen)}:", f"case {self.condition(seen)}, {self.condition(seen)}:"]
        heads += ["default:"] if self.random.random() < 0.6 else []
        if self.random.random() < 0.5:
            heads.reverse()
        return self.cases("switch {\n", heads, own, seen, depth, jumps)

    def cases(
        self, text: str, heads: list[str], own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]
    ) -> str:
        """The cases of a switch."""
        for head in heads:
            falls = head != heads[-1] and self.random.random() < 0.3
            text += f"{head}\n{self.block(own, seen, depth, (*jumps, 'break'))}" + ("fallthrough\n" if falls else "")
        return text + "}"

    def types(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A type switch."""
        name = f"v{self.new()}"
        inner = (*jumps, "break")
        return (
            f"switch {name} := {self.reports('anything', seen)}.(type) {{\n"
            f"case nil:\n{self.block(own, seen, depth, inner)}"
            f"case *V:\ndefine({self.activation}, {self.new()}, {name})\n{self.block(own, [*seen, name], depth, inner)}"
            f"default:\n{self.block(own, seen, depth, inner)}}}"
        )

    def select(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """Receives in two ways, and a default."""
        first, name = self.random.choice(own), f"v{self.new()}"
        inner = (*jumps, "break")
        return (
            f"select {{\ncase {first} = <-{self.reports('channel', seen, self.new())}:\n{self.block(own, seen, depth, inner)}"
            f"case {name} := <-{self.reports('channel', seen, self.new())}:\n"
            f"define({self.activation}, {self.new()}, {name})\n{self.block(own, [*seen, name], depth, inner)}"
            f"default:\n{self.block(own, seen, depth, inner)}}}"
        )

    def deferred(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A deferred call, of a function or of a literal that may stop a panic."""
        if self.random.random() < 0.5:
            return f"defer {self.literal(seen, 0, '', given=False)}()"
        argument = self.reports("define", seen)
        chosen = ", ".join(self.random.sample(seen, 1))
        return f"defer release({self.activation}, {self.new()}, {self.new()}, {argument}, {chosen})"

    def called(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A literal that is called at once, by a function that it is given to."""
        function = self.literal(seen, max(depth - 1, 0), "", given=True)
        parameter = function.split("(p", 1)[1].split(" ", 1)[0]
        return f"{self.random.choice(own)} = call({self.activation}, {self.new()}, {function}, {parameter})"
