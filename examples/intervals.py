"""Half-open intervals of whole numbers."""


def overlap(first, second):
    """The part that two intervals share, or None."""
    start = max(first[0], second[0])
    end = min(first[1], second[1])
    return (start, end) if start < end else None


def gap(first, second):
    """The distance between two intervals; zero where they touch or overlap."""
    if overlap(first, second) is not None:
        return 0
    return max(first[0], second[0]) - min(first[1], second[1])
