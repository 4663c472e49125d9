"""The page of all settings, from the table in `model/settings.py`."""

from __future__ import annotations

from pathlib import Path

from milvuslab.model.settings import SETTINGS, Secret, Setting, environment_name

__all__ = ["render_page"]

_HEAD = """# Settings

Every setting can be given in four places. The first that names it wins:

1. the flag of a command, where the command has one,
2. the environment: `MILVUSLAB_` and the name in capitals,
3. the project file `milvuslab.toml` in the current folder: `name = value`,
4. the default.

`milvuslab config show` prints each value and where it came from. Secrets are never printed.

| name | kind | default | allowed | environment |
|---|---|---|---|---|
"""


def render_page(root_dir: Path) -> str:
    """A table of all settings, then one paragraph each."""
    del root_dir
    rows = "\n".join(_row(setting) for setting in SETTINGS.values())
    texts = "\n\n".join(f"## {setting.name}\n\n{setting.help}" for setting in SETTINGS.values())
    return f"{_HEAD}{rows}\n\n{texts}"


def _row(setting: Setting) -> str:
    cells = [
        f"[{setting.name}](#{setting.name})",
        "secret" if setting.kind is Secret else setting.kind.__name__.lower(),
        _shown(setting.default),
        _allowed(setting),
        f"`{environment_name(setting.name)}`",
    ]
    return f"| {' | '.join(cells)} |"


def _shown(default: object) -> str:
    if default is None or isinstance(default, Secret) or default == "":
        return "see below" if default is None else "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


def _allowed(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(f"`{choice}`" for choice in setting.choices)
    if setting.minimum is not None and setting.maximum is not None:
        return f"{_number(setting.minimum)} to {_number(setting.maximum)}"
    return "any" if setting.kind is not bool else "`true`, `false`"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"
