def overlap(first, second):
    """Length of what two intervals share."""
    start = max(first[0], second[0])
    end = min(first[1], second[1])
    return max(0, end - start)


def test_overlap_of_disjoint_intervals():
    left = (0, 3)
    right = (5, 9)
    shared = overlap(left, right)
    "<AssertPlaceHolder>"
