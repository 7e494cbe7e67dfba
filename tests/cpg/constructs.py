"""Functions to be run and watched: every construct of Python in the ways that libraries seldom combine.

`run_all` calls them so that each way through is taken. What they compute means nothing.
"""

from __future__ import annotations

import asyncio
import contextlib


class Refusal(Exception):
    """Raised by what is told to fail."""


class Other(Refusal):
    """A narrower one."""


def check(value):
    """Fails for some values."""
    if value == 3:
        raise Refusal(value)
    if value == 4:
        raise Other(value)
    return value


class Manager:
    """Swallows on request; fails on request when it is entered or left."""

    def __init__(self, swallows=False, fails=""):
        self.swallows, self.fails = swallows, fails

    def __enter__(self):
        if self.fails == "enter":
            raise Refusal
        return self

    def __exit__(self, kind, error, trace):
        if self.fails == "exit":
            raise Refusal
        return self.swallows

    async def __aenter__(self):
        await asyncio.sleep(0)
        return self.__enter__()

    async def __aexit__(self, kind, error, trace):
        await asyncio.sleep(0)
        return self.__exit__(kind, error, trace)


# ------------------------------------------------------------------------------------------- conditions
def conditions(a, b, c):
    x = a and b or not c
    if (a or b) and not (c and not a):
        x = a if b else (c if not a else b)
    elif not a or a < b < c:
        x = 1
    y = [x or a, b and c][a and 1 or 0]
    if (n := a) and (m := b or c):
        y = n, m
    z = (a if b else c) if (b if c else a) else (a or b)
    while a and (b or c):
        a = a - 1
        if not b and c:
            continue
        if a == 1: break
    else:
        z = x
    assert z is not x or y or True, y
    return (x and y) or z


def constant_conditions(a):
    while True:
        a += 1
        if a > 3:
            break
    while 1:
        a += 1
        if 1:
            return a if a else None
    return 0


def flags(a, *rest, b=None, **more):
    b = b or a
    for key in sorted(more) or rest:
        if key == a: continue
        for other in rest if a else more:
            if other:
                break
            pass
        else:
            b = key
            continue
        break
    else:
        return not b
    return key


# ---------------------------------------------------------------------------------------------- matching
class Point:
    __match_args__ = "x", "y"

    def __init__(self, x, y):
        self.x, self.y = x, y


def matching(value, flag):
    match value:
        case 0 | 1:
            result = "small"
        case [a, b, *rest] if flag and a:
            result = a, b, rest
        case [a] | (a, _):
            result = a
        case {"k": k, **rest} if not flag or k:
            result = k, rest
        case Point(x=0, y=y) as point:
            result = y, point
        case Point(x, y) if x == y:
            result = x
        case str() | bytes() as text:
            return text
        case None:
            result = value
        case other if flag:
            result = other
        case _:
            result = flag
    match (value, flag):
        case (left, True):
            result = left, result
        case _:
            pass
    return result


def matching_in_a_loop(values):
    found = []
    for value in values:
        match value:
            case int(n) if n > 2:
                continue
            case int():
                found.append(value)
            case [first, *_]:
                found.append(first)
                break
    return found


# -------------------------------------------------------------------------------------------- exceptions
def handlers(value, flag):
    x = 0
    try:
        x = 1
        x = check(value)
        if flag:
            return x
    except Other as error:
        x = error
        if flag:
            raise
    except (KeyError, Refusal):
        x = check(2) or x
    else:
        x = x + 1
    finally:
        y = x
    return x, y


def nested_handlers(value):
    try:
        try:
            check(value)
        except Other:
            check(3)
        except ValueError:
            pass
        finally:
            try:
                check(value)
            except Other as error:
                str(error)
    except Refusal as error:
        result = error
    else:
        result = None
    return result


def jumps_through_finalizers(values, way):
    x = 0
    for value in values:
        try:
            try:
                if way == "break":
                    break
                if way == "continue":
                    continue
                if way == "return":
                    return x
                if way == "raise":
                    check(3)
                x = check(value)
            finally:
                x = x + 1
                if way == "swallow":
                    continue
        except Refusal:
            x = -x
        finally:
            x += 10
    else:
        x = 100
    return x


def finalizer_that_returns(value):
    while True:
        try:
            check(value)
        finally:
            if value == 4:
                break
            return value
    return 0


