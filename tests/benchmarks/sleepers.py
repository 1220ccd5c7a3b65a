"""Sides that take a known time."""

import time

SIDES = {
    "sleeper": lambda settings: lambda: time.sleep(settings["seconds"]),
    "chatty": lambda settings: lambda: print("not an answer"),
    "broken": lambda settings: lambda: 1 / 0,
}
