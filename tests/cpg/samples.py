"""Programs that the tests of the graph share: one of everything for each language."""

from __future__ import annotations

JAVA = """\
package a.b;
import java.util.*;

/** A comment. */
public class Queue<T> extends Base implements Iterable<T> {
    private final int[] items = new int[8];
    private int size;
    static { register("ä", Queue.class); }

    public Queue(int... values) throws IOException {
        super(1);
        for (int v : values) this.add(v);
    }

    @Override
    public int find(final Map<String, List<T>> m, int key) {
        int found = -1, i;
        outer:
        for (i = 0; i < size && found < 0; i++) {
            if (items[i] == key || (key > 3 && !m.isEmpty())) { found = i; } else { continue outer; }
            while (true) { if (i++ > 5) break outer; }
        }
        try (Reader r = open(); Reader s = r) {
            do { key -= r.read(); } while (key > 0);
            return key > 1 ? found : i;
        } catch (IllegalStateException | IOException e) {
            throw new RuntimeException("failed", e);
        } finally {
            synchronized (this) { size = 0; }
        }
    }

    int kind(Object o) {
        assert o != null : "none";
        Runnable task = () -> { this.size++; };
        Function<String, Integer> f = s -> s.length();
        new Thread() { int n = 1; public void run() { go(o, n); } }.start();
        class Local { int h = kind(o); }
        switch (size) { case 1: case 2: task.run(); break; default: return 0; case 3: size += 2; }
        return switch (o) { case String s when s.length() > 1 -> 1; case null, default -> { yield 2; } };
    }
    enum Colour { RED(1), GREEN { void g() {} }; int c; Colour(int... c) { this.c = c[0]; } }
    record Point(int x, int y) { Point { if (x < 0) throw new Error(); } }
    interface Shape { int sides(); default boolean round() { return sides() == 0; } }
}
"""

PYTHON = '''\
"""Docstring."""
from __future__ import annotations
import os.path as path, sys
from . import sibling

LIMIT: int = 3


@decorate(LIMIT)
class Queue(Base, metaclass=Meta):
    items = []

    async def find(self, key, *rest, default=LIMIT, **options) -> int:
        global counter
        counter = 0
        found, *others = self.items, rest
        for i, (j, k) in enumerate(found):
            if not (i and j) or k < key <= default:
                continue
            elif k:
                break
        else:
            found = None
        while (n := next(self)) is not None:
            found[n] += 1
        try:
            async with open(key) as stream, lock:
                async for line in stream:
                    yield line.strip()
        except (OSError, ValueError) as error:
            raise RuntimeError(f"failed {error!r:>{n}}") from error
        except* Group:
            pass
        else:
            await self.done()
        finally:
            del self.items[0], n
        match key:
            case [1, x, *_] if x:
                return
            case {"a": y, **more} | Point(y=y):
                assert y, more
            case _:
                pass
        values = {a: b for a in found if a for b in a or []}
        key = sorted(values, key=lambda v, w=1: v and w) if values else (yield)

        def inner():
            nonlocal key
            key = found
            return [z for z in key]

        return inner


print("ä" "b", sep="")
'''

JAVASCRIPT = """\
#!/usr/bin/env node
"use strict";
import fs, { join as path, sep } from "fs";
import * as all from "all";

/** A comment. */
export default class Queue extends Base {
    items = [];
    #size = 0;
    static count = 0;
    static { register("ä", Queue); }

    constructor(size = 8, { loose, ...options } = {}) {
        super(size);
        [this.loose, this.options = options] = [loose];
        this.#size = size;
    }

    get length() { return this.#size; }
    set length(n) { this.#size = n; }
    static async *[Symbol.iterator](xs, ...rest) { for await (const x of xs) yield x; yield* rest; }

    find(m, key) {
        let found = -1, i;
        outer:
        for (i = 0, key ||= 1; i < this.length && found < 0; i++, key--) {
            if (items[i] === key || (key > 3 && !m.empty)) { found = i; } else { continue outer; }
            while (true) { if (i++ > 5) break outer; }
        }
        try {
            do { key -= m?.read?.(`a ${key} b`); } while (key > 0);
            return key > 1 ? found : i;
        } catch ({ message, code = message }) {
            throw new Error("failed", { cause: code });
        } finally {
            this.#size = 0;
            delete m.key;
        }
    }
}

var a = 1, { b: [c, , d = 2] = [], ...e } = a ?? all;
function kind(o) {
    const task = () => { this.size++; }, f = function g(s) { return g(s.length); };
    const h = async s => await s, re = /x[/]y/gi, big = 10n, shape = <Shape x={a} {...e}>text <b>{task}</b></Shape>;
    for (const k in o) if (k instanceof Object) console.log(k, void 0, null, undefined);
    switch (o) { case 1: case a: task(); break; default: return 0; case "3": o += 2; }
    with (o) { debugger; }
    o = { task, f, "x y": h, [big]: shape, get v() { return re; }, set v(x) {}, async *m() {}, ...e };
    try { a(), b; } catch { new.target; }
    return o;
}
export { a as default, kind };
export * as ns from "other";
"""

