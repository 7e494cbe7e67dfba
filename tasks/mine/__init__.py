"""Source `mine:PATH`: examples from a user's own source trees.

The way: the files of the trees (`tree`) are read twice by worker processes (`build`): first for an index of what they
declare, then, with that index at hand, for rows. A language is one module that keeps the contract of `language_miner` and
one line in `MINERS`. Repairs come from git (`history`).
"""
