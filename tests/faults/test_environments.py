"""Odd machines: in each a whole small study ends as it should, or one sentence says why it cannot begin.

`make test-faults` runs them and prints the table; each takes some ten seconds.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from image_files import fill

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "study" / "toy.py"
STUDY = [
    sys.executable, str(ROOT / "run_study.py"), "--space", str(TOY), "--profile", "quick",
    "--trials", "2", "--seeds", "2",
]  # fmt: skip
# another user, who may read what this one may: Python often lies below root's home folder
READS = "+dac_read_search"
NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    f"--inh-caps={READS}",
    f"--ambient-caps={READS}",
]
MOUNTS = ["unshare", "--mount", "sh", "-c"]
pytestmark = pytest.mark.faults


def run(folder, words=(), *, before=(), env=None, without=(), seconds=150, **options):
    """A study in a folder of its own: exit code, output, errors."""
    environment = {k: v for k, v in os.environ.items() if k not in without} | (env or {})
    out = [] if "--out" in words else ["--out", str(folder / "study")]
    return subprocess.run(
        [*before, *STUDY, *out, *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, **options,
    )  # fmt: skip


def check_whole(done, folder):
    """Check that a study ran to its end, and left all that it should."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = (folder / "study" / "records.jsonl").read_text().splitlines()
    statuses = {json.loads(line)["status"] for line in lines}
    assert statuses == {"finished"} or statuses == {"finished", "diverged"}
    assert (folder / "study" / "report.html").exists()


def in_mount(command):
    """Words that run a study where a file system was mounted before, seen by it alone."""
    return [*MOUNTS, f'{command} && exec "$@"', "study"]


def need(*words):
    """Skip where a command cannot be run here."""
    if shutil.which(words[0]) is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip(f"{words[0]} cannot do that here")