TYPESCRIPT = """\
import type { T } from "types";
import fs = require("fs");
import q = fs.promises;

/** A comment. */
interface Shape<T extends object = {}> extends Base<T> { readonly sides: number; round?(): boolean; [k: string]: any }
type Key = keyof Shape | "ä" | `x${string}` | [a: string, ...b: number[]] | (T extends infer U ? U : never);
declare const limit: number;
declare function register(name: string, x: typeof limit): asserts name is "a";
declare module "other" { export function f(): void }
enum Colour { Red = 1, Green = Red << 1, Blue }
namespace Inner { export const one: number = 1; export namespace Deep { f(one); } }

@Component({ limit })
export abstract class Queue<T> extends Base<T> implements Shape<T>, Other {
    private readonly items: T[] = [];
    static count?: number;
    @Input() name!: string;
    static { register("x", Queue); }

    constructor(private size: number, readonly loose = false, @Inject() other?: T, ...rest: T[]) {
        super(size as any as string);
        this.items = <any>rest;
    }

    abstract sides(): number;
    find(key: string): T;
    find(key: number, deep: boolean): T;
    public override find(this: Queue<T>, key: any, deep = false): T | undefined {
        let found: T | undefined, i = 0;
        for (const item of this.items as T[]) {
            if (isT(item) && key) { found = item; } else { continue; }
            while (true) { if (i++ > 5) break; }
        }
        try {
            do { key -= this.read!<T>(key)!; } while (key > 0);
            return key > 1 ? found : i as never;
        } catch (e: unknown) {
            throw new Error((e as Error).message satisfies string);
        } finally {
            this.size! = 0;
        }
    }
}

function isT(x: unknown): x is T { return typeof x === "object"; }
export const task = async <U,>(u: U, f: (x: U) => void): Promise<U> => { switch (u) { case Colour.Red: f(u); } return u; };
export default interface Last {}
"""

GO = """\
// Package queue is a sample.
package queue

import (
	"fmt"
	str "strings"
)

const (
	small = iota
	big
)

var registry, count = map[string]*Queue[int]{"ä": nil}, 0

type Queue[T any] struct {
	items []T `json:"items"`
	*sync.Mutex
	next, last *Queue[T]
}

type Visitor interface {
	fmt.Stringer
	Visit(key int) (done bool, err error)
}

func init() { register("ä", 'x', 0x1F, 1.5, 2i) }

func (q *Queue[T]) Find(keys map[string][]T, key int, rest ...T) (found int, err error) {
	q.Lock()
	defer q.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("failed %v", r)
		}
	}()
	var i, n int
	a, *q.next = n, Queue[T]{items: rest, last: &Queue[T]{nil, nil, nil, q}}
outer:
	for i = 0; i < len(q.items) && found >= 0; i++ {
		switch item := q.items[i]; {
		case item == rest[0], !(key > 3 || n < 1):
			found = i
			fallthrough
		default:
			continue outer
		}
		for k, v := range keys {
			go str.Join(v[1:n:n], k)
			if n++; n > 5 {
				break outer
			}
		}
		for range 3 {
			n <<= 1
		}
		for {
			goto done
		}
	}
	switch v := any(key).(type) {
	case nil, error:
		return 0, v.(error)
	case func(int) string, chan<- int, [2]int, *[]byte, struct{}, interface{ Len() int }:
		panic(v)
	}
	select {
	case v, ok := <-q.in:
		found, _ = v, ok
	case q.out <- []byte("raw")[0]:
	default:
		found = big
	}
done:
	return
}

func Sum[K comparable, N ~int | float64](values ...N) (total N) {
	type local = func(N) N
	add := func(n N) { total += n }
	for _, v := range values {
		add(v)
	}
	return Scale[N](total)
}
"""

