"""Random JavaScript programs that report what they do while they run.

Every point of a program that does anything calls a function of `RUNTIME` with a number of its own. Values know the
number of the call that made them, so that a call sees which definition each of its arguments comes from. The
text that runs is the text whose graph is held against the report; nothing is inserted.

    define(n, ...values)    a new value
    again(n, value)         a new value, whatever the old one
    test(n, ...values)      true or false
    pick(n, ...values)      0 to 3
    maybe(n, ...values)     an object whose method `give` returns its argument, or null
    elements(n, ...values)  an iterable whose every step counts as n
    call(n, f, p, value)    calls f with a value that its parameter p makes
    store.field             true or null; assigning changes nothing

Any of them may throw. `run` gives back the steps from call to call within one activation and the flows of values.
"""

from __future__ import annotations

import json
import random
import subprocess

RUNTIME = """
let seed, fuel, activation, count, steps, flows;
const last = new Map();
const random = () => { seed = (seed * 1664525 + 1013904223) >>> 0; return seed / 2 ** 32; };
function report(n, values) {
  if (fuel-- <= 0) throw "stop";
  if (last.has(activation)) steps.add(last.get(activation) + " " + n);
  last.set(activation, n);
  for (const value of values) if (value?.made) flows.add(value.made + " " + n);
  if (random() < 0.1) throw {};
}
const made = n => { const value = { made: n }; return value.self = value; };
const define = (n, ...values) => { report(n, values); return made(n); };
const test = (n, ...values) => { report(n, values); return random() < 0.5; };
const pick = (n, ...values) => { report(n, values); return Math.floor(random() * 4); };
const maybe = (n, ...values) => { report(n, values); return random() < 0.5 ? null : { give: value => value }; };
const again = (n, value) => { report(n, []); return made(n); };
const store = { get field() { if (random() < 0.1) throw {}; return random() < 0.5 ? null : true; }, set field(value) {} };
function* elements(n, ...values) {
  do report(n, values); while ((values = [], random() < 0.5) && (yield made(n), true));
}
function call(n, f, p, ...values) {
  report(n, values);
  const around = activation;
  activation = ++count;
  try { return f(made(p)), made(n); } finally { last.delete(activation); activation = around; }
}
function observe(program, runs) {
  steps = new Set(); flows = new Set(); count = 0; seed = 1;
  const main = new Function("define,test,pick,maybe,again,store,elements,call", program + "\\nreturn main;")(
    define, test, pick, maybe, again, store, elements, call);
  for (let run = 0; run < runs; run++) {
    fuel = 150; activation = ++count;
    try { main(); } catch (error) { if (error instanceof Error) throw Error(error + " in " + program); }
    last.clear();
  }
  return [[...steps], [...flows]].map(pairs => pairs.map(pair => pair.split(" ").map(Number)));
}
const { programs, runs } = JSON.parse(require("fs").readFileSync(0));
console.log(JSON.stringify(programs.map(program => observe(program, runs))));
"""


def run(node: str, programs: list[str], runs: int) -> list[tuple[set, set]]:
    """What each program does in that many runs: pairs of numbers, (step, next step) and (made at, used at)."""
    given = json.dumps({"programs": programs, "runs": runs})
    done = subprocess.run([node, "-e", RUNTIME], input=given, capture_output=True, text=True, timeout=120, check=True)
    return [(set(map(tuple, steps)), set(map(tuple, flows))) for steps, flows in json.loads(done.stdout)]


