"""Code of one's own by its name: an optimizer is an arm, its source a part of what was run."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import run_study
from moco import __main__
from moco.config import Config
from moco.model.batch_norm import SplitBatchNorm2d
from moco.model.encoder import build_encoder
from moco.model.own_encoder import adapt_layers
from moco.own_code import hash_sources, import_named, pack_sources, read_sources, use_own_code
from moco.training.optimizers import build_optimizer, decayed_parameters, optimizer_spec

ROOT = Path(__file__).parents[2]
SOURCE = '''
import torch


class Signed(torch.optim.Optimizer):
    """The gradient's sign."""

    def __init__(self, params, lr=1e-3, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.grad.sign())


class Bare(torch.optim.SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr)


class Raises(torch.optim.SGD):
    def step(self, closure=None):
        raise RuntimeError("boom")


class Leaves(torch.optim.SGD):
    def step(self, closure=None):
        raise SystemExit(0)


class Rateless(torch.optim.SGD):
    def __init__(self, params):
        super().__init__(params, 1.0)


def plain():
    pass


class Small(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.convolution = torch.nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8, eps=0.5)
        self.feature_size = 8

    def forward(self, images):
        return self.norm(self.convolution(images)).mean((2, 3))


def silent(channels):
    return torch.nn.Flatten()


class Pair(Small):
    def forward(self, images):
        return super().forward(images), None


def leaves(channels):
    raise SystemExit


def wrong(channels):
    encoder = Small(channels)
    encoder.feature_size = 9
    return encoder
