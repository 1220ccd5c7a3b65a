"""Attention maps of some images, and the evidence by position for the linear probe's answer.

Letters: N images, D features of a stage's vectors, P = H x W positions, E features of the probe
with the bias, C classes.
"""

import base64
import io
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from moco.config import Config
from moco.data.dataset import Dataset, Split, normalisation_statistics
from moco.data.preprocessing import input_size, to_encoder_input
from moco.evaluation.linear_probe import Probe
from moco.model.attention import Attention, StageAttention
from moco.model.encoder import Encoder


@torch.no_grad()
def attention_pictures(
    encoder: Encoder, probe: Probe, split: Split, dataset: Dataset, config: Config
) -> list[dict[str, Any]]:
    """One dict for each of `config.pictures` images, with the classes in turn.

    `image`: PNG in base64. `label`, and `answer` of the probe: class names. `maps`: by name,
    weights (H, W) with sum 1. "attention after layer3" has the weights of the attention;
    "probe's answer from layer3" has the evidence of `evidence_maps`.
    """
    pictures = []
    for i in class_balanced_indices(split.labels, config.pictures):
        image, label = split.images[i], int(split.labels[i])
        stages, features_ND = attend(encoder, image[None], dataset, config=config)
        weight_EC = probe.weight_EC.to(features_ND)
        answer = int((features_ND[0] @ weight_EC[:-1] + weight_EC[-1]).argmax())
        maps = {
            f"attention after {name}": stage.weight_NHW[0]
            for name, stage in zip(get_attention(encoder).layers, stages, strict=True)
        }
        maps |= evidence_maps(encoder, stages, probe, answer=answer)
        pictures.append(
            {
                "image": encode_png(image),
                "label": dataset.classes[label],
                "answer": dataset.classes[answer],
                "maps": {
                    name: [[round(float(x), 5) for x in row] for row in weights_HW]
                    for name, weights_HW in maps.items()
                },
            }
        )
    return pictures


def class_balanced_indices(labels_N: Tensor, count: int) -> list[int]:
    """Indices of the first `count` images, taken from the classes in turn."""
    queues = [(labels_N == label).nonzero()[:, 0].tolist() for label in labels_N.unique().tolist()]
    longest = max(len(queue) for queue in queues)
    return [queue[k] for k in range(longest) for queue in queues if k < len(queue)][:count]


def get_attention(encoder: Encoder) -> Attention:
    """The encoder's attention; it must have one."""
    assert isinstance(encoder.attention, Attention)
    return encoder.attention


@torch.no_grad()
def attend(
    encoder: Encoder, images: Tensor, dataset: Dataset, config: Config
) -> tuple[list[StageAttention], Tensor]:
    """The attention of each stage, and the features (N, vector_count x D).

    Args:
        encoder: with attention; it returns to the mode it was in.
        images: uint8 (N, channels, H, W).
        dataset: gives the statistics that normalise the images.
        config: of the trial.
    """
    attention, device = get_attention(encoder), next(encoder.parameters()).device
    was_training = encoder.training
    mean, std = (x.to(device) for x in normalisation_statistics(dataset, config))
    encoder.eval()
    pixels = to_encoder_input(images.to(device), input_size(config, images), mean=mean, std=std)
    global_ND = encoder.backbone(pixels)
    stages = attention.attend(global_ND)
    encoder.train(was_training)
    return stages, attention.concatenate(global_ND, stages)


def evidence_maps(
    encoder: Encoder, stages: list[StageAttention], probe: Probe, answer: int
) -> dict[str, Tensor]:
    """By stage, the positive evidence of each position for the probe's answer; (H, W), sum 1.

    The evidence is the position's share in the difference between the score of the answer and the
    mean score of all classes. A linear probe's score of a weighted sum is the sum of the positions'
    scores weight_i <w, l_i>. Stages without positive evidence are left out.
    """
    attention = get_attention(encoder)
    weight_D = probe.weight_EC[:-1, answer] - probe.weight_EC[:-1].mean(1)
    parts = weight_D.chunk(attention.vector_count)[attention.keeps_global :]
    maps = {}
    for name, stage, w_D in zip(attention.layers, stages, parts, strict=True):
        local_DP, attention_HW = stage.local_NDP[0].float(), stage.weight_NHW[0]
        score_P = torch.einsum("dp,d->p", local_DP, w_D.to(local_DP.device))
        evidence_P = (score_P * attention_HW.flatten()).clamp(min=0)
        if float(evidence_P.sum()) > 0:
            evidence_HW = (evidence_P / evidence_P.sum()).view(attention_HW.shape)
            maps[f"probe's answer from {name}"] = evidence_HW
    return maps


def encode_png(image: Tensor) -> str:
    """A uint8 image (channels, H, W) as PNG in base64."""
    pixels = image.permute(1, 2, 0).cpu().numpy()
    pixels = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
