"""Where trials run: how many fit, and a cluster whose nodes come and go."""

import gc
import json
import re
import socket
import subprocess
import time
from collections import Counter
from types import SimpleNamespace

import pytest
import toy_run
from ray.cluster_utils import Cluster as Nodes
from waiting import wait_for

from study.design.record import final_records
from study.design.stages import is_finished
from study.errors import StudyError
from study.runner.cluster import (
    Cluster,
    TrialSlots,
    check_nodes,
    missing_packages,
    start_local_ray,
)
from study.store.ledger import read_records


def nodes(*resources):
    return lambda: [{"Alive": True, "Resources": has} for has in resources]


@pytest.mark.parametrize(
    ("has", "asked", "workers", "count", "request_"),
    [
        ([{"CPU": 4.0}], {}, 1, 4, {"cpu": 1, "gpu": 0.0}),
        ([{"CPU": 4.0}], {"cores": 3}, 1, 1, {"cpu": 3, "gpu": 0.0}),
        ([{"CPU": 16.0, "GPU": 1.0}], {}, 1, 1, {"cpu": 1, "gpu": 1.0}),
        ([{"CPU": 16.0, "GPU": 2.0}], {"gpus": 0.25}, 1, 8, {"cpu": 1, "gpu": 0.25}),
        ([{"CPU": 3.0, "GPU": 2.0}], {"gpus": 0.25}, 1, 3, {"cpu": 1, "gpu": 0.25}),
        ([{"CPU": 16.0, "GPU": 2.0}], {"gpus": 0.0}, 1, 16, {"cpu": 1, "gpu": 0.0}),
        ([{"CPU": 8.0}, {"CPU": 2.0, "GPU": 1.0}], {}, 1, 1, {"cpu": 1, "gpu": 1.0}),
        ([{"CPU": 3.0}, {"CPU": 3.0}], {"cores": 2}, 1, 2, {"cpu": 2, "gpu": 0.0}),
    ],
)
def test_trials_get_a_core_each_and_where_there_are_gpus_one_or_a_share(
    has, asked, workers, count, request_
):
    slots = TrialSlots(Cluster(**asked), workers, nodes(*has))
    slots.check()
    assert (slots.count(), slots.request) == (count, request_)


def test_workers_of_one_trial_may_lie_on_several_nodes():
    assert TrialSlots(Cluster(), 2, nodes({"CPU": 1.0}, {"CPU": 4.0})).count() == 2


@pytest.mark.parametrize(
    ("has", "asked", "workers", "sentence"),
    [
        (
            [{"CPU": 4.0}],
            {"gpus": 1.0},
            1,
            "a trial asks for 1 core and 1 GPU on one node, and the nodes have 4 cores and 0 GPUs",
        ),
        ([{"CPU": 2.0}, {"CPU": 2.0}], {"cores": 3}, 1, "a trial asks for 3 cores on one node"),
        ([{"CPU": 4.0, "GPU": 1.0}], {}, 2, "a trial of 2 workers asks for 1 core and 1 GPU each"),
        ([], {}, 1, "and the nodes have nothing"),
    ],
)
def test_a_trial_that_never_fits_is_refused_in_a_sentence(has, asked, workers, sentence):
    with pytest.raises(StudyError, match=sentence):
        TrialSlots(Cluster(**asked), workers, nodes(*has)).check()


def test_a_node_that_lacks_a_package_is_named_before_anything_runs(monkeypatch):
    assert missing_packages._function(["json", "no_such_package"]) == ["no_such_package"]
    answers = {"a": [], "b": ["timm", "numpy"]}
    alive = [
        {"Alive": True, "NodeID": one * 56, "NodeManagerAddress": f"10.0.0.{one}"} for one in "ab"
    ]
    gone = [{"Alive": False, "NodeID": "c", "NodeManagerAddress": "10.0.0.c"}]

    def options(num_cpus, scheduling_strategy):
        return SimpleNamespace(remote=lambda packages: answers[scheduling_strategy.node_id[0]])

    monkeypatch.setattr("ray.nodes", lambda: alive + gone)
    monkeypatch.setattr("ray.get", lambda answer, timeout: answer)
    monkeypatch.setattr("study.runner.cluster.missing_packages", SimpleNamespace(options=options))
    with pytest.raises(StudyError, match=r"10\.0\.0\.b lacks timm and numpy\. Install it there"):
        check_nodes(["timm", "numpy"])
    answers["b"] = []
    check_nodes(["timm", "numpy"])


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """While this file is there, trials stay in their first epoch."""
    file = tmp_path / "hold"
    file.touch()
    monkeypatch.setenv("TOY_HOLD", str(file))
    return file


@pytest.fixture
def cluster(monkeypatch, hold):
    """A head without cores for trials and one node with one, all on this machine."""
    monkeypatch.delenv("PYTHONPATH", raising=False)  # nodes get the program and the toy's module
    found = Nodes(initialize_head=True, head_node_args={"num_cpus": 0})
    found.add_node(num_cpus=1)
    yield found
    found.shutdown()
    for thing in gc.get_objects():  # Ray leaves sockets behind that it never bound
        if type(thing) is socket.socket and thing.fileno() >= 0 and thing.getsockname()[1:] == (0,):
            thing.close()


@pytest.mark.slow
def test_a_study_uses_a_node_that_is_added_and_survives_one_that_dies(toy, tmp_path, cluster, hold):
    folder = tmp_path / "results"
    sizes = {"search_trials": 3, "final_seeds": 2, "replica_seeds": 1, "confirm_seeds": 1}
    with open(tmp_path / "output", "w+") as output:
        options = {"address": cluster.address, "cpus": 0, "modules": ["toy"]}
        process = toy_run.start(folder, sizes, {}, options, stdout=output, stderr=subprocess.STDOUT)
        told = (tmp_path / "output").read_text
        try:
            wait_for(lambda: len(first_epochs(folder)) == 1, process, told)
            doomed = cluster.add_node(num_cpus=2)
            wait_for(lambda: len(first_epochs(folder)) == 3, process, told)
            cluster.remove_node(doomed, allow_graceful=False)
            killed = time.monotonic()
            wait_for(lambda: told().count("lost its process and goes on") == 2, process, told)
            print(f"the loss of a node was noticed after {time.monotonic() - killed:.1f} s")
            hold.unlink()
            assert process.wait(timeout=240) == 0, told()
        finally:
            process.kill()
            process.wait()
    plan, records = toy.plan(**sizes), read_records(folder)
    assert is_finished(plan, final_records(records))
    assert max(Counter(record.trial for record in records).values()) == 1
    assert {record.status for record in records} == {"finished"}
    lost = re.findall(r"^(\w+) lost its process", told(), re.MULTILINE)
    assert len(lost) == 2
    for trial in lost:
        lines = (folder / "trials" / trial / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines][-1] == 3


def first_epochs(folder):
    """What the trials have written of their epochs."""
    return list((folder / "trials").glob("*/metrics.jsonl"))


def test_where_home_keeps_ray_from_starting_the_sentence_names_it(monkeypatch):
    def refuse(**options):
        raise FileNotFoundError(2, "No such file or directory", "/nowhere/.ray")

    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(
        StudyError, match=r"/nowhere/\.ray cannot be used .* HOME and the temporary"
    ):
        start_local_ray(1, None)
