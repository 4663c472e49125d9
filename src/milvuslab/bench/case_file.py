"""Cases from TOML files: every key known, every value checked, every mistake named with the right word.

A file has the sections of `Case`. `[smoke.SECTION]` holds the values of a small run of the same case, which tests and
first tries take; everything else stays.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import typing
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from milvuslab.bench.case import Case
from milvuslab.model.errors import ConfigError, NotFoundError, suggest

__all__ = ["case_from_dict", "find_case", "list_cases", "read_case"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PLAIN = ("name", "title")
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def read_case(path: Path, *, is_smoke: bool = False) -> Case:
    """The case of a file.

    Args:
        path: a TOML file.
        is_smoke: whether the values of `[smoke]` are laid over the others.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no TOML, a key is not known or a value does not do; the message names it.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            f"there is no case file {path}", hint="see which cases there are: milvuslab bench cases"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}", hint="see docs/howto/benchmarks.md for the form") from None
    return case_from_dict(
        {"name": path.stem, **content}, where=str(path), is_smoke=is_smoke, folder=path.absolute().parent
    )


def case_from_dict(
    content: Mapping[str, Any], *, where: str = "the case", is_smoke: bool = False, folder: Path | None = None
) -> Case:
    """The case of a dictionary with the keys of a file.

    Raises:
        ConfigError: a key is not known or a value does not do.
    """
    sections = _sections()
    content = dict(content)
    smoke = content.pop("smoke", {})
    _check_keys(smoke, sections, where=f"{where}: smoke")
    _check_keys(content, [*sections, *_PLAIN], where=where)
    values: dict[str, Any] = {name: _plain(content.get(name, ""), name, where) for name in _PLAIN}
    if not _NAME.fullmatch(values["name"]):
        raise ConfigError(f"{where}: {values['name']!r} is no name of a case", hint="use letters, digits, '-' and '_'")
    for name, kind in sections.items():
        own = _table(content.get(name, {}), where=f"{where}: {name}")
        small = _table(smoke.get(name, {}), where=f"{where}: smoke.{name}")
        _read_section(kind, small, where=f"{where}: smoke.{name}")
        values[name] = _read_section(kind, {**own, **(small if is_smoke else {})}, where=f"{where}: {name}")
    return Case(**values, folder=str(folder or ""))


def list_cases() -> dict[str, Path]:
    """The cases that come with the package, by name."""
    folder = resources.files("milvuslab.bench") / "cases"
    return {path.stem: path for path in sorted(Path(str(folder)).glob("*.toml"))}


def find_case(name_or_path: str) -> Path:
    """The file of a case: a path, or the name of one that comes with the package.

    Raises:
        NotFoundError: it is neither.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    known = list_cases()
    if name_or_path in known:
        return known[name_or_path]
    if path.suffix == ".toml":
        raise NotFoundError(f"there is no case file {path}", hint="see which cases there are: milvuslab bench cases")
    raise NotFoundError(f"there is no case {name_or_path}", hint=f"{suggest(name_or_path, known)}; or give a TOML file")


def _sections() -> dict[str, type[Any]]:
    hints = typing.get_type_hints(Case)
    return {name: kind for name, kind in hints.items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)}


def _read_section(kind: type[Any], table: Mapping[str, Any], *, where: str) -> Any:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    _check_keys(table, fields, where=where)
    return kind(
        **{
            name: _convert(hints[name], value, fields[name].metadata, where=f"{where}.{name}")
            for name, value in table.items()
        }
    )


def _check_keys(table: Any, known: typing.Iterable[str], *, where: str) -> None:
    names = list(known)
    for name in _table(table, where=where):
        if name not in names:
            raise ConfigError(f"{where}.{name} is no key of a case", hint=suggest(name, names))


def _table(value: Any, *, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} is {value!r}, which is no table", hint=f"write [{where.rsplit(' ', 1)[-1]}]")
    return value


def _plain(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where}.{name} is {value!r}, which is no text", hint=f'write {name} = "..."')
    return value


def _convert(kind: Any, value: Any, rules: Mapping[str, Any], *, where: str) -> Any:
    if typing.get_origin(kind) is tuple:
        (inner, _) = typing.get_args(kind)
        values = value if isinstance(value, list | tuple) else [value]
        if not values:
            raise ConfigError(f"{where} is empty", hint=f"give at least one: {rules['about']}")
        return tuple(_convert(inner, one, rules, where=where) for one in values)
    if typing.get_origin(kind) is not None:
        return dict(_params(value, where=where))
    wanted = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where} is {value!r}, which is not {_WORDS[kind]}", hint=f"it is {rules['about']}")
    _check_value(value, rules, where=where)
    return float(value) if kind is float else value


def _params(value: Any, *, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} is {value!r}, which is no table", hint="write { ef = 64 }")
    for name, one in value.items():
        if not isinstance(one, int | float | str | bool):
            raise ConfigError(f"{where}.{name} is {one!r}, which is no single value", hint="write one entry each")
    return value


def _check_value(value: Any, rules: Mapping[str, Any], *, where: str) -> None:
    if rules["choices"] and value not in rules["choices"]:
        raise ConfigError(f"{where} is {value!r}", hint=suggest(str(value), rules["choices"]))
    low, high = rules["low"], rules["high"]
    if low is not None and value < low:
        raise ConfigError(f"{where} is {value}, less than {low:,}", hint=f"it is {rules['about']}")
    if high is not None and value > high:
        raise ConfigError(f"{where} is {value}, more than {high:,}", hint=f"it is {rules['about']}")
