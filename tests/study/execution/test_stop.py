"""A signal before the first trial ends the command, also where its exception is lost on the way."""

import os
import signal

import pytest

from study.execution import stop


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:  # tests that run behind a shell have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    yield
    stop._came.clear()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_whose_exception_was_dropped_is_raised_when_trials_would_begin(number):
    stop.raise_on_signals()
    with pytest.raises(KeyboardInterrupt):  # dropped here, as an import of C code does
        os.kill(os.getpid(), number)
    with pytest.raises(KeyboardInterrupt), stop.Stop().signal_handlers():
        pass


def test_without_one_trials_begin_and_a_new_command_forgets_the_last_one_s():
    stop.raise_on_signals()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    stop.raise_on_signals()
    with stop.Stop().signal_handlers():
        pass


def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop.raise_on_signals()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
