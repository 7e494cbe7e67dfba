"""Settings of the commands. The text beside each field is the `--help` text; nothing heavy is imported here.

Precedence: defaults < recipe file (`--config FILE.yaml`) < flags.
"""
from __future__ import annotations

import argparse
import math
import typing
from dataclasses import Field, asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from .errors import ConfigurationError, UnknownNameError
from .methods import METHODS

if typing.TYPE_CHECKING:
    from tasks import Task


def option(default, help: str, **metadata):
    """A field with its help text; `metadata` may hold `choices`, `minimum`, `maximum`, `or_zero`, with which 0 is taken
    whatever the minimum, `specification`: what stands behind a colon is not part of the choice, and `told`: another field's
    help has the choices."""
    return field(default=default, metadata={"help": help, **metadata})


@dataclass(frozen=True)
class NoSettings:
    """Of methods that have nothing to choose."""


@dataclass(frozen=True)
class TransducerSettings:
    """What makes up a transducer; saved with it."""

    heading: ClassVar[str] = "transducer"

    fusion: str = option("attention+aligned+residual+prompts+scales+bottlenecks", "fusion parts joined by +, or 'published' (the paper's "
                         "code); without scales and bottlenecks nothing behind the input is changed")
    layer: str = option("gatv2", "graph layer of the GVE; the paper: gatv2")
    layer_count: int = option(2, "graph layers in a row; 0: projected node features as they are; the paper: 1", minimum=0)
    heads: int = option(1, "attention heads of a graph layer; the paper: 1", minimum=1)
    rank: int = option(0, "width of the node vectors; 0: the largest of 3..16 within the paper's budget; the paper: 8",
                       minimum=0)
    directions: int = option(0, "directions that the places of one role share in the part scales; 0: the most of 1..2 within "
                             "that budget", minimum=0)
    bottleneck: int = option(0, "units that the blocks of one role share in the part bottlenecks; 0: the most of 1..5 within that "
                             "budget", minimum=0)
    prompts: int = option(10, "graph-made prompt vectors put in front of the input", minimum=1)
    relations: str = option("AST+CFG+DDG+CDG", "edge kinds that messages pass along, joined by +; empty: along none")
    reach: int = option(0, "tokens of the source around those that the model reads which the graph covers too, as far as there are "
                        "some", minimum=0)
    beyond: int = option(0, "of the tokens that only the graph covers, how many the part beyond hands on, words that the window "
                         "lacks first; 0: all", minimum=0)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict) -> TransducerSettings:
        unknown = sorted(settings.keys() - {entry.name for entry in fields(cls)})
        if unknown:
            raise ConfigurationError(f"unknown transducer settings {unknown}; this release knows: "
                                     f"{', '.join(entry.name for entry in fields(cls))}; install a newer release")
        return resolve(cls, settings)


@dataclass(frozen=True)
class ExampleSettings:
    """What is learned from."""

    heading: ClassVar[str] = "task and examples"

    task: str = option("assert", "the task to adapt to")
    data: str = option("embedded", "where examples come from: embedded, file:FOLDER with train, valid and test, mine:PATH of a source tree, or "
                       "hub:ID[:CONFIGURATION][@REVISION]")
    columns: tuple[str, ...] = option((), "columns of file or hub data whose names are others: source=NAME target=NAME ...")
    language: str = option("", "language of data rows without a 'language' field; empty: the task's default")
    train_limit: int = option(3000, "training examples used at most; 0: all", minimum=0)
    valid_limit: int = option(200, "validation examples used at most; 0: all", minimum=0)
    test_limit: int = option(300, "test examples used at most; 0: all", minimum=0)
    decontaminate: float = option(0.0, "removes training and validation examples that are near duplicates of test examples: "
                                  "Jaccard index of token 5-grams from which two are; 0: none, they are only counted",
                                  minimum=0.0, maximum=1.0)
    max_source_tokens: int = option(0, "longest input in tokens; 0: as a saved transducer was trained, or the task's; the paper: 400", minimum=16, or_zero=True)
    max_target_tokens: int = option(0, "longest target in tokens; 0: likewise; the paper: 150", minimum=4, or_zero=True)
    overlong: str = option("truncate", "what becomes of longer examples; error ends the run, skip leaves them out, both counted",
                           choices=("truncate", "skip", "error"))


