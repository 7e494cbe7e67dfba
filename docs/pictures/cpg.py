def longest_run(values):
    best = run = 0
    for value in values:
        if value > 0:
            run += 1
            best = max(best, run)
        else:
            run = 0
    return best
