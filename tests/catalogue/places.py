"""What lies in the current folder before a row's command: each place is a function that makes it.

"base" has what takes long to make, once for all rows: a finished toy study, its trials, a trained run.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from image_files import fill, fill_splits, fill_table, save_arrays
from PIL import Image

STUDY_TESTS = Path(__file__).parents[1] / "study"
SPACE_FILE = """
from dataclasses import replace
import sys
sys.path.insert(0, {folder!r})
from toy import SPACE
{change}
"""


def write_space(name, change):
    Path(f"{name}.py").write_text(SPACE_FILE.format(folder=str(STUDY_TESTS), change=change))


def spaces(base):
    """Space files of which each has one mistake."""
    Path("number.py").write_text("SPACE = 1")
    Path("empty.py").write_text("")
    Path("syntax.py").write_text("SPACE = (")
    Path("far.py").write_text("import nowhere_at_all")
    Path("raises.py").write_text("raise RuntimeError('one\\ntwo')")
    Path("binary.py").write_bytes(b"\0\xff")
    Path("folder.py").mkdir()
    os.mkfifo("pipe.py")
    write_space("good", "")
    write_space("json", "")
    write_space("numpy", "")
    write_space("ends", "sys.exit('bye')")
    write_space("bare", "SPACE = replace(SPACE, trainer=print)")
    write_space("open", "SPACE = replace(SPACE, stages={})")
    write_space("comma", "SPACE = replace(SPACE, claims=SPACE.claims[0])")
    write_space("twice", "SPACE = replace(SPACE, reference='rad')")
    write_space("named", "SPACE = replace(SPACE, arms=(replace(SPACE.arms[0], name='a b'),))")
    write_space("armless", "SPACE = replace(SPACE, arms=())")
    write_space("profileless", "SPACE = replace(SPACE, profiles={})")


def configs(base):
    """Options as TOML files."""
    for name, text in {
        "torn": "space = ", "unknown": "spaec = 'x'", "words": "words = 'x'", "config": "config = 'x'",
        "table": "seeds = {a = 1}", "true": "seeds = true", "fraction": "seeds = 3.0",
        "list": "profile = ['quick', 'small']", "flag": "plan = 1", "hours": "max_hours = 'x'",
        "blank": "dataset = ''", "nul": 'out = "a\\u0000b"', "set": "set = 3",
        "inner": "[set]\nepochs = [1]", "range": "[range]\nsgd = 3", "huge": "seeds = 1" + "0" * 400,
        "deep": "x = " + "[" * 5000,
    }.items():  # fmt: skip
        Path(f"{name}.toml").write_text(text)
    Path("binary.toml").write_bytes(b"\xff\xfe\0")
    os.mkfifo("pipe.toml")


def photos(base):
    """Folders of images that are whole, and those that are not."""
    shutil.copytree(base / "photos", ".", symlinks=True, dirs_exist_ok=True)
    os.mkfifo("pipe")


def make_photos():
    fill_splits(Path("good"), "train", "test")
    fill_splits(Path("testless"), "test")
    fill_splits(Path("doubled"), "train", "val", "valid", "test")
    Path("bare").mkdir()
    fill(Path("single") / "train" / "cat")
    fill(Path("single") / "test" / "cat")
    for name, count in (("a", 40), ("b", 2)):
        fill(Path("few") / name, count)
    fill_table(Path("column"), "labels.csv", ("file", "kind", ""))
    fill_table(Path("split"), "labels.csv", ("file", "label", "split"), splits=("train", "heldout"))
    fill_table(Path("gone"), "labels.csv", ("file", "label", ""))
    (Path("gone") / "7.png").unlink()
    for name, text in {
        "outside": "file,label\n../x.png,a\n0.png,b\n",
        "again": "file,label\n0.png,a\n0.png,b\n",
        "headless": "",
        "ragged": "file,label\n0.png,a,b,c\n",
    }.items():
        fill(Path(name), 4)
        (Path(name) / "labels.csv").write_text(text)
    fill(Path("lines"), 4)
    (Path("lines") / "metadata.jsonl").write_text("[1]\n")
    fill_splits(Path("eps"), "train", "test")
    (Path("eps") / "train" / "cat" / "0.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    )
    fill_splits(Path("phone"), "train", "test")
    (Path("phone") / "train" / "cat" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    fill_splits(Path("cut"), "train", "test")
    png = (Path("cut") / "train" / "cat" / "0.png").read_bytes()
    (Path("cut") / "train" / "cat" / "0.png").write_bytes(png[:60])
    fill_splits(Path("long"), "train", "test")
    Image.new("L", (60_000, 1)).save(Path("long") / "train" / "cat" / "long.png")
    fill_splits(Path("extra"), "train", "test")
    fill(Path("extra") / "test" / "mouse")
    Path("linked").mkdir()
    for split in ("train", "test"):
        (Path("linked") / split).symlink_to("/proc/nowhere")
    Path("file.txt").write_text("no images")


def arrays(base):
    """Files of arrays."""
    save_arrays(Path("good"))
    save_arrays(Path("floats"), train_images=np.zeros((80, 8, 8)))
    save_arrays(Path("rows"), test_labels=np.zeros((80, 3), int))
    save_arrays(Path("objects"), train_labels=np.array([{}] * 80))
    save_arrays(Path("short"), train_labels=np.zeros(7, int))
    save_arrays(Path("negative"), train_labels=np.arange(80) % 2 - 1)
    save_arrays(Path("unequal"), test_images=np.zeros((80, 9, 9, 3), np.uint8))
    np.savez("none.npz", x=np.zeros(3))
    Path("torn.npz").write_bytes(Path("good.npz").read_bytes()[:500])
    Path("text.npz").write_text("no arrays")
    Path("folder.npz").mkdir()
    os.mkfifo("pipe.npz")


def functions(base):
    """Datasets, optimizers and encoders as a user's own code."""
    Path("mine.py").write_text("""
import numpy as np
import torch

images = np.random.default_rng(0).integers(0, 255, (80, 14, 12, 3)).astype(np.uint8)
labels = np.arange(80) % 2
number = 3

def far(): return images, labels + 1, ["cat", "dog"]
def broken(): raise OSError("the disk is gone")
def nothing(): return images
def leaves(): raise SystemExit("two\\nlines")
def one_class(): return images, labels * 0, None
def flat(): return images[:, :0], labels, ["cat", "dog"]
def word(): return images, labels, "abcd"
def twice(): return images, labels, ["cat", "cat"]
def takes(root): return images, labels, ["cat", "dog"]
def small(): return images, labels, ["cat", "dog"]

def bytes_names(): return images, labels, [b"cat", b"dog"]
def huge(): return images, labels.astype(np.uint64) + np.uint64(2**63), None
def brain_floats(): return torch.zeros(80, 8, 8, 3, dtype=torch.bfloat16), labels, None

class NoOptimizer: pass
class Failing(torch.optim.SGD):
    def __init__(self, params, lr): raise RuntimeError("not today")
class Encoder(torch.nn.Module):
    def __init__(self, channels): super().__init__()
class Tuple(Encoder):
    def forward(self, x): return x, x
class Flat(Encoder):
    def forward(self, x): return x.sum()
""")


