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

PROGRAMS = {"java": JAVA, "python": PYTHON}
