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

PROGRAMS = {"java": JAVA, "python": PYTHON, "javascript": JAVASCRIPT, "typescript": TYPESCRIPT, "go": GO}
