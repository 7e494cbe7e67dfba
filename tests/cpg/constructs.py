"""Functions to be run and watched: conditions, match, exceptions, managers in ways that libraries seldom combine.

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


# -------------------------------------------------------------------------------------------------- calls
def tried(function, *arguments, **more):
    """The result, or None where it fails."""
    try:
        return function(*arguments, **more)
    except Exception:
        return None


def run_all():
    """Call everything, with arguments that lead everywhere."""
    values = range(6)
    for a in (0, 1, 2):
        tried(constant_conditions, a)
        for b in (0, 1):
            for c in (0, 1, 2):
                tried(conditions, a, b, c)
            tried(flags, a, b, b=b), tried(flags, a, 0, 1, x=1), tried(flags, a, 0, 0, b=b, y=2)
    matched = (0, [1, 2, 3], [0, 1], [5], (7, 8), {"k": 1, "l": 2}, {"k": 0}, Point(0, 1), Point(2, 2), Point(1, 2), "s")
    for value in (*matched, None, 3.5):
        for flag in (True, False):
            tried(matching, value, flag)
    tried(matching_in_a_loop, [1, 5, "x", [1]]), tried(matching_in_a_loop, [2])
    for value in values:
        for flag in (True, False):
            tried(handlers, value, flag)
            for fails in ("", "enter", "exit"):
                tried(managers, value, flag, fails)
        for way in values:
            tried(finalizers_in_finalizers, value, way)
        tried(nested_handlers, value), tried(finalizer_that_returns, value), tried(retried, value)
        tried(suppressed, value), tried(failing_expressions, [value, 1, 2, 0], value)
        tried(failing_expressions, [[value, 1], 0], 0), tried(failing_expressions, [1, (1, 2), 3], 1)
        tried(failing_expressions, [(1, 2), 1, 1], 1), tried(failing_expressions, [1, 1], 0)
        for way in ("", "break", "continue", "return", "raise", "swallow"):
            tried(jumps_through_finalizers, [value, 1, value], way)
    several = ([], [Other()], [Refusal()], [Other(), KeyError()], [OSError(), Other()], [Other(), 0, 0])
    for errors in (*several, [Other(), Refusal(), 0]):
        tried(groups, errors)
    tried(names_that_fail, True), tried(names_that_fail, False)
