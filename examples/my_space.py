"""A question of your own: does momentum help gradient descent on a noisy regression?

    python run_study.py --space examples/my_space.py

Any Python file that holds a SPACE will do, wherever it lies. The training function is a plain
generator: it yields a row an epoch and returns the result. It knows nothing of studies, and here
nothing of torch either. Everything else comes with the study: equal budgets, fresh seeds, paired
intervals, resuming, the page.
"""

import json

import numpy as np

from study import Arm, Claim, LogRange, Metric, Profile, Space, from_function


def train(config, folder):
    """Linear regression by stochastic gradient descent; continues from its checkpoint."""
    draws = np.random.default_rng(config["seed"])
    x = draws.normal(size=(600, 20)) * np.logspace(0, -1.5, 20)  # badly scaled
    y = x @ draws.normal(size=20) + 0.1 * draws.normal(size=600)
    weights, velocity, curve = np.zeros(20), np.zeros(20), []
    checkpoint = folder / "checkpoint.json"
    if checkpoint.exists():
        *state, curve = json.loads(checkpoint.read_text())
        weights, velocity = map(np.array, state)
    yield from curve
    for epoch in range(len(curve) + 1, config["epochs"] + 1):
        order = np.random.default_rng([config["seed"], epoch]).permutation(400)
        for batch in order.reshape(-1, 20):
            gradient = x[batch].T @ (x[batch] @ weights - y[batch]) / 20
            velocity = config["momentum"] * velocity + gradient
            weights = weights - config["lr"] * velocity
        loss = float(np.mean((x[:400] @ weights - y[:400]) ** 2))
        curve.append({"epoch": epoch, "loss": loss})
        checkpoint.write_text(json.dumps([weights.tolist(), velocity.tolist(), curve]))
        yield curve[-1]
    part = slice(400, 500) if config["split"] == "validation" else slice(500, 600)
    error = float(np.sqrt(np.mean((x[part] @ weights - y[part]) ** 2)))
    return {"error": error}


RATES = LogRange(1e-3, 1.0)

SPACE = Space(
    name="momentum",
    question="Does momentum help gradient descent on a badly scaled regression?",
    scientific="method",
    reference="plain",
    arms=(
        Arm("plain", "Plain", {"momentum": 0.0}, {"lr": RATES}, {"lr": 0.1}),
        Arm("heavy", "Heavy ball", {"momentum": 0.9}, {"lr": RATES}, {"lr": 0.01}),
    ),
    fixed={},
    # points are chosen on one split and scored on another: some field has to tell the two apart
    stages={"search": {"split": "validation"}, "final": {"split": "test"}},
    metrics=(Metric("error", "error", "units", 1.0, higher_is_better=False, delta=0.02),),
    claims=(
        Claim(
            name="momentum",
            better="heavy",
            than="plain",
            metric="error",
            stage="final",
            role="primary",
            words="Momentum ends with a lower test error when each has its own learning rate",
        ),
    ),
    profiles={
        "quick": Profile(
            dataset="made-up numbers",
            values={"epochs": 8},
            searches=6,  # independent ones of each arm: what the arms are compared by
            search_trials=4,  # of each search
            added_trials=2,  # more where the best lies at an edge of its range
            final_seeds=1,  # fresh seeds on which each search's choice is scored
            note="a few milliseconds a trial",
        ),
    },
    trainer=from_function(
        train, defaults={"epochs": 8, "lr": 0.1, "momentum": 0.0, "split": "validation"}
    ),
)
