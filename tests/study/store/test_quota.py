"""The cores that a container may use, as the kernel's control groups say."""

import math

import pytest

from study.store.environment import core_quota, cores


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "400000 100000\n"}, 4.0),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu.max": "what\n"}, math.inf),
        ({"own": "0::/user/job\n", "user/cpu.max": "150000 100000\n", "user/job/cpu.max": "max 100000\n"}, 1.5),
        ({"own": "3:cpu,cpuacct:/job\n0::/\n", "cpu/job/cpu.cfs_quota_us": "50000\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"own": "1:memory:/job\n", "memory/job/cpu.max": "1 100\n"}, math.inf),
        ({}, math.inf),
    ],
)  # fmt: skip
def test_the_quota_of_this_process_or_its_container_is_read_from_either_version(
    tmp_path, files, quota
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert core_quota(tmp_path, tmp_path / "own") == quota


@pytest.mark.parametrize(("quota", "count"), [(0.5, 1), (1.5, 2), (4.0, 4), (math.inf, 64)])
def test_no_more_cores_than_the_quota_and_never_none(monkeypatch, quota, count):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(64))
    monkeypatch.setattr("study.store.environment.core_quota", lambda root, own: quota)
    assert cores() == count