@dataclass(frozen=True)
class ModelSettings:
    """What is adapted, and how it computes."""

    heading: ClassVar[str] = "model"

    model: str = option("codet5-tiny", "backbone: a short name (codet5-tiny, smollm2-135m), a folder, or a hub id")
    revision: str = option("", "revision of a hub model")
    precision: str = option("auto", "arithmetic: auto measures which is faster", choices=("auto", "float32", "bfloat16"))
    quantize: str = option("none", "bits of the frozen weights; 8bit and 4bit need bitsandbytes (the extra 'quantized')",
                           choices=("none", "8bit", "4bit"))
    device_map: str = option("", "spreads a backbone that is too large for one device: auto, balanced, balanced_low_0, sequential, "
                             "or a JSON file of {module: device}, devices cpu, disk or a GPU's number")
    gradient_checkpointing: bool = option(False, "compute the frozen layers again in the backward pass: less memory, same gradients")


@dataclass(frozen=True)
class TrainingSettings:
    """How the trained part is trained."""

    heading: ClassVar[str] = "training"

    epochs: float = option(1.0, "passes over the training examples; the paper: 1", minimum=0.0)
    batch_size: int = option(8, "examples a step and process; the paper: 8", minimum=1)
    learning_rate: float = option(0.0, "AdamW's; 0: the default of each method, that of a transducer lower for several epochs", minimum=0.0)
    warmup_ratio: float = option(0.05, "share of the steps in which the learning rate rises; then linear to 0",
                                 minimum=0.0, maximum=1.0)
    weight_decay: float = option(0.0, "AdamW's weight decay", minimum=0.0)
    max_grad_norm: float = option(1.0, "gradient clipping; the paper: 1.0", minimum=0.0)
    validations: int = option(0, "validations beside those at the end of each epoch, evenly spread over the steps; the weights "
                              "of the best validation are kept", minimum=0)
    patience: int = option(0, "validations without a lower loss after which training stops; 0: it goes on to its end", minimum=0)
    seed: int = option(0, "seed of the first run", minimum=0)


@dataclass(frozen=True)
class RunSettings(ExampleSettings, ModelSettings, TrainingSettings, TransducerSettings):
    """Settings of a run, which is one method with one seed; what the commands that train have in common."""

    heading: ClassVar[str] = "run"

    output: str = option("", "the run folder; empty: runs/TASK")
    beams: int = option(0, "beams in generation; 0: the task's; the paper: 2", minimum=0)
    engine: str = option("auto", "graph engine: dgl, or torch with the same numbers; auto: dgl where it can be used",
                         choices=("auto", "dgl", "torch"))
    dry_run: bool = option(False, "print what memory the run needs and load no weights")
    quiet: bool = option(False, "print errors and the final table only")
    json: bool = option(False, "print the result rows as JSON lines on standard output, nothing else")

    def transducer_settings(self) -> TransducerSettings:
        return TransducerSettings(**{entry.name: getattr(self, entry.name) for entry in fields(TransducerSettings)})

    def column_names(self) -> dict[str, str]:
        """Field -> column, of `columns`."""
        for text in self.columns:
            if not all(text.partition("=")):
                raise ConfigurationError(f"--columns has {text!r}, expected FIELD=COLUMN, such as source=code")
        return {field: column for field, _, column in (text.partition("=") for text in self.columns)}

    def for_task(self, task: Task):
        """The settings with what they leave to the task filled in."""
        return replace(self, max_source_tokens=self.max_source_tokens or task.max_source_tokens,
                       max_target_tokens=self.max_target_tokens or task.max_target_tokens,
                       beams=self.beams or task.generation["num_beams"], output=self.output or f"runs/{task.name}")


@dataclass(frozen=True)
class TrainSettings(RunSettings):
    """Settings of `python -m transducer.train`."""

    heading: ClassVar[str] = "methods"

    method: str = option("transducer", "what to train: NAME, NAME:FIELD=VALUE,... with settings of the method, or NAME:params=N in its "
                         "largest size of at most N trained weights",
                         choices=tuple(METHODS), specification=True)
    baselines: tuple[str, ...] = option((), "further methods, trained on the same data; as --method",
                                        choices=tuple(METHODS), specification=True, told=True)
    resume: bool = option(False, "go on with the run in the output folder from its last checkpoint")
    overwrite: bool = option(False, "replace the run in the output folder")
    seeds: int = option(1, "runs per method, with seeds seed, seed + 1, ...", minimum=1)

    def methods(self) -> tuple[str, ...]:
        """The method and the baselines, each once."""
        return tuple(dict.fromkeys((self.method, *self.baselines)))


GENERATION_FIELDS = ("beams", "max_source_tokens", "max_target_tokens")
"""Training settings that the commands which generate share, with their defaults and ranges."""

_KIND_NAMES = {str: "TEXT", int: "COUNT", float: "NUMBER"}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def in_groups(settings: type) -> dict[str, list[Field]]:
    """The fields by the `heading` of the class that has them, those of the class itself first and of its bases in their order."""
    found: dict[str, list[Field]] = {}
    left = {entry.name: entry for entry in fields(settings)}
    for kind in settings.__mro__:
        own = [left.pop(name) for name in kind.__dict__.get("__annotations__", ()) if name in left]
        if own:
            found.setdefault(kind.__dict__.get("heading", "settings"), []).extend(own)
    return found


