"""A training loop of another library: does SimCLR need a low temperature on small images?

    pip install lightly
    python run_study.py --space examples/own_loop.py --dataset digits

SimCLR (Chen et al. 2020) is built from lightly's parts. The loop knows nothing of studies: it takes
the fields of a trial, its folder and the cached images, yields a row an epoch and returns a result.
"""

import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from sklearn.linear_model import LogisticRegression
from torch.nn import AdaptiveAvgPool2d, Conv2d, Flatten, ReLU, Sequential
from torchvision.transforms import v2

from moco.evaluation.correct_items import pack_correct
from moco.trainer.images import IMAGE_FIELDS, find_images, load_images
from study import Arm, Claim, LogRange, Metric, Profile, Space, from_function


def train(config, folder, cached):
    """SimCLR, then logistic regression on the frozen features."""
    images, scored = load_images(config, cached)  # bytes (N, C, H, W), labels (N,)
    x = images.images / 255
    size, channels = x.shape[-1], x.shape[1]
    views = v2.Compose([v2.RandomResizedCrop(size, (0.5, 1.0)), v2.RandomAffine(20, (0.1, 0.1))])
    torch.manual_seed(config["seed"])
    backbone = Sequential(
        Conv2d(channels, 32, 3, 2, 1), ReLU(), Conv2d(32, 64, 3, 2, 1), ReLU(),
        AdaptiveAvgPool2d(2), Flatten(),
    )  # fmt: skip
    model = Sequential(backbone, SimCLRProjectionHead(256, 256, 64))
    criterion = NTXentLoss(config["temperature"])
    optimizer = torch.optim.Adam(model.parameters(), config["lr"])
    checkpoint, curve = folder / "checkpoint.pt", []
    if checkpoint.exists():
        *states, curve, rng = torch.load(checkpoint)
        model.load_state_dict(states[0]), optimizer.load_state_dict(states[1])
        torch.set_rng_state(rng)
    yield from curve
    for epoch in range(len(curve) + 1, config["epochs"] + 1):
        losses = []
        for batch in x[torch.randperm(len(x))].split(128):
            pair = [model(torch.stack([views(image) for image in batch])) for _ in range(2)]
            losses.append(criterion(*pair))
            optimizer.zero_grad(), losses[-1].backward(), optimizer.step()
        curve.append({"epoch": epoch, "loss": torch.stack(losses).mean().item()})
        states = model.state_dict(), optimizer.state_dict()
        torch.save([*states, curve, torch.get_rng_state()], checkpoint)
        yield curve[-1]
    with torch.no_grad():
        seen, asked = backbone(x).numpy(), backbone(scored.images / 255).numpy()
    probe = LogisticRegression(max_iter=1000).fit(seen, images.labels)
    correct = torch.from_numpy(probe.predict(asked)) == scored.labels
    return {"accuracy": correct.float().mean().item(), "correct": pack_correct(correct)}


FIELDS = {**IMAGE_FIELDS, "image_size": 16, "epochs": 3, "lr": 1e-3, "temperature": 0.5}
RATES, USUAL = {"lr": LogRange(1e-3, 1.0)}, {"lr": 1e-2}
ARMS = (
    Arm("high", "Temperature 0.5", {"temperature": 0.5}, RATES, USUAL),
    Arm("low", "Temperature 0.1", {"temperature": 0.1}, RATES, USUAL),
)
LOW_WINS = "A temperature of 0.1 gives a higher accuracy than 0.5"

SPACE = Space(
    name="temperature",
    question="Does SimCLR need a low temperature on small images?",
    scientific="temperature",
    reference="high",
    arms=ARMS,
    fixed={},
    stages={"search": {"score_split": "validation"}, "final": {"score_split": "test"}},
    metrics=(Metric("accuracy", "accuracy", "points", 100.0, True, 0.5, True, "correct"),),
    claims=(Claim("low", "low", "high", "accuracy", "final", "primary", LOW_WINS),),
    profiles={"quick": Profile("digits", {}, searches=6, search_trials=3, final_seeds=1)},
    trainer=from_function(train, FIELDS, find_data=find_images),
)  # fmt: skip
