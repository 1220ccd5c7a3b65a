"""Nothing listens beyond this machine: every listening socket of every process that a study starts is looked at while it runs."""

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import toy_run

from study.store.ledger import read_records

LISTEN = "0A"  # of the kernel's states
LOOPBACK = (
    "0100007F",
    "0000000000000000FFFF00000100007F",
    "00000000000000000000000001000000",
)  # 127.0.0.1, the same in IPv6, ::1


def ours(mark):
    """The processes that inherited the mark."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes():
                yield place
        except OSError:
            continue


def listening(mark):
    """Address, port and process of each socket on which these processes listen."""
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == LISTEN:
                sockets[f"socket:[{cells[9]}]"] = cells[1]
    for place in ours(mark):
        try:
            links = [os.readlink(file) for file in (place / "fd").iterdir()]
            name = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80]
        except OSError:
            continue
        for link in links:
            if link in sockets:
                address, port = sockets[link].split(":")
                yield address, int(port, 16), name


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_a_study_listens_on_loopback_alone(tmp_path, workers):
    name, value, folder = "STUDY_TEST_MARK", str(uuid.uuid4()), tmp_path / "results"
    mark = f"{name}={value}"
    process = toy_run.start(
        folder,
        {"workers": workers},
        {"sleep": 0.5},
        {},
        environment={name: value, "STUDY_DASHBOARD": "on"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen = set()
    try:
        deadline = time.monotonic() + 120
        while (
            len(read_records(folder)) < (4 if workers == 1 else 1) and time.monotonic() < deadline
        ):
            assert process.poll() is None
            seen |= set(listening(mark))
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert read_records(folder)
    assert len(seen) >= 8, "the dashboard, GCS, raylet and their agents listen"
    assert [(port, name) for address, port, name in seen if address not in LOOPBACK] == []


def test_rays_token_is_private(tmp_path, monkeypatch):
    from study.runner.cluster import restrict_token

    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o644)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    restrict_token()
    assert token.stat().st_mode & 0o777 == 0o600