def add_options(parser: argparse.ArgumentParser, settings: type, only: tuple[str, ...] = ()) -> None:
    """One flag per field, or for the fields in `only`, in the groups of `in_groups`. A flag that is not given leaves no
    attribute, so that a recipe file can fill it."""
    kinds = typing.get_type_hints(settings)
    for heading, entries in in_groups(settings).items():
        wanted = [entry for entry in entries if not only or entry.name in only]
        group = parser.add_argument_group(heading) if wanted else None
        for entry in wanted:
            _add_flag(group, entry, kinds[entry.name])


def _add_flag(group, entry: Field, kind: type) -> None:
    choices = entry.metadata.get("choices")
    listed = f"; one of: {', '.join(choices)}" if choices and not entry.metadata.get("told") else ""
    default = " ".join(entry.default) if isinstance(entry.default, tuple) else entry.default
    # Nothing, and a switch that is off, go without saying.
    ending = f" (default: {default})" if default != "" and default is not False else ""
    text = f"{entry.metadata['help']}{listed}{ending}".replace("%", "%%")
    arguments: dict = {"dest": entry.name, "default": argparse.SUPPRESS, "help": text}
    if kind is bool:
        group.add_argument(_flag(entry.name), action="store_true", **arguments)
    elif typing.get_origin(kind) is tuple:
        group.add_argument(_flag(entry.name), nargs="*", metavar="NAME", **arguments)
    else:
        group.add_argument(_flag(entry.name), type=kind, metavar="NAME" if choices else _KIND_NAMES[kind], **arguments)


def resolve(settings: type, given: dict, recipe: Path | None = None):
    """Settings from defaults, a recipe file and flags, checked.

    Raises:
        ConfigurationError: an unknown field, a value of the wrong type or out of range; the message names the field.
    """
    values = _read_recipe(settings, recipe) if recipe else {}
    values |= given
    kinds = typing.get_type_hints(settings)
    resolved = {entry.name: _checked(entry, kinds[entry.name], values[entry.name])
                for entry in fields(settings) if entry.name in values}
    return settings(**resolved)


def require_fields(settings: type, given: dict) -> None:
    """Raises ConfigurationError where `given` names a field that `settings` does not have."""
    names = [entry.name for entry in fields(settings)]
    for name in given:
        if name not in names:
            near = get_close_matches(str(name), names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"unknown setting {name!r}{hint} (known: {', '.join(names) or 'none'})")


def _read_recipe(settings: type, recipe: Path) -> dict:
    import yaml

    try:
        values = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"no recipe file {recipe}; give an existing YAML file to --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"recipe {recipe} cannot be read ({error}); give a YAML file to --config") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"recipe {recipe} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"recipe {recipe} holds a {type(values).__name__}, expected 'field: value' lines")
    names = [entry.name for entry in fields(settings)]
    for name in values:
        if name not in names:
            near = get_close_matches(str(name), names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"recipe {recipe} has an unknown field {name!r}{hint} (known: {', '.join(names)})")
    return values


def _check_choice(entry, value: object) -> None:
    choices = entry.metadata.get("choices")
    if entry.metadata.get("specification") and isinstance(value, str):
        value = value.partition(":")[0]
    if choices and value not in choices:
        raise UnknownNameError.among("method" if entry.metadata.get("specification") else entry.name, value, choices)


def _checked(entry, kind, value):
    """The value in the field's type and range; ConfigurationError otherwise."""
    given = value

    def wrong(expected: str) -> ConfigurationError:
        return ConfigurationError(f"{_flag(entry.name)} is {given!r}, expected {expected}")

    if typing.get_origin(kind) is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise wrong("a list of names")
        for name in value:
            _check_choice(entry, name)
        return tuple(value)
    if kind is bool:
        if not isinstance(value, bool):
            raise wrong("true or false")
        return value
    if kind is float:
        try:
            value = math.nan if isinstance(value, bool) else float(value)  # YAML reads 2e-4 as text
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise wrong("a number")
    elif not isinstance(value, kind) or isinstance(value, bool):
        raise wrong("a whole number" if kind is int else "text")
    _check_choice(entry, value)
    minimum, maximum = entry.metadata.get("minimum"), entry.metadata.get("maximum")
    if value == 0 and entry.metadata.get("or_zero"):
        return value
    if minimum is not None and value < minimum or maximum is not None and value > maximum:
        raise wrong(f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}")
    return value
