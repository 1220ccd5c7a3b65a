"""Where an encoder with attention looks: images of the scored split with the attention's weights, and with what the probe's answer rests on.

Letters: N images, D features of a stage's vectors, P = H x W positions, C classes.
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
    """One dict an image, the first `config.pictures` of the split with every class in turn.

    `image`: PNG in base64; `label` and `answer`, the probe's, as class names; `maps`: by name H x W weights with sum 1. "attention after
    layer3" are the attention's own; "probe's answer from layer3" is each position's part in the score of the probe's answer, where it speaks for it.
    """
    found = []
    for i in class_balanced_indices(split.labels, config.pictures):
        image, label = split.images[i], int(split.labels[i])
        attended, features_ND = attend(encoder, image[None], dataset, config)
        weight_EC = probe.weight_EC.to(features_ND)
        answer = int((features_ND[0] @ weight_EC[:-1] + weight_EC[-1]).argmax())
        maps = {
            f"attention after {name}": part.weight_NHW[0]
            for name, part in zip(get_attention(encoder).layers, attended, strict=True)
        }
        maps |= evidence_maps(encoder, attended, probe, answer)
        grids = {
            name: [[round(float(x), 5) for x in row] for row in grid] for name, grid in maps.items()
        }
        found.append(
            {
                "image": encode_png(image),
                "label": dataset.classes[label],
                "answer": dataset.classes[answer],
                "maps": grids,
            }
        )
    return found


def class_balanced_indices(labels_N: Tensor, count: int) -> list[int]:
    """The first so many images, one of each class in turn."""
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
    """What the attention of the encoder makes of uint8 images (N, channels, H, W), stage by stage, and the features (N, blocks x D)."""
    device, was_training, attention = (
        next(encoder.parameters()).device,
        encoder.training,
        get_attention(encoder),
    )
    mean, std = (x.to(device) for x in normalisation_statistics(dataset, config))
    encoder.eval()
    global_ND = encoder.backbone(
        to_encoder_input(images.to(device), input_size(config, images), mean, std)
    )
    attended = attention.attend(global_ND)
    encoder.train(was_training)
    return attended, attention.concatenate(global_ND, attended)


def evidence_maps(
    encoder: Encoder, attended: list[StageAttention], probe: Probe, answer: int
) -> dict[str, Tensor]:
    """By stage, each position's part in how far the answer's score lies above the mean of all classes, negative parts left out; sum 1.

    A linear probe's score of a weighted sum is the sum of the positions' scores: weight_i <w, l_i>.
    """
    attention = get_attention(encoder)
    weight_E = probe.weight_EC[:-1, answer] - probe.weight_EC[:-1].mean(1)
    parts = weight_E.chunk(attention.vector_count)[attention.keeps_global :]
    found = {}
    for name, part, w_D in zip(attention.layers, attended, parts, strict=True):
        score_P = (
            torch.einsum("dp,d->p", part.local_NDP[0].float(), w_D.to(part.local_NDP.device))
            * part.weight_NHW[0].flatten()
        )
        kept_P = score_P.clamp(min=0)
        if float(kept_P.sum()) > 0:
            found[f"probe's answer from {name}"] = (kept_P / kept_P.sum()).view(
                part.weight_NHW.shape[1:]
            )
    return found


def encode_png(image: Tensor) -> str:
    """A uint8 image (channels, H, W) as PNG in base64."""
    pixels = image.permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(
        file, "PNG", optimize=True
    )
    return base64.b64encode(file.getvalue()).decode()
