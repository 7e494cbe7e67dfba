"""Fixed programs whose graphs tell whether the extractor changed, and the command that records them.

    python -m tests.cpg.fingerprints                   record; raises the version of each language that changed
    python -m tests.cpg.fingerprints --raise LANGUAGE  raise one version although these programs show no change

The programs stay as they are: a changed program is a changed fingerprint. They are apart from SPEC.md and
from the samples of the other tests so that new examples there raise no version.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import cpg

TABLE = Path(cpg.__file__).with_name("version.py")
START, END = "EXTRACTOR_VERSIONS: dict[str, tuple[int, str]] = {\n", "}\n"
ENTRY = re.compile(r'^    "(\w+)": \((\d+), "(\w*)"\),$', re.MULTILINE)

JAVA = """\
package p;
import java.util.*;
class A<T> extends B {
    private final int[] a = {1, 2}; static int n;
    static { n = 0; }
    A(int... v) { super(v); for (int i : v) this.n += i; }
    int f(List<String> l, int k) throws IOException {
        int r = -1, i;
        out: for (i = 0; i < n && r < 0; i++) {
            if (a[i] == k || !l.isEmpty()) { r = i; } else { continue out; }
            while (true) { if (i++ > 5) break out; }
        }
        try (Reader s = open()) { do { k -= s.read(); } while (k > 0); return k > 1 ? r : i; }
        catch (IllegalStateException | IOException e) { throw new Error("x", e); }
        finally { synchronized (this) { n = 0; } }
    }
    int g(Object o) {
        assert o != null : "none";
        Function<String, Integer> f = s -> s.length() + n;
        new Thread() { public void run() { g(o); } }.start();
        switch (n) { case 1: case 2: f.apply(""); break; default: return 0; case 3: n += 2; }
        return switch (o) { case String s when s.length() > 1 -> 1; default -> { yield 2; } };
    }
    enum E { X(1), Y; E(int... c) { } }
    record P(int x) { P { if (x < 0) throw new Error(); } }
}
"""

PYTHON = '''\
"""d"""
import os.path as path
from . import s
N: int = 3
@wrap(N)
class A(B, metaclass=M):
    items = []
    async def f(self, k, *r, d=N, **o) -> int:
        global c
        a, *b = self.items, r
        for i, (j, l) in enumerate(a):
            if not (i and j) or l < k <= d: continue
            elif l: break
        else: a = None
        while (n := next(self)) is not None: a[n] += 1
        try:
            async with open(k) as t, lock: yield t.read()
        except (OSError, ValueError) as e: raise RuntimeError(f"x {e!r:>{n}}") from e
        else: await self.done()
        finally: del self.items[0], n
        match k:
            case [1, x, *_] if x: return
            case {"a": y, **m} | P(y=y): assert y, m
        v = {p: q for p in a if p for q in p or []}
        def inner():
            nonlocal k
            k = sorted(v, key=lambda z, w=1: z and w) if v else None
            return [z for z in k]
        return inner
print("a" "b", sep="")
'''

CSHARP = """\
using System; namespace P {
class A<T> : B where T : class {
    int n; public int Size { get { return n; } set => n = value; }
    int F(int k, out int r, ref int q, params int[] v) {
        r = 0; q++;
        foreach (var i in v) { if (i == k || i > 3 && k < 0) continue; r += i; }
        for (int i = 0; i < k; i++) { while (true) { if (i++ > 5) break; } }
        try { using (var s = Open()) { do { k--; } while (k > 0); } }
        catch (IOException e) when (e.Code > 1) { throw; } finally { lock (this) { n = 0; } }
        switch (k) { case 1: goto case 2; case 2: r = 1; break; default: return k ?? 0; }
        var m = k switch { 1 => 2, _ => 3 }; Func<int, int> f = x => x + m;
        return k > 1 ? f(k) : a?.b ?? n;
    }
    IEnumerable<int> G() { yield return 1; yield break; }
} }
"""

JAVASCRIPT = """\
import { a as b } from "m"; const N = 3; let [x, { y = 1, ...z }] = f(N);
export class A extends B {
  #n = 0; static s = 1; constructor(v) { super(v); this.#n = v; }
  async *f(k, d = N, ...r) {
    out: for (let i = 0; i < k && d; i++) { if (r[i] === k || !d) { continue out; } else { d += i; } }
    for (const v of r) { if (v) break; } for (const v in r) { yield v; } for await (const v of r) { y = v; }
    do { k--; } while (k > 0); while (true) { if (k++ > 5) break; }
    try { await g(k); } catch ({ message }) { throw new Error(`x ${message}`); } finally { delete r.k; }
    switch (k) { case 1: case 2: d = 1; break; default: return d ?? k?.a; }
    const h = (u) => u && k, w = function () { return h; };
    return k > 1 ? h(k) : w;
  }
}
"""

TYPESCRIPT = """\
import type { T } from "m"; interface I<U> { a?: number; f(x: U): void } type P = A | B;
enum E { X = 1, Y } namespace M { export const q = 1; }
abstract class C<U extends I<U>> implements I<U> {
  constructor(private readonly n: number, public m?: string) { this.n = n; }
  f<V>(x: V, k: number = 2): V | undefined {
    for (const i of [1, 2]) { if (i === k || (x as any)) { continue; } k += i!; }
    try { g(x); } catch (e: unknown) { throw e; } finally { k = 0; }
    switch (k) { case 1: return x; default: break; }
    const h = (u: number): number => u + k; return k > 1 ? <V>h(k) : undefined;
  }
}
"""

C = """\
#include <stdio.h>
#define N 3
typedef struct p { int x; struct p *next; } p; static int n, a[N];
int f(p *q, int k, ...) {
    int r = 0, *s = &r, i;
    for (i = 0; i < N && q; i++) { if (a[i] == k || !k) continue; r += q->x; q = q->next; }
    while (1) { if (i++ > 5) break; }
    do { k--; if (k == 2) goto out; } while (k > 0);
    switch (k) { case 1: case 2: *s = 1; break; default: return k ? r : i; }
out:
    a[0] = (int) sizeof(p), k <<= 1;
    return g(s, &k);
}
"""

CPP = """\
#include <vector>
namespace m { template <typename T> class A : public B<T> { public:
    A(int v) : n(v), w{v} {} ~A() { delete w; } virtual int f(const std::vector<T>& l, int& k) const;
private: int n; T* w; }; }
int A::f(const std::vector<int>& l, int& k) const {
    auto h = [&, k](int u) mutable -> int { return u + k; };
    for (auto& [i, j] : l) { if (i == k || j && !k) continue; k += i; }
    for (int i = 0; i < k; ++i) { while (true) { if (i > 5) break; } }
    try { h(k); } catch (const std::exception& e) { throw; } catch (...) { return 0; }
    switch (k) { case 1: [[fallthrough]]; case 2: k = 1; break; default: break; }
    if (int z = h(1); z > 0) { std::cout << z; } else { int* p = new int[3]; p[0] = z; }
    return k > 1 ? h(k) : static_cast<int>(n);
}
"""

GO = """\
package p
import ("fmt"; m "math")
type A struct { n int; B }
type I interface { F(k int) (int, error) }
const N = 3
var x, y = 1, 2
func (a *A) F(k int, v ...string) (r int, err error) {
	defer func() { if e := recover(); e != nil { err = e.(error) } }()
out:
	for i := 0; i < k && r < N; i++ { if v[i] == "a" || k > 3 { continue out }; r += i }
	for i, s := range v { if s != "" { break }; a.n = i }
	for { if k++; k > 5 { goto end } }
	switch z := k; { case z > 1: fallthrough; case z == 0: r = 1; default: return m.Max(1, 2), nil }
	switch t := any(a).(type) { case *A: t.n = 1; case nil: }
	select { case c := <-ch: fmt.Println(c); case ch <- 1: default: }
end:
	go func(u int) { a.n = u }(k)
	return r, err
}
"""

SNIPPETS = ("int f(int x) { return x; }", "x = 1\nif x: y = x", "for (;;) { a += b; }", "(", "", "a ? b : c", "@ {{ if")

PROGRAMS = {
    "java": JAVA,
    "python": PYTHON,
    "csharp": CSHARP,
    "javascript": JAVASCRIPT,
    "typescript": TYPESCRIPT,
    "c": C,
    "cpp": CPP,
    "go": GO,
}


def fingerprint(language: str) -> str:
    """Hash of the JSON of the language's program and of snippets, most of which are broken in it."""
    texts = (PROGRAMS[language], PROGRAMS[language][: len(PROGRAMS[language]) // 2], *SNIPPETS)
    digest = hashlib.sha256()
    for text in texts:
        digest.update(cpg.extract(text, language).to_json().encode() + b"\n")
    return digest.hexdigest()[:16]


def recorded(text: str) -> dict[str, list[tuple[int, str]]]:
    """The entries of a table; more than one for a language where a merge left both sides."""
    found: dict[str, list[tuple[int, str]]] = {}
    for language, number, known in ENTRY.findall(text):
        found.setdefault(language, []).append((int(number), known))
    return found


def renewed(text: str, raised: str | None = None) -> str:
    """The text of `version.py` with a table that holds for the present graphs."""
    before, rest = text.split(START)
    table, after = rest.split("\n" + END, 1)
    entries = recorded(table + "\n")
    lines = []
    for language in sorted(cpg.LANGUAGES):
        known, present = entries.get(language, [(0, "")]), fingerprint(language)
        changed = language == raised or all(other != present for _, other in known)
        number = max(number for number, _ in known) + changed
        lines.append(f'    "{language}": ({number}, "{present}"),\n')
    return before + START + "".join(lines) + END + after


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.cpg.fingerprints", description="Record extractor versions.")
    parser.add_argument("--raise", dest="raised", choices=sorted(cpg.LANGUAGES), help="raise this language's version")
    options = parser.parse_args()
    text = TABLE.read_text(encoding="utf-8")
    new = renewed(text, options.raised)
    temporary = TABLE.with_suffix(".new")
    temporary.write_text(new, encoding="utf-8")
    temporary.replace(TABLE)
    print("recorded" if new != text else "no change")
    return 0


if __name__ == "__main__":
    sys.exit(main())
