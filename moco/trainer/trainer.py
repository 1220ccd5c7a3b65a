"""MoCo as a study's trainer: the contract of `study.design.trainer`, filled in without study."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from moco.config import Config
from moco.data.cache import requested_extra_split
from moco.data.sources import open_source
from moco.device import gpu_count
from moco.model.published_weights import GIVEN, WEIGHTS
from moco.trainer import availability
from moco.trainer.cost import estimate_seconds, group_by_cost
from moco.trainer.dataset_facts import (
    DatasetFacts,
    check_place,
    complete_config,
    dataset_facts,
    prepare_dataset,
)
from moco.trainer.gpu_sharing import trials_per_gpu
from moco.trainer.proposal import propose_sizes
from moco.trainer.trial import run_config
from moco.trainer.words import WORDS

Fields = dict[str, Any]

NO_LABELS = (
    "a study compares accuracies, and {title} has no labels. Few do: put 10 images a class into "
    "train/<class>/ and 20 into test/<class>/, the others into unlabelled/ beside them, and add "
    "--set pretrain_split=train+unlabelled; python -m moco --dataset pretrains without any"
)


class Request(Protocol):
    """What a study asks for; see `study.design.trainer.Request`."""

    @property
    def dataset(self) -> str: ...
    @property
    def data_dir(self) -> Path: ...
    @property
    def shared(self) -> Fields: ...
    @property
    def arms(self) -> Mapping[str, Fields]: ...
    @property
    def controls(self) -> Mapping[str, Fields]: ...
    @property
    def overrides(self) -> Fields: ...
    @property
    def weights(self) -> str | None: ...
    @property
    def workers(self) -> int: ...
    @property
    def trains_here(self) -> bool: ...
    @property
    def varied(self) -> frozenset[str]: ...
    @property
    def sized_for(self) -> str: ...
    @property
    def may_download(self) -> bool: ...


class Prepared(NamedTuple):
    """The answer; see `study.design.trainer.Prepared`."""

    data: DatasetFacts
    fields: Fields  # of all trials: the dataset's name, and where encoders begin from
    absent: dict[str, str]
    found: dict[str, Fields]
    inputs: dict[str, Path]
    proposed: dict[str, Any] = {}  # noqa: RUF012


@dataclass(frozen=True)
class MoCoTrainer:
    """Pretrains and evaluates one config; docstrings of the methods stand in the contract."""

    words: Any = WORDS

    def complete(self, fields: Fields) -> Fields:
        return complete_config(fields)

    def canonical(self, config: Fields) -> Fields:
        return availability.canonical_config(config)

    def prepare(self, request: Request) -> Prepared:
        """Prepare the dataset and look for what each arm needs.

        Raises:
            ValueError: a field or the data is wrong, or no arm can be run.
        """
        weights, source = start_of(request), open_source(request.dataset)
        if (split := request.overrides.get("pretrain_split")) is not None:
            requested_extra_split(source, split)
        kept = {*request.overrides, *request.varied}
        proposal = propose_sizes(source, request.sized_for, request.shared, kept)
        proposed = proposal.fields if proposal else {}
        shared = {**request.shared, **proposed, **weights.fields}
        every = {**request.arms, **request.controls}
        sample = shared if request.shared else next(iter(every.values()))  # any trial's
        cached = prepare_dataset(source, sample, request.data_dir, every)
        facts = dataset_facts(cached, sample)._replace(own=source.is_own)
        if not facts.classes:
            raise ValueError(NO_LABELS.format(title=facts.title))
        check_place(sample, request.workers, request.trains_here)
        survey = availability.survey(
            shared,
            every,
            cached,
            request.data_dir,
            download={*weights.named, *(WEIGHTS if request.may_download else ())},
            given=weights.given,
        )
        for arm, own in every.items():
            reason = survey.absent.get(arm, "")
            if shared.get("weights") and "weights" not in own and "weights" in reason[:17]:
                raise ValueError(reason.removeprefix("weights absent: "))
            config = Config.of({**shared, **own, "dataset": facts.name})
            if same := availability.equal_to_plain(config, request.workers):
                survey.absent.setdefault(arm, same)
        if request.arms and set(request.arms) <= set(survey.absent):
            raise ValueError(next(iter(survey.absent.values())))
        if proposal:
            facts = facts._replace(about=(*facts.about, proposal.row))
        return Prepared(
            data=facts,
            fields={**weights.fields, "dataset": facts.name},
            absent=survey.absent,
            found=survey.fields,
            inputs={"cached": cached.resolve(), **survey.files},
            proposed=proposed,
        )

    def train(
        self, config: Fields, folder: Path, **inputs: Path
    ) -> Generator[dict[str, Any], None, dict[str, Any]]:
        return run_config(config, folder, on_step=None, **inputs)

    def estimate_seconds(
        self, configs: list[Fields], inputs: Mapping[str, Path], threads: int
    ) -> float | None:
        """The probe is not counted."""
        kinds = group_by_cost(configs)
        total = sum(estimate_seconds(c, inputs["cached"], threads) * count for c, count in kinds)
        return total / len(configs)

    def gpus(self) -> int:
        return gpu_count()

    def gpu_share(self, configs: list[Fields], inputs: Mapping[str, Path]) -> float:
        kinds = group_by_cost(configs)
        return 1 / min(trials_per_gpu(config, inputs["cached"]) for config, _ in kinds)

    def set_threads(self, threads: int) -> None:
        torch.set_num_threads(threads)


class Start(NamedTuple):
    """Where encoders begin from, as --weights and --set weights say."""

    fields: Fields  # of all trials; none where an arm of that name takes the weights
    given: str  # the file for arms whose weights are `GIVEN`
    named: set[str]  # published weights that the command names, which may be downloaded


def start_of(request: Request) -> Start:
    """Where the request's encoders begin from.

    Raises:
        ValueError: --weights is empty, or --set says something else.
    """
    weights, in_set = request.weights, request.overrides.get("weights")
    if not isinstance(in_set, str | None):
        raise ValueError(f"weights must be a word; got {in_set!r}")
    if weights == "":
        raise ValueError(f"--weights must be one of {', '.join(WEIGHTS)}, or a file; got ''")
    if weights is not None and in_set not in (None, weights):
        raise ValueError("--set weights and --weights must be the same; give one of them")
    of_arms = [own.get("weights") for own in request.arms.values()]
    if weights is None and in_set is not None and any(of_arms):
        raise ValueError(
            "--set weights would give its file to every arm of a space whose arms are about "
            "weights; use --weights"
        )
    wish = in_set if in_set is not None else weights or ""
    if weights is not None and weights in of_arms:  # an arm names those very weights
        return Start({}, "", {weights})
    if not wish or (weights is not None and GIVEN in of_arms):  # an arm takes a given file
        return Start({}, wish, {wish})
    return Start({"weights": wish if wish in WEIGHTS else GIVEN}, wish, {wish})


MOCO = MoCoTrainer()