C = """\
#include <stdio.h>
#define LIMIT 3
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#pragma once
typedef struct node { int key, *list[LIMIT]; struct node *next; unsigned flag : 1; } node_t;
enum colour { RED = 1, GREEN } shade;
union both { int i; float f; };
extern int puts(const char *s);
static const char *names[] = { [RED] = "red", "gr" "een" };
__attribute__((noinline)) static unsigned long total = 0UL;

/* ä */
static inline int find(node_t *head, const int key, int (*test)(int, int), ...) {
    int found = -1, i, sizes[LIMIT + 1] = { 0 }, *p = &found;
    for (i = 0, found = 0; i < LIMIT && found < 0; i++, --key) {
        if (head[i].key == key || (key > 3 && !test(key, 1))) { *p = i; } else continue;
        while (1) { if (i++ > 5) break; }
    }
    do { found -= head->next->key; } while (found > 0);
    switch (key % LIMIT) {
    case 'a': case 2: puts("two\\n"); break;
    default: return 0;
    case 3: { found <<= sizeof(node_t) + _Alignof(int); }
    }
#if defined(FAST) && LIMIT > 2
    found = (int) MAX(found, 1.5e3f);
#elif 0
    goto end;
#else
    found = offsetof(node_t, key);
#endif
#ifndef SLOW
    total |= ~key;
#endif
    if (found) exit(1); else if (!head) abort();
    *head = (node_t){ .key = found ? key : i, .list = { [0] = p } }, i = 2;
    __try { head->list[0]++; __leave; } __except (1) { puts(NULL); } 
    __try { (*test)(1, 2); } __finally { total = 0; }
    asm volatile("mov %1, %0" : "=r"(i) : "r"(key) : "memory");
    ;
end:
    return found ?: _Generic(key, int: 1, default: 2);
}

int old(a, b) int a; char *b; {
    int nested(void) { return a; }
    [[maybe_unused]] int x = nested();
    return x;
}
"""

CPP = """\
#include <vector>
using namespace std;
using std::string;
namespace a::b { enum class Colour : char { RED = 1 }; }
namespace c = a::b;
template <typename T, int N = 3, class... More> class Queue : public Base<T>, private virtual Other {
public:
    using value = T;
    Queue(int size, const T& first = T()) : Base<T>(size), size_(size), items{first} { this->add(first); }
    explicit Queue(double d) try : size_(d) { f(); } catch (...) { throw; }
    Queue(const Queue&) = delete;
    ~Queue() noexcept { delete[] items; delete this; }
    virtual int area() const = 0;
    Queue& operator+=(T&& t) & { size_ += t; return *this; }
    operator bool() const override { return size_ and not false; }
    template <typename U> auto map(U u, auto... rest) -> decltype(u(1)) { return (u(rest) + ...); }
    friend class Friend;
    static_assert(N > 1 && sizeof(T), "text");
protected:
    int size_ = 0, items[N]{};
    static thread_local int count;
};
template <typename T, int N, class... More> int Queue<T, N, More...>::count = 1;
template <typename T> concept Small = requires(T t) { t.size(); };
extern "C" { int puts(const char* s); }

int find(std::vector<std::pair<int, int>>& xs, int key) {
    auto byValue = [key, &xs, z = key + 1](int a) mutable noexcept -> int { z++; return a + z + key; };
    auto all = [&] { return [=, &xs] { return xs[0]; }; };
    for (const auto& [k, v] : xs) { if (k) continue; f(k, v); }
    for (int i = 0; auto x : {1, 2}) { if (i++) break; }
    for (auto it = xs.begin(); it != xs.end(); ++it) *it = byValue(1);
    if (int n = f(); n > 0 || key) g(n); else if (auto p = h()) g(*p);
    while (auto p = next()) { p->go(); (p.*q)(1); }
    do { key--; } while (key > 0);
    try {
        std::lock_guard<std::mutex> lock(mutex_);
        int *p = new int[3]{1, 2}, &r = *p;
        new (p) T(1);
        if (key == 1) throw std::runtime_error("x");
    } catch (const E& e) {
        g(e.what());
    } catch (...) {
        std::abort();
    }
    switch (int n = key; n) { case 1: g(); [[fallthrough]]; case Colour::RED: break; default: return 1; }
    const char* text = R"x(raw "text")x";
    auto later = co_await f(12_km, "x"_s, 'c', nullptr, static_cast<long>(key), Point{.x = 1});
    co_yield later;
    struct Local { int a = 1; int m() { return a; } } local;
    xs.template get<int>(f(xs...), alignof(int), true ? 1 : 2)->~T();
    goto end;
#ifdef X
    key = 1;
#endif
end:
    co_return key <=> 3;
}
"""

