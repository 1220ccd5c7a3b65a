"""Run or resume the study of one search space and write its report."""

import importlib
import pkgutil
import sys
from dataclasses import replace
from pathlib import Path

try:
    import search_spaces
    from study import api
    from study.command import parse_command
    from study.design.space import Space
    from study.errors import StudyError
    from study.execution.stop import raise_on_signals
    from study.options import Options
    from study.space_file import load_own_space, with_own_code
    from study.store.exchange import read_trials
    from study.streams import open_streams
except ModuleNotFoundError as missing:
    sys.exit(
        f"run_study.py: this Python has no {missing.name}; in a clone `make install` installs it, "
        "and `. .venv/bin/activate` chooses the Python that has it"
    )

SOURCE = Path(__file__).resolve().parent
# of the program, that a cluster's nodes are sent
PACKAGES = tuple(SOURCE / name for name in ("moco", "study", "search_spaces"))
# how the command is called: from a clone, or as it was installed
PROGRAM = "python run_study.py" if (SOURCE / "pyproject.toml").exists() else "moco-study"


def main(words: list[str] | None = None) -> int:
    """Exit code: 0 complete, 2 a wrong command or wrong data, 130 interrupted, 1 anything else.

    Of --check 3 to 6 are further labels.
    """
    open_streams()
    raise_on_signals()
    try:
        options = parse_command(sys.argv[1:] if words is None else words, space_names(), PROGRAM)
        return run(replace(options, code=PACKAGES))
    except StudyError as problem:  # a sentence for the user; anything else is our mistake
        print(f"{PROGRAM.split()[-1]}: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\ninterrupted. Finished trials are saved; run the same command to continue.",
            file=sys.stderr,
        )
        return 130


def run(options: Options) -> int:
    """Do what the options ask for; the exit code."""
    if options.report:
        return api.redraw(options)
    if options.list:
        return list_spaces()
    if options.export:
        return api.export(options)
    if options.judge:
        return judge(options)
    if options.compare:
        return compare(options)
    if options.check:
        return api.check_claim(options)
    if options.verify:
        return api.verify(options)
    if options.records is not None:
        return run_trials_of_file(options)
    space = load_space(options.space)
    own = options.space if options.space not in space_names() else None
    return api.run_study(space, with_own_code(options, own) if own else options)


def judge(options: Options) -> int:
    """Judge runs that were made elsewhere; the exit code."""
    from study.judging.judge import judge_runs

    report = judge_runs(options)
    print(f"{report.answer}\nReport: {report.page.resolve().as_uri()}", flush=True)
    return 0


def compare(options: Options) -> int:
    """Put studies side by side; the exit code."""
    from study.pooling.page import compare_studies

    page, words = compare_studies(options.compare, Path(options.out or "results/compared"))
    print(f"{words}\nComparison: {page.resolve().as_uri()}", flush=True)
    return 0


def judge_main() -> int:
    """The command moco-judge: moco-judge RUNS is moco-study --judge RUNS."""
    return main(["--judge", *sys.argv[1:]])


def run_trials_of_file(options: Options) -> int:
    """Run a study's trials on this machine without Ray; the exit code."""
    if options.trials is None:
        raise StudyError("--records takes the records of trials; name their file with --trials")
    exported = read_trials(Path(options.trials))
    if not exported:
        print(f"0 trials: {options.trials} is empty, nothing is left to run.")
        return 0
    return api.run_offline(exported, load_space(options.space or exported[0].space), options)


def space_names() -> list[str]:
    """The search spaces that come with the program."""
    modules = pkgutil.iter_modules(search_spaces.__path__)
    return sorted(module.name for module in modules if not module.name.startswith("_"))


def load_space(name: str | None) -> Space:
    """The space of a name, of a Python file that holds a SPACE, or of an object in a module.

    Raises:
        StudyError: there is none.
    """
    if name and (name.endswith(".py") or ":" in name):
        return load_own_space(name)
    if name not in space_names():
        names = ", ".join(space_names())
        wish = f"; got {name!r}" if name else ""
        raise StudyError(f"--space must be one of {names}, or a Python file{wish}")
    return importlib.import_module(f"search_spaces.{name}").SPACE


def list_spaces() -> int:
    """Print each space with its question."""
    for name in space_names():
        space = load_space(name)
        print(f"{space.name:14} {space.question}  ({space.rows or 'not in the report'})")
    print("\nR1 to R10 are the experiments of the student report of 2020.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
