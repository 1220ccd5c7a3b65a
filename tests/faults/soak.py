"""Kills of a study at random moments, of one of its processes or all, and what each leaves behind.

    make soak KILLS=100

Toy studies run one after the other, each killed again and again until it is complete; then its records must be those of a
study that ran in peace. A minute after each kill of the driver no process and no shared memory of it may be left. The
driver's memory and open files are read while it runs. Figures are printed as JSON at the end; exit code 1: something was wrong.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "study" / "toy.py"
KINDS = ("driver", "worker", "raylet", "gcs_server", "group")
MARK = "STUDY_SOAK"  # an environment variable by which all processes of a study are found
LEFT_SECONDS = 60.0
TIMES = ("seconds", "started", "ended", "chain", "curve", "versions")
SLEEP = "0.25"  # seconds of a toy's epoch, so that kills find trials at work


def start(folder, mark, **popen):
    words = [
        sys.executable,
        str(ROOT / "run_study.py"),
        "--space",
        str(TOY),
        "--profile",
        "quick",
        "--trials",
        "3",
    ]
    words += ["--seeds", "6", "--set", f"sleep={SLEEP}", "--out", str(folder)]
    env = {**os.environ, MARK: mark, "STUDY_DASHBOARD": "off"}
    with open(folder.with_suffix(".txt"), "a") as output:
        return subprocess.Popen(
            words, cwd=folder.parent, env=env, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, **popen,
        )  # fmt: skip


def processes(mark):
    """Process numbers and command lines of a study."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found[int(place.name)] = (
                    (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                )
        except OSError:
            continue
    return found


def victims(kind, driver, mark):
    """The processes of a kind."""
    if kind == "driver":
        return [driver]
    names = {
        "worker": ("ray::", "train_"),
        "raylet": ("raylet/raylet",),
        "gcs_server": ("gcs_server",),
    }
    return [
        n
        for n, line in processes(mark).items()
        if any(name in line for name in names.get(kind, ()))
    ]


def shared_memory():
    return {path.name for path in Path("/dev/shm").iterdir()}


def seconds_until(holds, limit):
    """Seconds until something holds; None: not within the limit."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > limit:
            return None
        time.sleep(0.1)
    return time.monotonic() - begun


def state_of(process):
    """Resident MB and open files of a process; None: it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(resident.split()[1]) / 1024, len(list(Path(f"/proc/{process}/fd").iterdir()))
    except (OSError, StopIteration):
        return None


def comparable(folder):
    """What of a study's records must not depend on kills."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:
        curve = [{k: v for k, v in row.items() if k != "seconds"} for row in record["curve"]]
        record["losses"] = json.dumps(curve)
        for name in TIMES:
            record.pop(name, None)
    ended = {record["trial"]: record for record in records if record["status"] != "failed"}
    repeated = len([r for r in records if r["status"] != "failed"]) - len(ended)
    return ended, repeated


def wait_and_watch(process, patience, states):
    """Wait so long for a study's end, reading its memory and open files; whether it ended."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if process.poll() is not None:
            return True
        if state := state_of(process.pid):
            states.append(state)
        time.sleep(0.5)
    return process.poll() is not None


class Wrong(list):
    """What was wrong, said as it comes."""

    def append(self, sentence):
        super().append(sentence)
        print(f"WRONG: {sentence}", flush=True)


def main(kills, seed):
    draw, wrong, done = random.Random(seed), Wrong(), Counter()
    left, states, codes = {kind: [] for kind in KINDS}, [], Counter()
    base = Path(tempfile.mkdtemp(prefix="soak"))
    before = shared_memory()
    calm = base / "calm"
    begun = time.monotonic()
    assert start(calm, "calm").wait() == 0, calm.with_suffix(".txt").read_text()[-2000:]
    span = time.monotonic() - begun  # kills come at any moment of a whole study, its start included
    theirs, _ = comparable(calm)
    number = 0
    while sum(done.values()) < kills:
        folder, number = base / f"study{number}", number + 1
        for attempt in range(1000):
            mark = f"{folder.name}-{attempt}"
            process, own = start(folder, mark), []
            if (
                wait_and_watch(process, draw.uniform(0.05 * span, 0.9 * span), own)
                or sum(done.values()) >= kills
            ):
                code = process.wait()
                states.append(own)
                if code == 0:
                    break
                codes[code] += 1
                continue
            kind = draw.choice(KINDS)
            chosen = [process.pid] if kind == "group" else victims(kind, process.pid, mark)
            if not chosen:
                kind, chosen = "driver", [process.pid]
            try:
                if kind == "group":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    os.kill(draw.choice(chosen), signal.SIGKILL)
            except ProcessLookupError:
                pass
            done[kind] += 1
            states.append(own)
            ended = wait_and_watch(
                process, 240.0, own
            )  # of other kinds it goes on, or says why not
            if not ended:
                wrong.append(f"{mark}: not ended 240 s after a kill of {kind}")
                os.killpg(process.pid, signal.SIGKILL)
            codes[process.wait()] += 1
            seconds = seconds_until(lambda mark=mark: not processes(mark), LEFT_SECONDS)
            left[kind].append(seconds)
            if seconds is None:
                wrong.append(
                    f"{mark}: processes left after a kill of {kind}: {sorted(processes(mark).values())}"
                )
            if memory := shared_memory() - before:
                wrong.append(
                    f"{mark}: shared memory left after a kill of {kind}: {sorted(memory)[:3]}"
                )
                before |= memory
            if process.returncode == 0:
                break
            text = folder.with_suffix(".txt").read_text()
            if "Traceback" in text:
                wrong.append(
                    f"{mark}: a traceback after a kill of {kind}: {text[text.index('Traceback') :][:1500]}"
                )
        ours, repeated = comparable(folder)
        if ours != theirs:
            wrong.append(f"{folder.name}: its records are not those of the study in peace")
        if repeated:
            wrong.append(f"{folder.name}: {repeated} trials ran to their end twice")
        print(f"{sum(done.values())} kills, {number} studies, {len(wrong)} wrong", flush=True)
    long = [own for own in states if len(own) >= 8]
    growth = [
        (own[-1][0] - own[len(own) // 2][0], own[-1][1] - own[len(own) // 2][1]) for own in long
    ]
    print(json.dumps({
        "kills": dict(done), "studies": number, "exit codes": {str(k): v for k, v in codes.items()},
        "seconds until no process was left": {k: round(max(filter(None, v), default=0), 1) for k, v in left.items() if v},
        "driver's resident memory, MB, most": round(max(s[0] for own in states for s in own)),
        "its growth over the second half of a run, MB, most": round(max((g[0] for g in growth), default=0)),
        "open files, most": max(s[1] for own in states for s in own),
        "their growth, most": max((g[1] for g in growth), default=0),
        "wrong": wrong,
    }, indent=1))  # fmt: skip
    shutil.rmtree(base, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 100,
            seed=int(sys.argv[2]) if len(sys.argv) > 2 else 1,
        )
    )
