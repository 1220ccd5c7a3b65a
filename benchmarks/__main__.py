"""Runs the benchmarks, or the parts that are named, and writes benchmarks/RESULTS.md."""

import argparse
import importlib
import sys
import time

from benchmarks import results

PARTS = {
    "step": "against lightly, a plain loop and the bare work of the encoders",
    "profile": "where a step's time goes",
    "compiled": "when torch.compile pays back; needs a GPU",
    "views": "against torchvision's transforms of PIL images",
    "precision": "bfloat16 against float32 over seeds",
    "probe": "a probe sweep against an epoch",
    "regimes": "what pretraining gains over an untrained encoder, and its cost",
    "scale": "batch, queue, width, trials at once",
    "records": "10 to 10,000 trials become tables and a page",
    "quick_study": "wall time against the trials' seconds; needs Ray",
    "recipe": "FAIR's 200 epochs on CIFAR-10; needs a GPU",
}


def main(words: list[str] | None = None) -> int:
    """Exit code: 0 done, 1 a part failed; the others are written all the same."""
    told = "\n".join(f"  {name:12} {meaning}" for name, meaning in PARTS.items())
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=f"Parts:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all")
    asked = parser.parse_args(words).parts or list(PARTS)
    if unknown := [part for part in asked if part not in PARTS]:
        parser.error(f"a part is one of {', '.join(PARTS)}; got {', '.join(unknown)}")
    failed = [part for part in asked if not ran(part)]
    print(
        f"Written: {results.FILE}" + (f"; failed: {', '.join(failed)}" if failed else ""),
        flush=True,
    )
    return 1 if failed else 0


def ran(part: str) -> bool:
    """Whether a part came to its end; what it found is kept."""
    print(f"{part}: {PARTS[part]}", flush=True)
    started = time.perf_counter()
    try:
        tables = importlib.import_module(f"benchmarks.{part}").run()
    except (
        Exception
    ) as problem:  # one machine lacks Ray, another a GPU: the other parts count all the same
        print(f"  not done: {type(problem).__name__}: {problem}", file=sys.stderr, flush=True)
        return False
    results.keep(part, tables, (time.perf_counter() - started) / 60, list(PARTS))
    for table in tables:
        print(
            f"  {table.title}",
            *("    " + "   ".join(row) for row in [table.head, *table.rows]),
            f"  {table.note}",
            sep="\n",
            flush=True,
        )
    return True


if __name__ == "__main__":
    sys.exit(main())
