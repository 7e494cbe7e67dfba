"""The parts of `python -m transducer.compare`: settings, plan, folder, processes, tuning, the matrix of runs, its table."""
