"""The sizes, stages and metrics that spaces share. A profile's values are its own where a space says so."""

from typing import Any

from moco.training.diagnostics import COLLAPSED_RANK
from study.design.space import Arm, Metric

# quick and small as `python -m benchmarks regimes` found them: where pretraining gains most for a second of work
QUICK: dict[str, Any] = {  # minutes on two cores, the bundled shapes: on digits an untrained encoder is as good
    "encoder": "resnet10", "image_size": 16, "width": 0.125, "batch_size": 128, "batch_norm_splits": 2, "queue_size": 256, "temperature": 0.1,
    "lr": 0.1, "schedule": "constant", "epochs": 4, "probe_epochs": 50, "knn_every": 4, "knn_neighbours": 20,
}  # fmt: skip
SMALL: dict[str, Any] = {  # hours on a laptop, real images
    "encoder": "resnet10", "stem": "strided", "image_size": 32, "width": 0.25, "train_images": 10_000, "batch_size": 128, "batch_norm_splits": 4,
    "queue_size": 1024, "temperature": 0.1, "lr": 0.06, "schedule": "constant", "epochs": 20, "validation_share": 0.1, "probe_epochs": 60,
    "knn_every": 4, "knn_neighbours": 200,
}  # fmt: skip
FULL: dict[str, Any] = {  # a GPU
    "image_size": 32, "width": 1.0, "batch_size": 256, "batch_norm_splits": 8, "queue_size": 4096, "temperature": 0.1, "epochs": 100,
    "probe_epochs": 100, "probe_batch_size": 1024, "knn_every": 10, "knn_neighbours": 200,
}  # fmt: skip
NOTES = {
    "quick": "small images, a tiny encoder and short runs, minutes on two cores",
    "small": "real images, a narrow encoder and short runs, hours on a laptop",
    "full": "all images and the full encoder, one or more GPUs",
}

FIXED: dict[str, Any] = {
    "encoder": "resnet18", "stem": "small", "head": "mlp", "optimizer": "sgd", "momentum": 0.9, "weight_decay": 1e-4, "key_momentum": 0.99,
    "temperature": 0.2, "schedule": "cosine", "lr": 0.03,
}  # fmt: skip

STAGES: dict[str, dict[str, Any]] = {
    "replica": {"score_split": "test"},
    "search": {"score_split": "validation"},
    "confirm": {"score_split": "validation"},
    "final": {"score_split": "test"},
}

# what an accuracy is read against; none is tuned, and none enters a claim
UNTRAINED = Arm(
    "untrained", "Untrained", {"method": "frozen", "attention": "none"}, {}, {}, in_report=False
)  # fmt: skip
SUPERVISED = Arm(
    "supervised", "Supervised", {"method": "supervised", "optimizer": "sgd", "lr": 0.1, "finetune_epochs": 0}, {}, {}, in_report=False,
    reads={"loss": ""},
)  # fmt: skip
PIXELS = Arm(
    "pixels", "Raw pixels", {"method": "pixels", "finetune_epochs": 0, "attention": "none", "weights": ""}, {}, {}, in_report=False,
)  # fmt: skip
CONTROLS = (UNTRAINED, SUPERVISED, PIXELS)

PROBE = Metric(
    "probe_accuracy", "probe accuracy", "points", 100.0, True, 0.5, share_of_images=True, correct="probe_correct"
)  # fmt: skip
FINETUNED = Metric(
    "finetune_accuracy", "fine-tuned accuracy", "points", 100.0, True, 0.5, share_of_images=True, correct="finetune_correct"
)  # fmt: skip
KNN = Metric("knn_accuracy", "kNN accuracy", "points", 100.0, True, 0.5, share_of_images=True)
LOSS = Metric("loss", "pretraining loss", "nats", 1.0, False, 0.1)

COLLAPSE = ("effective_rank", COLLAPSED_RANK)
