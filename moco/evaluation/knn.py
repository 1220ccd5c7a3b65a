"""Weighted nearest-neighbour classification of frozen features (Wu et al. 2018, section 3.4).

Letters: N images of the bank, M queries, D features.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

BATCH_SIZE = 1024  # queries at a time


@torch.no_grad()
def knn_accuracy(
    bank_ND: Tensor,
    bank_labels: Tensor,
    query_MD: Tensor,
    query_labels: Tensor,
    *,
    neighbours: int,
    temperature: float,
) -> float:
    """Share of queries, in [0, 1], that are classified correctly.

    The predicted class has the largest sum of exp(cosine similarity / temperature) over the
    `neighbours` nearest images of the bank.
    """
    bank, query = F.normalize(bank_ND, dim=1), F.normalize(query_MD, dim=1)
    bank_labels, query_labels = bank_labels.to(bank.device), query_labels.to(bank.device)
    classes = int(bank_labels.max()) + 1
    hits = 0
    for part, labels in zip(query.split(BATCH_SIZE), query_labels.split(BATCH_SIZE), strict=True):
        similarity, index = (part @ bank.T).topk(min(neighbours, len(bank)), dim=1)
        votes = torch.zeros(len(part), classes, device=bank.device)
        votes.scatter_add_(1, bank_labels[index], ((similarity - 1) / temperature).exp())
        hits += int((votes.argmax(1) == labels).sum())
    return hits / len(query)
