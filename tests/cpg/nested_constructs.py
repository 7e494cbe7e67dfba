"""Functions to be run and watched: generators, nested functions, captured variables, async; as in `constructs.py`."""

from __future__ import annotations

import asyncio

from tests.cpg.constructs import Manager, Refusal, check, tried


# -------------------------------------------------------------------------------------------- generators
def generator(values):
    last = None
    try:
        for value in values:
            got = yield value
            if got:
                last = got
                continue
            yield from inner_generator(value, last)
    except Refusal as error:
        last = error
        yield error
    finally:
        values = last
    return values


def inner_generator(value, last):
    x = yield last
    while x:
        x = yield x
    return value


def managed_generator(value):
    with Manager():
        for i in range(value):
            yield i
    if value > 2:
        return
    yield "end"


def run_generators():
    first = generator([1, 2, 3])
    next(first)
    first.send("x")
    for message in (None, 5, None, None):
        first.send(message)
    try:
        first.throw(Refusal)
        first.throw(KeyError)
    except KeyError:
        pass
    closed = generator([1])
    next(closed)
    closed.close()
    abandoned = managed_generator(3)
    next(abandoned)
    del abandoned
    return list(managed_generator(2)), list(managed_generator(3)), list(generator([]))


# -------------------------------------------------------------------------------------- nested functions
def captured(n, k):
    total = 0
    calls = []

    def add(value, scale=k or n):
        nonlocal total
        total += value * scale
        calls.append(total)
        return late(value)

    k = k + 1

    def late(value):
        if value > k:
            return add(value - 5)
        return [value + k for k in (1, 2) if k and n]

    for i in range(n):
        add(i)
        pick = lambda v, w=i: v and w or i or k
        calls.append(pick(i))
        n2 = (lambda: (lambda: n + i)())()
    keys = sorted(calls, key=lambda c: -c if isinstance(c, int) else 0)
    table = {a: [a * b for b in range(a) if b != i] for a in range(n)}
    return total, keys, n2, table, {m for m in (x for x in table if x or k)}


def comprehensions(rows, k):
    flat = [cell for row in rows if row for cell in row if cell and cell > k or not k]
    pairs = {(a, b): a if a else b for a, b in zip(flat, flat[1:])}
    total = sum(x * k for x in flat)
    first = next((x for x in flat if (y := x) > k), None)
    empty = [[inner or outer for inner in row] for outer, row in enumerate(rows) if not outer or row]
    return flat, pairs, total, first, y if first else None, empty, [*map(lambda v: v or k, flat)]


def classes(a):
    b = a + 1

    class Local:
        c = b

        def method(self, d=b):
            self.__hidden = d
            return a + self.__hidden, __class__

        @staticmethod
        def other(__private):
            return __private or b

    b = 5
    return Local().method(), Local.other(0)


def recursive(n, box=[]):
    def step(m):
        nonlocal n
        if m:
            n -= 1
            return step(m - 1)
        return n

    def later():
        return value

    value = step(n)
    box.append(value)
    return later()


def deleted(a):
    b = a
    del a
    c = b
    (d, *e), b = (c, c), 1
    for d in e:
        a = d
    if not e:
        a = b
    del b, c
    return a, d


# ----------------------------------------------------------------------------------------------- awaiting
async def ticks(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


async def awaited(n, fails):
    seen = []
    try:
        async with Manager() as manager, Manager(fails=fails):
            async for i in ticks(n):
                if i == 1:
                    continue
                if i == 3:
                    break
                seen.append(await asyncio.sleep(0, i))
            else:
                seen.append(manager)
            seen += [j async for j in ticks(n) if j]
            seen += [await asyncio.sleep(0, j) for j in seen if j]
            if n == 2:
                return seen
            check(n)
    except Refusal as error:
        return error
    finally:
        await asyncio.sleep(0)
    return None


# -------------------------------------------------------------------------------------------------- calls
def run_all():
    """Call everything, with arguments that lead everywhere."""
    for a in (0, 1, 2):
        tried(classes, a), tried(deleted, a), tried(recursive, a), tried(recursive, a + 3)
        for b in (0, 1):
            tried(captured, a, b), tried(comprehensions, [[0, 1, 2], [], [3]], b), tried(comprehensions, [[a]], b)
    for value in range(6):
        for fails in ("", "enter", "exit"):
            tried(asyncio.run, awaited(value, fails))
    tried(run_generators)