def weights(base):
    """Files that --weights may name, of which none can serve."""
    import torch

    Path("text.pt").write_text("no weights")
    Path("empty.pt").touch()
    Path("folder.pt").mkdir()
    os.mkfifo("pipe.pt")
    Path("zero.pt").symlink_to("/dev/zero")
    torch.save([1, 2], "list.pt")
    torch.save({"a": torch.ones(3)}, "other.pt")
    torch.save({"layer1.0.conv1.weight": torch.ones(2, 2, 2, 2, 2)}, "shape.pt")
    torch.save({"a": Trap()}, "trap.pt")
    Path("text.safetensors").write_text("no weights")


class Trap:
    """A pickle that would leave a file."""

    def __reduce__(self):
        return Path("trapped").touch, ()


def changed(base):
    """A study of which a record was changed afterwards."""
    shutil.copytree(base / "study", "changed")
    file = Path("changed") / "records.jsonl"
    file.write_text(file.read_text().replace('"score": 0.', '"score": 0.1', 1))


def study(base):
    """A finished toy study."""
    shutil.copytree(base / "study", "done")


def edit_json(file, change):
    values = json.loads(Path(file).read_text())
    change(values)
    Path(file).write_text(json.dumps(values))


def damaged(base):
    """Copies of the study that lack, hide or replace one thing, each named for it."""

    def copy(name):
        shutil.copytree(base / "study", name)
        return Path(name)

    (copy("planless") / "study.json").unlink()
    (copy("recordless") / "records.jsonl").unlink()
    (copy("torn-plan") / "study.json").write_text("{")
    (copy("deep-plan") / "study.json").write_text("[" * 100_000)
    (copy("empty-plan") / "study.json").write_text("{}")
    binary = copy("binary-plan") / "study.json"
    binary.write_bytes(b"\xff\xfe\0")
    edit_json(copy("new-plan") / "study.json", lambda v: v.update(schema="99.0"))
    edit_json(copy("armless-plan") / "study.json", lambda v: v["plan"]["space"].update(arms=[]))
    edit_json(copy("typed-plan") / "study.json", lambda v: v["plan"].update(base=3))
    edit_json(
        copy("script-plan") / "study.json",
        lambda v: v["plan"]["space"]["arms"][0].update(name="</style><script>"),
    )
    edit_json(copy("worded-command") / "study.json", lambda v: v.update(command=3))
    edit_json(copy("changes") / "study.json", lambda v: v.update(changes=[3]))
    for name in ("study.json", "records.jsonl"):
        folder = copy(f"folder-{name}")
        (folder / name).unlink()
        (folder / name).mkdir()
        folder = copy(f"pipe-{name}")
        (folder / name).unlink()
        os.mkfifo(folder / name)
    folder = copy("folder-lock")
    shutil.rmtree(folder / ".lock", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    (folder / ".lock").mkdir()
    folder = copy("file-trials")
    shutil.rmtree(folder / "trials", ignore_errors=True)
    (folder / "trials").touch()
    folder = copy("folder-page")
    shutil.rmtree(folder / "report.html", ignore_errors=True)
    (folder / "report.html").unlink(missing_ok=True)
    (folder / "report.html").mkdir()
    for name, change in {
        "typed-record": {"arm": 7}, "staged-record": {"stage": "nope"}, "pointed-record": {"point": {"lr": ["x"]}},
        "infinite-record": {"seconds": 1e400}, "timed-record": {"ended": "yesterday"}, "curved-record": {"curve": [{"epoch": 1, "loss": 10**400}]},
        "foreign-record": {"arm": "rmsprop"}, "half-record": {"commit": "\ud800"}, "chained-record": {"chain": {"plan": "p"}},
        "statused-record": {"status": "splendid"}, "resulted-record": {"result": {"score": "good"}},
    }.items():  # fmt: skip
        file = copy(name) / "records.jsonl"
        lines = file.read_text().splitlines()
        lines[4] = json.dumps({**json.loads(lines[4]), **change})
        file.write_text("\n".join(lines) + "\n")
    file = copy("listed-record") / "records.jsonl"
    file.write_text("[1]\n" + file.read_text())
    file = copy("binary-record") / "records.jsonl"
    file.write_bytes(b"\xff\0\n" + file.read_bytes())
    file = copy("returned-record") / "records.jsonl"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r"))
    file = copy("changed-record") / "records.jsonl"
    file.write_text(file.read_text().replace('"score": 0.', '"score": 0.1', 1))
    file = copy("shortened") / "records.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))


def outs(base):
    """Places that --out may name."""
    Path("file").write_text("mine")
    Path("holiday").mkdir()
    Path("holiday", "a.jpg").touch()
    Path("dangling").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")


def trials(base):
    """Files of trials and of records that ran elsewhere."""
    shutil.copy(base / "trials.jsonl", "good.jsonl")
    line = json.loads(Path("good.jsonl").read_text().splitlines()[0])
    for name, change in {
        "spaced": {"space": "nope"}, "named": {"trial": "../up"}, "configured": {"config": {"nope": 1}},
        "typed": {"config": 3}, "seeded": {"seed": "x"},
    }.items():  # fmt: skip
        Path(f"{name}.jsonl").write_text(json.dumps({**line, **change}) + "\n")
    Path("torn.jsonl").write_text('{"trial": "a')
    Path("list.jsonl").write_text("[1]\n")
    Path("binary.jsonl").write_bytes(b"\xff\0\n")
    Path("empty.jsonl").touch()
    Path("folder.jsonl").mkdir()
    os.mkfifo("piped.jsonl")
    shutil.copy(base / "study" / "records.jsonl", "records.jsonl")


def runs(base):
    """Tables of runs to judge."""
    import sqlite3

    draws = np.random.default_rng(0)
    rows = [
        {"optimizer": name, "seed": seed, "accuracy": 0.6 + 0.01 * draws.normal()}
        for name in ("sgd", "adam", "rmsprop")
        for seed in range(10)
    ]
    frame = pd.DataFrame(rows)
    frame.to_csv("runs.csv", index=False)
    frame.iloc[:0].to_csv("empty.csv", index=False)
    more = frame.iloc[[12]].assign(accuracy=0.5)
    pd.concat([frame, more], ignore_index=True).to_csv("conflict.csv", index=False)
    frame.assign(accuracy="good").to_csv("words.csv", index=False)
    frame.assign(accuracy=np.nan).to_csv("gaps.csv", index=False)
    frame.assign(optimizer="sgd").to_csv("alone.csv", index=False)
    frame.head(1).to_csv("one.csv", index=False)
    Path("double.csv").write_text("optimizer,seed,accuracy,accuracy\nsgd,0,1,2\n")
    Path("commas.csv").write_text("optimizer;seed;accuracy\nsgd;0;0,80\nadam;0;0,81\n")
    Path("endless.csv").write_text("optimizer,seed,accuracy\n" + f"sgd,0,1{'0' * 400}\n" * 2)
    Path("runs.txt").write_text("no table")
    Path("blank.csv").touch()
    Path("latin.csv").write_bytes("optimizer,accuracy\nä,1\n".encode("latin-1"))
    Path("torn.parquet").write_bytes(b"PAR1")
    Path("torn.jsonl").write_text('{"a": ')
    Path("folder").mkdir()
    Path("events").mkdir()
    Path("events", "a.tfevents.1").write_bytes(bytes(range(256)) * 4)
    Path("damaged.db").write_bytes(b"no database" * 100)
    other = sqlite3.connect("other.db")
    other.execute("create table x(a)")
    other.close()
    os.mkfifo("pipe.csv")


def run(base):
    """A finished run of python -m moco, and folders that are none."""
    shutil.copytree(base / "run", "run")
    for name, content in (("torn", "{"), ("listed", "[]"), ("blank", "")):
        shutil.copytree("run", name)
        Path(name, "config.json").write_text(content)
    for name, file in (("piped", "checkpoint.pt"), ("foldered", "checkpoint.pt")):
        shutil.copytree("run", name)
        Path(name, file).unlink()
        os.mkfifo(Path(name, file)) if name == "piped" else Path(name, file).mkdir()
    shutil.copytree("run", "bare")
    Path("bare", "encoder.pt").unlink()
    shutil.copytree("run", "cut")
    Path("cut", "checkpoint.pt").write_bytes(b"cut")
    Path("file").write_text("mine")


PLACES = {
    place.__name__: place
    for place in (spaces, configs, photos, arrays, functions, weights, study, changed, damaged, outs, trials, runs, run)
}  # fmt: skip
