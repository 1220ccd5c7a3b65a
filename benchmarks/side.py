"""One side of a comparison, in a process of its own: runs a round when it is told to and answers
with the seconds that it took.

    python -m benchmarks.side MODULE NAME SETTINGS

MODULE has a table SIDES from name to builder; a builder takes the settings and returns a function
that runs one round.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable

Round = Callable[[], None]  # returns when all of its work is done, on a GPU too


def main(module: str, name: str, settings: str) -> None:
    """Warms up with a round, says so, and then runs a round for every line that comes in."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    run: Round = importlib.import_module(module).SIDES[name](json.loads(settings))
    run()
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        run()
        print(time.perf_counter() - started, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
