"""What a trainer calls things: words of its fields and results that tables and page print."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class FixedField(NamedTuple):
    """A field that the fairness ledger shows among what is the same for all arms."""

    name: str
    # only configs with one of these values of a field read it; None: all do
    read_where: tuple[str, tuple[str, ...]] | None = None


class EpochNumber(NamedTuple):
    """A number of an epoch that the live table and Ray's metrics show."""

    name: str
    title: str
    scale: float = 1.0
    digits: int = 3


@dataclass(frozen=True)
class Words:
    """Names that only the trainer knows; saved with the plan, for pages without the trainer."""

    epochs: str = ""  # the field that holds the number of epochs
    set_by_study: tuple[str, ...] = ()  # fields that --set may not change, besides the seed
    fixed: tuple[FixedField, ...] = ()
    live: tuple[EpochNumber, ...] = ()
    not_compared: tuple[str, ...] = ()  # fields that change no number
    # keys of a result that must agree between compared runs, in words
    alike: dict[str, str] = field(default_factory=dict)
    # fields that hold the SHA-256 of a file, in words
    inputs: dict[str, str] = field(default_factory=dict)
    begins_from: str = ""  # of these, that of the file from which training begins
    seed: str = "initialisation and data order"  # what a seed fixes
    same: str = "data, epochs and evaluation"  # what is equal in all runs of a search
    not_estimated: str = ""  # what the estimate of seconds leaves out
    loss: str = ""  # sentences on the loss, beside its curve; {chance} is what guessing gives
    pictures: str = ""  # the field that asks for pictures.json
    pictures_title: str = "Pictures"
    pictures_note: str = ""
    pictures_caption: str = "Under each image its class and the answer."
    command: str = ""  # that runs one config, each field as --its-name VALUE
    defaults: dict[str, Any] = field(default_factory=dict)  # of its fields, that it need not say
    references: str = ""  # what a paper cites for what is trained, as BibTeX
    packages: tuple[str, ...] = ()  # that training imports: nodes of a cluster must have them
    terms: dict[str, str] = field(default_factory=dict)  # explained on the page, each in a sentence
    published: str = ""  # a sentence on the published report whose experiments a study repeats

    def title(self, name: str) -> str:
        """A field's name for people."""
        return name.replace("_", " ")

    def reads(self, name: str, config: dict[str, Any]) -> bool:
        """Whether a config's training reads a field of `fixed`."""
        where = next((one.read_where for one in self.fixed if one.name == name), None)
        return where is None or config.get(where[0]) in where[1]

    @classmethod
    def of(cls, words: Any) -> "Words":
        """The words of any object that has some of these fields."""
        names = cls.__dataclass_fields__
        return cls.from_dict({name: getattr(words, name) for name in names if hasattr(words, name)})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Words":
        """The words that `dataclasses.asdict` and JSON made these values of.

        Those that a later version has besides are left out: words decide nothing.
        """
        fixed = [
            FixedField(name, (where[0], tuple(where[1])) if where else None)
            for name, where in values.get("fixed", ())
        ]
        live = [EpochNumber(*number) for number in values.get("live", ())]
        flat = {
            name: tuple(values.get(name, ()))
            for name in ("set_by_study", "not_compared", "packages")
        }
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        return cls(**{**known, **flat, "fixed": tuple(fixed), "live": tuple(live)})
