"""Pictures that a request brings: as its whole body, or as parts of a form. Nothing is decoded here.

A file's name is shown and kept, never used as a path. Parts above a megabyte lie in a nameless file of the system while
the form is read (Starlette), and are gone when the request is answered. Sizes are bounded before: `guard/body.py`.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from milvuslab.model.errors import LimitError, MediaError, UsageError

if TYPE_CHECKING:
    from fastapi import Request

__all__ = ["NEGATIVE_PART", "PICTURE_PART", "PictureForm", "Upload", "clean_file_name", "read_pictures"]

PICTURE_PART = "picture"
NEGATIVE_PART = "unlike_picture"
_FILES_MAX = 16
_FIELDS_MAX = 100
_FIELD_LIMIT_BYTES = 100_000
_NAME_CHARS_MAX = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was sent.

    Attributes:
        content: its bytes, as sent.
        name: its last part, printable; may be empty.
    """

    content: bytes
    name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureForm:
    """What a request brought.

    Attributes:
        pictures: to look for, or to add.
        unlike: to stay away from.
        fields: the other parts of the form, by name; a name may come several times.
    """

    pictures: tuple[Upload, ...] = ()
    unlike: tuple[Upload, ...] = ()
    fields: Mapping[str, list[str]] = dataclasses.field(default_factory=dict)


async def read_pictures(request: "Request") -> PictureForm:
    """The pictures and fields of a request: one picture as `image/*`, or a form.

    Raises:
        MediaError: the body is neither.
        LimitError: more files or fields than a form may have.
        UsageError: the form is broken, or a part is in the wrong place.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with _form_of(request) as form:
            return form
    content = await request.body()
    if not content and not kind:
        return PictureForm()
    if kind.startswith("image/") or kind == "application/octet-stream":
        return PictureForm(
            pictures=(Upload(content=content, name=clean_file_name(request.query_params.get("name", ""))),)
        )
    raise MediaError(
        f"the body is {kind[:60] or 'of no named type'}, not a picture",
        hint="send a form: curl -F picture=@cat.jpg ...; or the file itself with Content-Type: image/jpeg",
    )


def clean_file_name(name: str) -> str:
    """The last part of a file's name, printable and not too long; empty when nothing is left.

    >>> clean_file_name("../../etc/passwd"), clean_file_name("C:\\\\temp\\\\cat\\x00.png"), clean_file_name("..")
    ('passwd', 'cat.png', '')
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    return shown if len(shown) <= _NAME_CHARS_MAX else shown[: _NAME_CHARS_MAX - 1] + "…"


@contextlib.asynccontextmanager
async def _form_of(request: "Request") -> AsyncIterator[PictureForm]:
    """The form, as long as its files are open."""
    from starlette.exceptions import HTTPException

    try:
        opened = request.form(max_files=_FILES_MAX, max_fields=_FIELDS_MAX, max_part_size=_FIELD_LIMIT_BYTES)
        async with opened as form:
            yield await _read_form(form.multi_items())
    except HTTPException as error:
        if error.detail.startswith("Too many"):
            raise LimitError(
                f"the form has more than {_FILES_MAX} files or {_FIELDS_MAX} fields", hint="send fewer at once"
            ) from None
        raise UsageError(f"the form cannot be read: {error.detail}", hint="curl -F picture=@cat.jpg ...") from None


async def _read_form(items: list[tuple[str, Any]]) -> PictureForm:
    files: dict[str, list[Upload]] = {PICTURE_PART: [], NEGATIVE_PART: []}
    fields: dict[str, list[str]] = {}
    for name, value in items:
        if isinstance(value, str):
            if name in files:
                raise UsageError(f"the part {name[:60]} is a text, not a file", hint="curl -F picture=@cat.jpg ...")
            fields.setdefault(name, []).append(value)
        elif name in files:
            files[name].append(Upload(content=await value.read(), name=clean_file_name(value.filename or "")))
        else:
            raise UsageError(
                f"the form has a file named {name[:60]!r}", hint=f"name it {PICTURE_PART} or {NEGATIVE_PART}"
            )
    return PictureForm(pictures=tuple(files[PICTURE_PART]), unlike=tuple(files[NEGATIVE_PART]), fields=fields)
