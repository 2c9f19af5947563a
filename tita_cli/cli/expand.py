"""Options classes become Typer's parameters: a command asks for ``input: Input`` and gets one, filled in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from tita_cli.errors import UsageError
from tita_cli.options import Group, Option, OptionError, PerSource, declared, flag_of

_NOTHING: tuple[Any, ...] = (None, (), PerSource())
MODEL_SUFFIXES = (".safetensors", ".pth", ".onnx")


class Only(tuple[str, ...]):
    """``Annotated[Input, Only(("resize",))]``: the options that a command takes; the others keep defaults."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One option of a command: the parameter that holds its group, the field, and the declaration."""

    group: str
    name: str
    how: Option
    default: Any


def expand(command: Callable[..., Any]) -> Callable[..., Any]:
    """``command`` with a parameter for each option of its options classes, for Typer to look at.

    What was declared stands in its ``options``, by parameter.
    """
    hints = get_type_hints(command, include_extras=True)
    plain: list[inspect.Parameter] = []
    found: dict[str, Parameter] = {}
    classes: dict[str, type[Group]] = {}
    for each in inspect.signature(command).parameters.values():
        kind, *extras = get_args(hints[each.name]) or (hints[each.name],)
        if not (isinstance(kind, type) and issubclass(kind, Group)):
            plain.append(each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        classes[each.name] = kind
        only = next((extra for extra in extras if isinstance(extra, Only)), None)
        for parameter in _parameters(each.name, kind, only):
            found[parameter.name] = parameter
            plain.append(_for_typer(parameter))

    @functools.wraps(command)
    def grouped(**given: Any) -> Any:
        values: dict[str, dict[str, Any]] = {group: {} for group in classes}
        for name, parameter in found.items():
            value = given.pop(name)
            if parameter.how.many:
                value = tuple(value or ())
            values[parameter.group][name] = PerSource(value) if parameter.how.per_source else value
        return command(**given, **{group: classes[group](**values[group]) for group in classes})

    grouped.__signature__ = inspect.Signature(plain)  # type: ignore[attr-defined]
    grouped.__annotations__ = {each.name: each.annotation for each in plain}
    grouped.options = {name: parameter.how for name, parameter in found.items()}  # type: ignore[attr-defined]
    return grouped


def argument_choices(values: Callable[[], Iterator[str] | list[str]]) -> Callable[[str], list[str]]:
    """For Typer's ``autocompletion``: those of ``values`` that begin as what is typed."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values() if value.startswith(incomplete)]

    return complete


def _parameters(group: str, kind: type[Group], only: Only | None) -> Iterator[Parameter]:
    defaults: Mapping[str, Any] = {each.name: each.default for each in fields(kind)}  # type: ignore[arg-type]
    for name, how in declared(kind).items():
        if only is None or name in only:
            yield Parameter(group, name, how, defaults[name])


def _for_typer(parameter: Parameter) -> inspect.Parameter:
    how, default = parameter.how, parameter.default
    names = [flag_of(parameter.name, how), *([f"-{how.short}"] if how.short else [])]
    shown: dict[str, Any] = {"rich_help_panel": how.panel, "help": _help(how)}
    annotation: Any
    if how.type is bool:
        annotation = bool
    else:
        annotation = list[str] if how.many else how.type if is_plain(how) else str
        shown |= {"metavar": metavar_of(how), "show_default": default not in _NOTHING}
        if default in _NOTHING:
            annotation, default = annotation | None, None
        elif default is MISSING:
            default, shown["show_default"] = inspect.Parameter.empty, False
        if not is_plain(how):
            shown["parser"] = _parser(names[0], how)
        complete = _completion(parameter.name, how)
        if complete is not None:
            shown["autocompletion"] = complete
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[annotation, typer.Option(*names, **shown)],
    )


def is_plain(how: Option) -> bool:
    """Whether Typer reads the value: where nothing can be wrong with it. What Typer says of numbers is not our way."""
    return how.parse is None and not how.choices and not how.counts and how.type in (bool, str, Path)


def metavar_of(how: Option) -> str | None:
    """What stands for the value in help: the choices, where there are any."""
    if how.metavar is None and how.choices:
        return "|".join(map(str, how.choices))
    return how.metavar or ("N" if how.type is int else None)


def _help(how: Option) -> str:
    return how.help + (f"  \\[default: {how.unset}]" if how.unset else "")


def _parser(flag: str, how: Option) -> Callable[[str], Any]:
    """For Typer; a wrong value is a ``UsageError`` that names the flag."""

    def parse(text: Any) -> Any:
        if not isinstance(text, str):  # a default that is a value already
            return text
        try:
            return how.read(text)
        except OptionError:
            raise
        except ValueError as error:
            raise UsageError(f"{flag}: {error}") from error

    return parse


def _completion(name: str, how: Option) -> Callable[[str], list[str]] | None:
    if name == "model":
        return _models
    if how.choices:
        return argument_choices(lambda: [str(choice) for choice in how.choices])
    words = [word for word in (how.metavar or "").replace("[:N]", "").split(":")[-1].split("|") if word.islower()]
    return argument_choices(lambda: words) if words else None


def _models(incomplete: str) -> list[str]:
    """Shipped models, then folders and model files."""
    from tita_cli.models.find import shipped_models

    typed = Path(incomplete)
    folder, start = (typed, "") if incomplete.endswith("/") else (typed.parent, typed.name)
    names = [name for name in shipped_models() if name.startswith(incomplete)]
    files = sorted(folder.glob(f"{start}*")) if folder.is_dir() else []
    return names + [
        f"{path}/" if path.is_dir() else str(path)
        for path in files
        if path.is_dir() or path.suffix.lower() in MODEL_SUFFIXES
    ]