class Program:
    """Writes one program; `text` is a function `main`."""

    def __init__(self, seed: int, depth: int) -> None:
        self.random = random.Random(seed)
        self.number = 0
        self.text = "function main() {\n" + self.body([], depth) + "}\n"

    def new(self) -> int:
        """A number that no other call has."""
        self.number += 1
        return self.number

    def body(self, seen: list[str], depth: int) -> str:
        """The statements of a function that reads the variables around it and assigns to its own."""
        own = [f"v{self.new()}" for _ in range(3)]
        first, second, third = own
        declared = f"let {first} = define({self.new()}), {second} = define({self.new()});\nvar {third};\n"
        return declared + self.block(own, seen + own, depth, (), hides=False)

    def use(self, seen: list[str]) -> str:
        """Up to two arguments."""
        chosen = self.random.sample(seen, min(len(seen), self.random.randint(0, 2)))
        return "".join(f", {name}" for name in chosen)

    # -------------------------------------------------------------------------------------- expressions
    def condition(self, seen: list[str], depth: int = 2) -> str:
        """A test, or tests joined by operators."""
        kind = self.random.choice(["test"] * 3 + ["&&", "||", "!", "?", "??"]) if depth else "test"
        if kind == "test":
            return f"test({self.new()}{self.use(seen)})"
        if kind == "!":
            return f"!({self.condition(seen, depth - 1)})"
        left, right = self.condition(seen, depth - 1), self.condition(seen, depth - 1)
        if kind == "?":
            return f"({left} ? {right} : {self.condition(seen, depth - 1)})"
        if kind == "??":
            return f"test({self.new()}, maybe({self.new()}{self.use(seen)}) ?? {left})"
        return f"({left} {kind} {right})"

    def value(self, seen: list[str]) -> str:
        """A value that is made by the statement around it; conditions come first, as the graph has them."""
        kind = self.random.choice(["plain"] * 3 + ["chosen", "joined", "optional", "arrow", "inside"])
        if kind == "chosen":
            return f"again({self.new()}, {self.condition(seen)} ? define({self.new()}{self.use(seen)}) : null)"
        if kind == "joined":
            return f"again({self.new()}, maybe({self.new()}{self.use(seen)}) ?? define({self.new()}{self.use(seen)}))"
        if kind == "optional":
            return f"again({self.new()}, maybe({self.new()}{self.use(seen)})?.give(define({self.new()}{self.use(seen)})))"
        if kind == "arrow":
            parameter, other = self.new(), f"d{self.new()}"
            inside = [*seen, f"p{parameter}"]
            default = f"{other} = define({self.new()}{self.use(inside)})"
            result = f"define({self.new()}{self.use([*inside, other])})"
            return f"call({self.new()}, (p{parameter}, {default}) => {result}, {parameter}{self.use(seen)})"
        if kind == "inside":
            return f"define({self.new()}, define({self.new()}{self.use(seen)}){self.use(seen)})"
        return f"define({self.new()}{self.use(seen)})"

    # --------------------------------------------------------------------------------------- statements
    def block(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...], hides: bool = True) -> str:
        """Statements; perhaps a variable that hides one, and a function that is called before it stands."""
        text = ""
        if hides and self.random.random() < 0.2:
            text += f"let {self.random.choice(own[:2])} = define({self.new()});\n"
        for _ in range(self.random.randint(1, 3)):
            text += self.statement(own, seen, depth, jumps) + "\n"
        if depth and self.random.random() < 0.2:
            function, parameter = f"f{self.new()}", self.new()
            inside = self.body([*seen, f"p{parameter}"], depth - 1)
            text = (
                text + f"call({self.new()}, {function}, {parameter}{self.use(seen)});\n"
                + f"function {function}(p{parameter}) {{\n{inside}}}\n"
            )
        return text

    def statement(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """One statement."""
        simple = [self.assignment] * 4
        nested = [self.choice, self.choice, self.loop, self.loop, self.switch, self.attempt, self.attempt, self.labelled]
        make = self.random.choice(simple + ([self.jump] if jumps or depth < 3 else []) + (nested if depth else []))
        return make(own, seen, depth - 1, jumps)

    def assignment(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """One that defines variables, or that may assign a field."""
        first, second = self.random.sample(own, 2)
        kind = self.random.choice(["plain"] * 4 + ["array", "object", "assigned", "use"])
        if kind == "array":
            return f"[{first}, {second}] = [{self.value(seen)}, define({self.new()}{self.use(seen)})];"
        if kind == "object":
            return f"({{ self: {first}, none: {second} = define({self.new()}{self.use(seen)}) }} = {self.value(seen)});"
        if kind == "assigned":
            operator = self.random.choice(["??=", "||=", "&&="])
            return f"define({self.new()}, store.field {operator} define({self.new()}{self.use(seen)}));"
        if kind == "use":
            return f"define({self.new()}, {first} = define({self.new()}{self.use(seen)}));"
        return f"{first} = {self.value(seen)};"

    def jump(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A conditional break, continue, return or throw."""
        jump = self.random.choice([*jumps, *jumps, f"return define({self.new()}{self.use(seen)})",
                                   "return", f"throw define({self.new()}{self.use(seen)})"])
        return f"if ({self.condition(seen)}) {jump};"

    def choice(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """if."""
        text = f"if ({self.condition(seen)}) {{\n{self.block(own, seen, depth, jumps)}}}"
        if self.random.random() < 0.5:
            text += f" else {{\n{self.block(own, seen, depth, jumps)}}}"
        return text

    def loop(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...], label: str = "") -> str:
        """while, do-while, for, for-of. Each has a test that no try inside it catches, so that it ends."""
        inner = (*jumps, "break", "continue")
        kind = self.random.choice(["while", "do", "for", "of", "endless"])
        name = self.random.choice(own[:2])
        if kind == "of":
            left = self.random.choice([f"let {name}", f"var {own[2]}", name, f"let {{ self: {name} }}"])
            others = [other for other in seen if other != name]
            return f"{label}for ({left} of elements({self.new()}{self.use(others)})) {{\n{self.block(own, seen, depth, inner)}}}"
        test = self.condition(seen)
        body = self.block(own, seen, depth, inner)
        if kind == "while":
            return f"{label}while ({test}) {{\n{body}}}"
        if kind == "do":
            return f"{label}do {{\n{body}}} while ({test});"
        if kind == "endless":
            return f"{label}for (;;) {{\nif ({test}) break;\n{{\n{body}}}\n}}"
        declared = self.random.choice([f"let {name} =", f"var {own[2]} =", f"{name} ="])
        return (
            f"{label}for ({declared} define({self.new()}); {test}; {name} = define({self.new()}, {name}), "
            f"define({self.new()})) {{\n{body}}}"
        )

    def labelled(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """A loop or block with a label."""
        label = f"l{self.new()}"
        if self.random.random() < 0.5:
            return f"{label}: {{\n{self.block(own, seen, depth, (*jumps, f'break {label}'))}}}"
        return self.loop(own, seen, depth, (*jumps, f"break {label}", f"continue {label}"), f"{label}: ")

    def switch(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """Cases that fall or break, a default anywhere."""
        heads = ["case 0:", "case 1:\ncase 2:"] + (["default:"] if self.random.random() < 0.6 else [])
        self.random.shuffle(heads)
        text = f"switch (pick({self.new()}{self.use(seen)})) {{\n"
        for head in heads:
            body = self.block(own, seen, depth, (*jumps, "break"))
            text += f"{head} {{\n{body}}}\n" + ("break;\n" if self.random.random() < 0.5 else "")
        return text + "}"

    def attempt(self, own: list[str], seen: list[str], depth: int, jumps: tuple[str, ...]) -> str:
        """try with a handler, a finalizer or both."""
        text = f"try {{\n{self.block(own, seen, depth, jumps)}}}"
        kind = self.random.choice(["catch", "finally", "both"])
        if kind != "finally":
            text += self.random.choice([" catch", f" catch (e{self.new()})"]) + f" {{\n{self.block(own, seen, depth, jumps)}}}"
        if kind != "catch":
            text += f" finally {{\n{self.block(own, seen, depth, jumps if self.random.random() < 0.3 else ())}}}"
        return text