@pytest.mark.parametrize(
    ("env", "without"),
    [
        ({}, ("HOME",)),
        ({"HOME": "/proc/nowhere/home"}, ()),
        ({"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, ()),
        ({"RAY_ADDRESS": "10.0.0.1:6379"}, ()),
        ({"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}, ()),
        ({"PYTHONPATH": "/proc/nowhere", "PYTHONSTARTUP": "/proc/nowhere.py"}, ()),
        ({"TZ": "Pacific/Kiritimati"}, ()),
        ({"TMPDIR": "/proc/nowhere"}, ()),
    ],
    ids=["HOME unset", "HOME nowhere", "LANG=C", "RAY_ADDRESS", "proxies", "PYTHONPATH", "TZ", "TMPDIR nowhere"],
)  # fmt: skip
def test_variables(env, without, tmp_path):
    done = run(tmp_path, env=env, without=without)
    if done.returncode == 2:
        assert done.stderr.count("\n") == 1
        assert "HOME" in done.stderr
        return
    check_whole(done, tmp_path)


def test_a_long_temporary_folder(tmp_path):
    place = tmp_path / ("t" * 150)
    place.mkdir()
    check_whole(run(tmp_path, env={"TMPDIR": str(place)}), tmp_path)


def test_ray_s_own_temporary_folder(tmp_path):
    with_short_name = Path("/tmp") / f"r{os.getpid()}"
    try:
        check_whole(run(tmp_path, env={"RAY_TMPDIR": str(with_short_name)}), tmp_path)
    finally:
        shutil.rmtree(with_short_name, ignore_errors=True)


def test_files_that_nobody_else_may_read(tmp_path):
    check_whole(run(tmp_path, before=["sh", "-c", 'umask 077; exec "$@"', "study"]), tmp_path)
    assert (tmp_path / "study" / "records.jsonl").stat().st_mode & 0o077 == 0


def test_another_user_than_root(tmp_path):
    need(
        *NOBODY,
        sys.executable,
        "-c",
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]; import study.api",
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    own = tmp_path / "own"
    own.mkdir()
    shutil.chown(own, 65534, 65534)
    check_whole(run(own, before=NOBODY, env={"HOME": str(own)}), own)


@pytest.mark.parametrize("ending", [">&- 2>&-", "> /dev/full 2>&1", "| true"])
def test_a_whole_study_whose_output_nobody_reads(ending, tmp_path):
    done = run(tmp_path, before=["bash", "-o", "pipefail", "-c", f'"$@" {ending}', "study"])
    check_whole(done, tmp_path)


def test_little_shared_memory(tmp_path):
    need(*MOUNTS, "mount -t tmpfs -o size=64M tmpfs /dev/shm")
    check_whole(
        run(tmp_path, before=in_mount("mount -t tmpfs -o size=64M tmpfs /dev/shm")), tmp_path
    )


def test_a_home_that_cannot_be_written(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    mount = f"mount -t tmpfs -o ro tmpfs {home}"
    need(*MOUNTS, mount)
    done = run(tmp_path, before=in_mount(mount), env={"HOME": str(home)})
    if done.returncode == 2:
        assert "HOME" in done.stderr
        assert done.stderr.count("\n") == 1
        return
    check_whole(done, tmp_path)


@pytest.mark.parametrize(
    ("controller", "file", "value"),
    [("cpu", "cpu.cfs_quota_us", "50000"), ("memory", "memory.limit_in_bytes", str(2 << 30))],
)
def test_half_a_core_or_two_gigabytes(controller, file, value, tmp_path):
    group = Path("/sys/fs/cgroup") / controller / f"study-{os.getpid()}"
    try:
        group.mkdir()
        (group / file).write_text(value)
    except OSError:
        pytest.skip("no control group can be made here")
    try:
        words = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        done = run(tmp_path, before=["sh", "-c", words, "study"], seconds=280)
        check_whole(done, tmp_path)
        if controller == "cpu":
            assert "1 at once" in done.stdout
    finally:
        for process in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(process)
        group.rmdir()


def test_two_studies_at_once(tmp_path):
    folders = [tmp_path / name for name in ("first", "second")]
    found = {}

    def run_in(folder):
        folder.mkdir()
        found[folder] = run(folder)

    threads = [threading.Thread(target=run_in, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for folder in folders:
        check_whole(found[folder], folder)


def test_a_database_that_a_dashboard_locks_for_half_a_minute(tmp_path):
    check_whole(run(tmp_path), tmp_path)
    lock = sqlite3.connect(tmp_path / "study" / "optuna.db", check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(30, lock.rollback)
    timer.start()
    begun = time.monotonic()
    done = run(tmp_path, ["--trials", "3"])
    timer.join()
    lock.close()
    check_whole(done, tmp_path)
    print(f"{time.monotonic() - begun:.0f} s while the database was locked for 30")
    assert not list((tmp_path / "study").glob("*damaged*"))


def test_a_clock_that_was_set_back(tmp_path):
    """The study seems to have been begun, and to have run, in the year 2099."""
    check_whole(run(tmp_path), tmp_path)
    file = tmp_path / "study" / "study.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps({**values, "created": "2099-01-01T00:00:00Z"}))
    done = run(tmp_path, ["--seeds", "3"])
    check_whole(done, tmp_path)


SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "geheim-aws",
    "WANDB_API_KEY": "geheim-wandb",
    "MLFLOW_TRACKING_PASSWORD": "geheim-mlflow",
    "HF_TOKEN": "geheim-hf",
}


def files_with(word, *folders):
    """The files below folders that hold a word, also as UTF-16, or are named so."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if word in path.name:
                found.append(path)
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += (
                    [path]
                    if word.encode() in content or word.encode("utf-16-le") in content
                    else []
                )
    return [path.relative_to(folder.parent).as_posix() for path in found]


def test_no_secret_and_no_home_folder_stands_in_any_file(tmp_path):
    """A study, its exports and a single run of a user whose home folder and environment are full of secrets."""
    home = tmp_path / "geheim-home"
    shared = tmp_path / "temporary"
    for folder in (home, shared):
        folder.mkdir()
    env = {
        **SECRETS,
        "HOME": str(home),
        "TMPDIR": str(shared),
        "USER": "geheim-user",
        "LOGNAME": "geheim-user",
    }
    space = home / "mine.py"
    space.write_text(
        f"import sys\nsys.path.insert(0, {str(TOY.parent)!r})\nfrom toy import SPACE\n"
    )
    words = ["--space", str(space), "--out", str(home / "out"), "--set", "sleep=0.01"]
    assert run(tmp_path, words, env=env).returncode == 0
    for more in (["--verify"], ["--export", "latex", str(home / "out" / "paper")], ["--report"]):
        command = [sys.executable, str(ROOT / "run_study.py"), "--out", str(home / "out"), *more]
        assert subprocess.run(command, env={**os.environ, **env}, cwd=tmp_path).returncode == 0
    photos = home / "photos"
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            fill(photos / split / name)
    single = [
        sys.executable,
        "-m",
        "moco",
        "--dataset",
        str(photos),
        "--image-size",
        "8",
        "--width",
        "0.0625",
    ]
    single += ["--batch-size", "16", "--queue-size", "32", "--epochs", "1", "--probe-epochs", "1"]
    single += ["--out", str(home / "run"), "--data-dir", str(home / "data")]
    assert subprocess.run(single, env={**os.environ, **env}, cwd=ROOT).returncode == 0
    folders = (home / "out", home / "run", home / "data", shared)
    # torch itself names its cache in the temporary folder so
    assert files_with("geheim", *folders) in ([], ["temporary/torchinductor_geheim-user"])