CSHARP = """\
#nullable enable
using System;
using static System.Math;
using Names = System.Collections.Generic.List<string>;

[assembly: Title("ä")]
namespace A.B
{
    /// <summary>A comment.</summary>
    public partial class Queue<T> : Base<T>, IEnumerable<T> where T : class, new()
    {
        private const int Limit = 3;
        private readonly int[] items = new int[8], spare = { 1, 2 };
        public event EventHandler<int>? Changed;
        public int Size { get; private set; } = Limit;
        public bool IsEmpty => Size == 0;

        static Queue() { Register(typeof(Queue<>), nameof(Queue<T>.Size)); }

        public Queue(int size, params T[] values) : base(size)
        {
            foreach (var value in values) this.Add(value!);
        }

        ~Queue() => Dispose(false);

        public int this[int i, string? key = null]
        {
            get { return items[i] + key?.Length ?? 0; }
            set => items[^i] = value;
        }

        [Obsolete("old", Order = 1)]
        public async Task<int> Find(Dictionary<string, List<T>> map, int key)
        {
            int found = -1, i;
            for (i = 0; i < Size && found < 0; i++)
            {
                if (items[i] == key || (key > 3 && !map.ContainsKey("x"))) { found = i; } else { continue; }
                while (true) { if (i++ > 5) goto end; }
            }
            end:
            try
            {
                using (var stream = Open()) using (stream) { do { key -= stream.Read(out var n) + n; } while (key > 0); }
                await using var other = stream;
                return key > 1 ? found : await other.Get(ref i);
            }
            catch (ArgumentException e) when (e.ParamName is "key" or null)
            {
                throw new InvalidOperationException($"failed {key,3:F2} {{x}}", e);
            }
            catch { found ??= Size; }
            finally
            {
                lock (this) { Size = 0; }
            }
            await foreach (var (k, (v, _)) in map) found += v;
            return checked((int)found);
        }

        public IEnumerable<string> Kinds(object o)
        {
            Action task = () => { this.Size++; };
            Func<string, int> length = s => s.Length;
            Changed += delegate (object sender, int n) { if (n > 0) Run(sender, n); };
            if (o is not string { Length: > 0 } text) yield break;
            switch (Size)
            {
                case 1:
                case 2: task(); break;
                case int n when n > 9: goto case 1;
                default: yield return text; goto default;
            }
            yield return o switch
            {
                string s when s.Length > 1 => s,
                (var x, 1) or [_, ..] => "pair",
                null => throw new ArgumentNullException(),
                _ => Local(2),
            };
            string Local(int times) => text + times;
            var query = from a in items
                        from b in a.Parts
                        join c in spare on b equals c.Key into cs
                        let d = b.D
                        where d > 1 && cs.Any()
                        orderby d descending, b
                        group b by d into g
                        select new { g.Key, Count = g.Count() };
            (o, var rest) = (query, new Queue<T>(1) { Size = 2, [0] = 1 });
        }

        public static Queue<T> operator +(Queue<T> a, Queue<T> b) => a;
        public static explicit operator int(Queue<T> q) { return q.Size; }

        private unsafe void Copy(byte* target, in int count)
        {
            fixed (int* p = &items[0]) { *target = (byte)p[count]; p->Next = stackalloc int[2]; }
#if DEBUG
            unchecked { Log(count); }
#else
            ;
#endif
        }

        enum Colour : byte { Red = 1, Green }
        delegate void Handler<in A>(A a);
        interface IShape { int Sides(); bool Round() { return Sides() == 0; } }
    }

    public record Point(int X, int Y = 0) : Shape(X)
    {
        public double Norm { get; init; } = Sqrt(X * X + Y * Y);
        public Point Moved() => this with { X = X + 1 };
    }
}
"""

PROGRAMS = {
    "java": JAVA,
    "csharp": CSHARP,
    "python": PYTHON,
    "javascript": JAVASCRIPT,
    "typescript": TYPESCRIPT,
    "go": GO,
    "c": C,
    "cpp": CPP,
}
