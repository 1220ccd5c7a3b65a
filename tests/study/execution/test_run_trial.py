"""One attempt at a trial: however it ends, it ends as a record."""

from study.design.stages import due_trials
from study.execution.run_trial import run_trial


def test_an_exception_ends_a_trial_as_failed_with_its_words(toy, tmp_path):
    def broken(config, folder):
        yield {"epoch": 1, "loss": 1.0}
        raise RuntimeError("the disk is full")

    steps = run_trial(broken, next(due_trials(toy.plan(), {})), tmp_path / "t", "")
    while True:
        try:
            next(steps)
        except StopIteration as end:
            record = end.value
            break
    assert record.status == "failed"
    assert "the disk is full" in record.error
    assert (tmp_path / "t" / "metrics.jsonl").read_text().count("\n") == 1