'''


@pytest.fixture
def own(tmp_path, monkeypatch, request):
    """The name of a module of one's own in the working folder; each test has another."""
    name = f"own_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield name
    sys.modules.pop(name, None)


def test_an_optimizer_of_ones_own_is_built_with_what_its_class_takes(own):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    config = Config(optimizer=f"{own}:Signed", lr=0.5, weight_decay=0.25)
    optimizer = build_optimizer(config, model)
    assert type(optimizer).__name__ == "Signed"
    assert [(g["lr"], g["weight_decay"]) for g in optimizer.param_groups] == [(0.5, 0.25)] * 2
    assert (optimizer_spec(config.optimizer).default_lr, decayed_parameters(config)) == (
        1e-3,
        "all",
    )
    bare = build_optimizer(Config(optimizer=f"{own}:Bare", lr=0.5), model)
    assert [g["weight_decay"] for g in bare.param_groups] == [0, 0]
    assert optimizer_spec(f"{own}:Bare").decay == "none"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{own}:Nothing", "must name an object of .*; it has no 'Nothing'"),
        ("nowhere_at_all:Mine", "the module cannot be imported \\(ModuleNotFoundError"),
        ("{own}:plain", "must be a torch.optim.Optimizer; got <function"),
        ("{own}:Rateless", "must take lr; it takes params"),
    ],
)
def test_what_is_no_optimizer_is_a_sentence(own, name, sentence):
    with pytest.raises(ValueError, match=sentence):
        optimizer_spec(name.format(own=own))


def test_an_encoder_of_ones_own_has_our_batch_norm_and_its_own_state(own):
    encoder = build_encoder(Config(encoder=f"{own}:Small", batch_norm_splits=4, batch_size=16), 3)
    assert isinstance(encoder.backbone.norm, SplitBatchNorm2d)
    assert (encoder.backbone.norm.splits, encoder.backbone.norm.eps) == (4, 0.5)
    assert encoder(torch.rand(16, 3, 10, 12)).shape == (16, 128)
    plain = import_named(f"{own}:Small")(3)
    assert plain.state_dict().keys() == encoder.backbone.state_dict().keys()


def test_timms_batch_norm_with_activation_is_ours_and_computes_the_same(tmp_path):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model("mobilenetv3_small_050", num_classes=0, in_chans=3)
    ours = adapt_layers(copy.deepcopy(theirs), lambda channels: SplitBatchNorm2d(channels, 1))
    kinds = {type(one).__name__ for one in ours.modules() if isinstance(one, nn.BatchNorm2d)}
    assert kinds == {"SplitBatchNorm2d"}
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    images = torch.rand(4, 3, 32, 32)
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{own}:silent", "must say how many features it has, as feature_size; got None"),
        ("{own}:plain", "must be a function of the number of channels; it failed .TypeError"),
        ("{own}:Signed", "must be a function of the number of channels; it failed"),
        ("timm:resnot18", "must name a model of timm; there is none .resn"),
        ("{own}:Pair", "must return features as one tensor; got tuple"),
        ("{own}:leaves", r"must be a function of the number of channels; it failed \(SystemExit\)"),
        ("{own}:wrong", "must give .9,. features an image; got .8,."),
    ],
)
def test_what_is_no_encoder_is_a_sentence(own, name, sentence, tmp_path, capsys):
    words = ["--dataset", "digits", "--encoder", name.format(own=own), "--data-dir", str(tmp_path)]
    assert __main__.main(words) == 2
    assert re.search(sentence, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "words"), [("Raises", "RuntimeError: boom"), ("Leaves", "SystemExit: 0")]
)
def test_an_optimizer_that_fails_in_training_ends_in_a_sentence(own, name, words, tmp_path, capsys):
    short = ["--image-size=8", "--epochs=1", "--train-images=64", "--batch-size=32"]
    short += ["--queue-size=32"]
    place = ["--width=0.0625", "--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    assert __main__.main(["--optimizer", f"{own}:{name}", *short, *place]) == 1
    said = capsys.readouterr().err
    assert f"{own}:{name} failed in training: {words} ({own}.py, line" in said


@pytest.mark.parametrize(
    "name", ["{own}:Small", "timm:vit_tiny_patch16_224", "timm:mobilenetv3_small_050"]
)
def test_a_further_encoder_is_pretrained_probed_and_saved(own, name, tmp_path, capsys):
    words = ["--dataset", "shapes", "--image-size", "32", "--encoder", name.format(own=own)]
    short = [
        "--epochs",
        "1",
        "--train-images",
        "64",
        "--batch-size",
        "32",
        "--queue-size",
        "32",
        "--probe-epochs",
        "2",
    ]
    place = ["--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    assert __main__.main([*words, *short, *place]) == 0
    out = capsys.readouterr().out
    assert f"Encoder: {name.format(own=own)}, " in out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert 0 < result["probe_accuracy"] < 1
    state = torch.load(tmp_path / "run" / "encoder.pt")
    backbone = build_encoder(Config(encoder=name.format(own=own), image_size=32), 3).backbone
    backbone.load_state_dict(state)


def test_the_hash_is_of_the_source_and_of_a_whole_package(own, tmp_path):
    package = tmp_path / f"{own}_package"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "__init__.py").write_text("from .. import helper\nmine = helper.value\n")
    (package / "helper.py").write_text("value = 3\n")
    assert import_named(f"{package.name}.deep:mine") == 3
    sources = read_sources([f"{package.name}.deep:mine"])
    assert set(sources) == {
        f"{package.name}/{n}.py" for n in ("__init__", "deep/__init__", "helper")
    }
    before = hash_sources(sources)
    (package / "helper.py").write_text("value = 4\n")
    assert hash_sources(read_sources([f"{package.name}.deep:mine"])) != before
    assert hash_sources({}) == ""


def test_another_process_imports_the_code_from_its_archive_and_from_nowhere_else(own, tmp_path):
    sources = read_sources([f"{own}:Signed"])
    archive = pack_sources(sources, tmp_path / "data")
    assert archive.read_bytes() == pack_sources(sources, tmp_path / "again").read_bytes()
    sha256 = hash_sources(sources)
    code = (
        "from pathlib import Path; from moco.config import Config; from moco import own_code\n"
        f"config = Config(optimizer='{own}:Signed', code_sha256='{sha256}')\n"
        f"own_code.use_own_code(config, {{own_code.code_key(config.code_sha256): Path({str(archive)!r})}})\n"
        f"print(own_code.import_named('{own}:Signed').__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == own, done.stderr
    archive.write_bytes(pack_sources({**sources, "more.py": b""}, tmp_path / "other").read_bytes())
    changed = Config(optimizer=f"{own}:Signed", code_sha256=sha256)
    with pytest.raises(ValueError, match="must hold the code of the trial; it was changed"):
        use_own_code(changed, {f"code_{sha256[:12]}": archive})


def plan(own, folder, *words):
    """The exit code of a plan with an optimizer of one's own, left in a folder."""
    sizes = ["--profile", "quick", "--set", "batch_size=16", "--set", "queue_size=32"]
    place = [
        "--dataset",
        "digits",
        "--data-dir",
        str(folder / "data"),
        "--out",
        str(folder / "study"),
    ]
    arms = ["--set", f"arms=sgd,rmsprop,{own}:Signed", "--plan"]
    return run_study.main(["--space", "optimizers", *sizes, *place, *arms, *words])


def test_it_becomes_an_arm_and_changed_code_is_another_study(own, tmp_path, capsys):
    wide = ["--range", f"{own}:Signed=1e-5..1e-2"]
    assert plan(own, tmp_path, *wide) == 0
    text = capsys.readouterr().out
    assert "Signed     lr 1e-5 to 0.01" in text
    assert "family     Signed reaches a higher probe accuracy than SGD" in text
    trials = [
        json.loads(line) for line in (tmp_path / "study" / "trials.jsonl").read_text().splitlines()
    ]
    ours = [trial["config"] for trial in trials if trial["arm"] == "signed"]
    assert len(ours) == 6 * 3 + 1  # the searches, and the default beside them
    sha256 = hash_sources(read_sources([f"{own}:Signed"]))
    assert {config["code_sha256"] for config in ours} == {sha256}
    (tmp_path / "study" / "records.jsonl").write_text("")  # as if it had begun
    (tmp_path / f"{own}.py").write_text(SOURCE.replace("p.grad.sign()", "2 * p.grad.sign()"))
    assert plan(own, tmp_path, *wide) == 2
    assert f'found.signed.code_sha256 was "{sha256[:50]}' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "add --range {own}:Signed=LOW..HIGH"),
        (["--range", "{own}:Signed=1..0.1"], "--range takes NAME=LOW..HIGH; got '{own}:Signed=1..0.1'"),
        (["--range", "{own}:Signed=1"], "(it has another form)"),
        (["--range", "{own}:Signed=1..inf"], "(its end is not finite)"),
        (["--range", "{own}:Signed=0.1..1", "--range", "{own}:Signed=0.1..1"], "takes each arm once"),
        (["--range", "{own}:Signed=0.1..1", "--range", "lion=0.1..1"], "sgd, rmsprop, signed; got 'lion'"),
    ],
)  # fmt: skip
def test_a_range_that_is_missing_or_wrong_is_a_sentence(own, words, sentence, tmp_path, capsys):
    assert plan(own, tmp_path, *(word.format(own=own) for word in words)) == 2
    assert sentence.format(own=own) in capsys.readouterr().err


def test_an_arm_of_the_space_may_be_searched_over_another_range(own, tmp_path, capsys):
    assert plan(own, tmp_path, "--range", f"{own}:Signed=0.1..1", "--range", "sgd=0.01..0.5") == 0
    assert "SGD        lr 0.01 to 0.5" in capsys.readouterr().out
