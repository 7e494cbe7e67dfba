int longestRun(int[] values) {
    int best = 0, run = 0;
    for (int value : values) {
        if (value > 0) {
            run++;
            best = Math.max(best, run);
        } else {
            run = 0;
        }
    }
    return best;
}