def finalizers_in_finalizers(value, way):
    try:
        check(value)
        if way:
            return 1
    finally:
        try:
            check(way)
            if value == 1:
                return 2
        finally:
            try:
                check(value)
            except Refusal:
                pass
            finally:
                way = value
            if way == 4:
                return 5
    return way


def retried(value):
    attempts = 0
    while attempts < 3:
        try:
            check(value)
        except Refusal:
            attempts += 1
            if attempts == 2:
                value = 0
            continue
        return attempts
    return -1


def failing_expressions(values, index):
    x = y = None
    try:
        x = values[index]
        y = x.real + (values[x] or 1) if x else not values[x]
        (a, b), c = y, values
        d = [1 // v for v in values if 2 // v or v]
        e = {v: check(v) for v in values}
        f = sum(check(v) for v in values)
        return a, b, c, d, e, f
    except (IndexError, TypeError):
        return x
    except ZeroDivisionError:
        return y
    except Refusal:
        return "refused", d


def groups(values):
    try:
        errors = [error for error in values if error]
        if errors:
            raise ExceptionGroup("several", errors)
    except* Other as found:
        result = found
        check(len(values))
    except* (Refusal, KeyError):
        result = 2
    else:
        result = 3
    finally:
        result2 = values
    return result2


def names_that_fail(flag):
    if flag:
        bound = 1
    try:
        bound
    except NameError:
        bound = 2
    del bound
    try:
        bound
    except NameError as bound:
        return str(bound)


# ---------------------------------------------------------------------------------------------- managers
def managers(value, swallows, fails):
    x = 0
    with Manager() as first, Manager(fails=fails) as second:
        x = 1
        with contextlib.suppress(Other):
            x = check(value)
            x = 2
        for i in range(3):
            with first:
                if i == value:
                    break
                if i == 1:
                    continue
            with second, Manager():
                if value == 2:
                    return x
                x = i
    return x, first


def suppressed(value):
    x = 0
    with contextlib.suppress(Refusal):
        x = 1
        check(value)
        x = 2
        if value == 1:
            return x
    return x


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
def _tried(function, *arguments, **more):
    try:
        return function(*arguments, **more)
    except Exception:
        return None


def run_all():
    """Call everything, with arguments that lead everywhere."""
    values = range(6)
    for a in (0, 1, 2):
        _tried(constant_conditions, a), _tried(classes, a), _tried(deleted, a)
        for b in (0, 1):
            for c in (0, 1, 2):
                _tried(conditions, a, b, c)
            _tried(flags, a, b, b=b), _tried(flags, a, 0, 1, x=1), _tried(flags, a, 0, 0, b=b, y=2)
            _tried(captured, a, b), _tried(recursive, a), _tried(recursive, a + 3)
            _tried(comprehensions, [[0, 1, 2], [], [3]], b), _tried(comprehensions, [[a]], b)
    matched = (0, [1, 2, 3], [0, 1], [5], (7, 8), {"k": 1, "l": 2}, {"k": 0}, Point(0, 1), Point(2, 2), Point(1, 2), "s")
    for value in (*matched, None, 3.5):
        for flag in (True, False):
            _tried(matching, value, flag)
    _tried(matching_in_a_loop, [1, 5, "x", [1]]), _tried(matching_in_a_loop, [2])
    for value in values:
        for flag in (True, False):
            _tried(handlers, value, flag)
            for fails in ("", "enter", "exit"):
                _tried(managers, value, flag, fails)
        for way in values:
            _tried(finalizers_in_finalizers, value, way)
        _tried(nested_handlers, value), _tried(finalizer_that_returns, value), _tried(retried, value)
        _tried(suppressed, value), _tried(failing_expressions, [value, 1, 2, 0], value)
        _tried(failing_expressions, [[value, 1], 0], 0), _tried(failing_expressions, [1, (1, 2), 3], 1)
        _tried(failing_expressions, [(1, 2), 1, 1], 1), _tried(failing_expressions, [1, 1], 0)
        for way in ("", "break", "continue", "return", "raise", "swallow"):
            _tried(jumps_through_finalizers, [value, 1, value], way)
        for fails in ("", "enter", "exit"):
            _tried(asyncio.run, awaited(value, fails))
    for errors in ([], [Other()], [Refusal()], [Other(), KeyError()], [OSError(), Other()], [Other(), 0, 0], [Other(), Refusal(), 0]):
        _tried(groups, errors)
    _tried(names_that_fail, True), _tried(names_that_fail, False), _tried(run_generators)
