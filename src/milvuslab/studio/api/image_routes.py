"""Routes of the image application. Each parses, calls the desk, and renders the value that comes back.

Parameters of the routes that take pictures may stand in the query part or in the form; the form's win.
"""

# No `from __future__ import annotations` here: FastAPI reads the annotations of functions that are made inside another,
# and those must be values then, not text.
import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from milvuslab.apps.image.search import Box, ImageAnswer, ImageQuery
from milvuslab.model.errors import LimitError, UsageError
from milvuslab.studio.api.image_schemas import (
    AddedImageBody,
    AddParameters,
    ClassificationBody,
    ClassifyParameters,
    ClusterList,
    CompareParameters,
    ComparisonBody,
    DuplicateList,
    ImageAnswerBody,
    ImageBody,
    ImageCollectionBody,
    ImageCollectionList,
    ImageHitBody,
    ImageList,
    ImageTiming,
    MapBody,
    SearchParameters,
    StudyBody,
)
from milvuslab.studio.api.uploads import NEGATIVE_PART, PICTURE_PART, PictureForm, read_pictures
from milvuslab.studio.image_desk import ImageDesk

if TYPE_CHECKING:
    from fastapi import APIRouter

    from milvuslab.studio.image_studies import Study

__all__ = ["make_image_router", "read_box"]

_Body = TypeVar("_Body", bound=StudyBody[Any])
_Parameters = TypeVar("_Parameters", bound=BaseModel)
_KEPT = {"Cache-Control": "private, max-age=86400, immutable", "Content-Disposition": "inline"}
"""A key names the content, so a browser may keep what it was given."""


def make_image_router(desk: ImageDesk) -> "APIRouter":
    """The routes under `/api/v1/images`."""
    from fastapi import APIRouter

    router = APIRouter(prefix="/api/v1/images", tags=["images"])
    _add_questions(router, desk)
    _add_views(router, desk)
    _add_single(router, desk)
    return router


def _add_questions(router: "APIRouter", desk: ImageDesk) -> None:
    """Search, classification and comparison: what a picture is shown to."""
    from fastapi import Query, Request

    brings = _body_of(PICTURE_PART, NEGATIVE_PART)

    @router.get("/search", summary="Search by stored examples or words", response_model=ImageAnswerBody)
    async def search_stored(parameters: Annotated[SearchParameters, Query()]) -> ImageAnswerBody:
        """Pictures like the stored examples, or for the words; the examples themselves are left out."""
        return await _search(desk, PictureForm(), parameters)

    @router.post("/search", summary="Search by picture", response_model=ImageAnswerBody, openapi_extra=brings)
    async def search(request: Request, given: Annotated[SearchParameters, Query()]) -> ImageAnswerBody:
        """Pictures like those that are sent and those that are named, unlike those to stay away from."""
        form = await read_pictures(request)
        return await _search(desk, form, _merged(given, form))

    @router.post(
        "/classify", summary="Classify", response_model=ClassificationBody, openapi_extra=_body_of(PICTURE_PART)
    )
    async def classify(request: Request, given: Annotated[ClassifyParameters, Query()]) -> ClassificationBody:
        """The label that the nearest stored pictures vote for, with its share of the votes."""
        form = await read_pictures(request)
        asked = _merged(given, form)
        if len(form.pictures) + len(asked.like) != 1:
            raise UsageError("there is not one picture to classify", hint="send one file, or name one stored picture")
        found = await desk.run(
            desk.classify,
            picture=form.pictures[0].content if form.pictures else None,
            image_id="" if form.pictures else asked.like[0],
            box=read_box(asked.crop),
            k=asked.k,
            collection=asked.collection,
        )
        return ClassificationBody.model_validate(found)

    @router.post("/compare", summary="Compare two", response_model=ComparisonBody, openapi_extra=_body_of(PICTURE_PART))
    async def compare(request: Request, given: Annotated[CompareParameters, Query()]) -> ComparisonBody:
        """Whether two pictures, sent or stored, are the same one, and a drawing that shows why."""
        form = await read_pictures(request)
        asked = _merged(given, form)
        found = await desk.run(
            desk.compare,
            pictures=[upload.content for upload in form.pictures],
            image_ids=asked.like,
            collection=asked.collection,
        )
        return ComparisonBody(
            is_same=found.match.is_same,
            is_mirrored=found.match.is_mirrored,
            inlier_count=found.match.inlier_count,
            pair_count=found.match.pair_count,
            drawing_png=base64.b64encode(found.drawing).decode("ascii"),
        )


def _add_views(router: "APIRouter", desk: ImageDesk) -> None:
    """Looks at whole collections."""
    from fastapi import Query, Response

    which = Query(description="Empty takes `images`, else the first there is.", max_length=255)

    @router.get("", summary="Some pictures", response_model=ImageList)
    async def browse(
        limit: Annotated[int, Query(description="Most pictures.", ge=1)] = 24,
        label: Annotated[str, Query(description="Only those with this label.", max_length=256)] = "",
        source: Annotated[str, Query(description="Only those of this source.", max_length=256)] = "",
        collection: Annotated[str, which] = "",
    ) -> ImageList:
        """Some pictures of a collection, in no order."""
        found = await desk.run(
            desk.browse, limit=_check_limit(limit, desk.settings.result_limit), label=label, source=source,
            collection=collection,
        )  # fmt: skip
        return ImageList(images=[ImageBody(**image.as_dict()) for image in found])

    @router.get("/collections", summary="List collections", response_model=ImageCollectionList)
    async def list_collections() -> ImageCollectionList:
        """What each collection of pictures holds: how many, their labels and sources."""
        facts = await desk.run(desk.facts)
        return ImageCollectionList(collections=[ImageCollectionBody.model_validate(one) for one in facts])

    @router.get("/map", summary="Map of a collection", response_model=StudyBody[MapBody])
    async def show_map(response: Response, collection: Annotated[str, which] = "") -> StudyBody[MapBody]:
        """A place in the plane for every picture, alike ones near each other; 202 while it is being made."""
        return _study(StudyBody[MapBody], await desk.run(desk.map_view, collection=collection), response)

    @router.get("/clusters", summary="Groups of alike pictures", response_model=StudyBody[ClusterList])
    async def show_clusters(
        response: Response,
        method: Annotated[Literal["kmeans", "hdbscan"], Query(description="`hdbscan` also finds outliers.")] = "kmeans",
        count: Annotated[
            int | None, Query(description="Groups that k-means makes; empty chooses.", ge=2, le=200)
        ] = None,
        collection: Annotated[str, which] = "",
    ) -> StudyBody[ClusterList]:
        """Groups with the picture in the middle of each, and those that fit nowhere; 202 while they are being made."""
        study = await desk.run(desk.cluster_view, method=method, cluster_count=count, collection=collection)
        return _study(StudyBody[ClusterList], study, response)

    @router.get("/duplicates", summary="Near-duplicates", response_model=StudyBody[DuplicateList])
    async def show_duplicates(response: Response, collection: Annotated[str, which] = "") -> StudyBody[DuplicateList]:
        """Groups of pictures that are the same but for size, cut or compression; 202 while they are being found."""
        study = await desk.run(desk.duplicate_view, collection=collection)
        return _study(StudyBody[DuplicateList], study, response)


def _add_single(router: "APIRouter", desk: ImageDesk) -> None:
    """Single pictures."""
    from fastapi import Path, Query, Request, Response

    which = Query(description="Empty takes `images`, else the first there is.", max_length=255)
    key = Path(description="Key of a picture, from a hit.", min_length=1, max_length=64)

    @router.post(
        "",
        summary="Store a picture",
        response_model=AddedImageBody,
        status_code=201,
        openapi_extra=_body_of(PICTURE_PART),
    )
    async def add(request: Request, given: Annotated[AddParameters, Query()]) -> AddedImageBody:
        """Stores one picture; the same file of the same source again is the same picture."""
        form = await read_pictures(request)
        asked = _merged(given, form)
        if len(form.pictures) != 1:
            raise UsageError(f"{len(form.pictures)} pictures were sent", hint="send one: curl -F picture=@cat.jpg ...")
        added = await desk.run(desk.add, form.pictures[0], **asked.model_dump())
        return AddedImageBody.model_validate(added)

    @router.get("/{image_id}", summary="Read what is known of a picture", response_model=ImageBody)
    async def read(image_id: Annotated[str, key], collection: Annotated[str, which] = "") -> ImageBody:
        """Name, label, source, size and hashes."""
        return ImageBody(**(await desk.run(desk.read, image_id, collection=collection)).as_dict())

    @router.get("/{image_id}/similar", summary="Find similar pictures", response_model=ImageAnswerBody)
    async def similar(
        image_id: Annotated[str, key],
        limit: Annotated[int, Query(description="Most hits.", ge=1)] = 20,
        collection: Annotated[str, which] = "",
    ) -> ImageAnswerBody:
        """Pictures nearest to this one; itself left out."""
        asked = SearchParameters(like=[image_id], limit=limit, collection=collection)
        return await _search(desk, PictureForm(), asked)

    @router.get("/{image_id}/thumbnail", summary="Small picture", response_class=Response)
    async def thumbnail(image_id: Annotated[str, key], collection: Annotated[str, which] = "") -> Response:
        """A JPEG of at most 256 pixels on a side."""
        content = await desk.run(desk.thumbnail, image_id, collection=collection)
        return Response(content, media_type="image/jpeg", headers=_KEPT)

    @router.get("/{image_id}/original", summary="Large picture", response_class=Response)
    async def original(image_id: Annotated[str, key], collection: Annotated[str, which] = "") -> Response:
        """The picture as large as it was kept, as a JPEG encoded anew: never the bytes that were uploaded."""
        content = await desk.run(desk.original, image_id, collection=collection)
        return Response(content, media_type="image/jpeg", headers=_KEPT)

    @router.delete("/{image_id}", summary="Remove a picture", response_model=ImageBody)
    async def delete(image_id: Annotated[str, key], collection: Annotated[str, which] = "") -> ImageBody:
        """Removes the picture with its files and tells what it was."""
        return ImageBody(**(await desk.run(desk.delete, image_id, collection=collection)).as_dict())


def read_box(text: str) -> Box | None:
    """The part of a picture that `left,top,right,bottom` names; None for an empty text.

    >>> read_box("0.25,0,0.75,1")
    Box(left=0.25, top=0.0, right=0.75, bottom=1.0)

    Raises:
        UsageError: it is not that, or not inside the picture.
    """
    if not text:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"crop is {text!r}", hint="write crop=left,top,right,bottom: crop=0.25,0,0.75,1") from None
    return Box(left=left, top=top, right=right, bottom=bottom)


async def _search(desk: ImageDesk, form: PictureForm, asked: SearchParameters) -> ImageAnswerBody:
    query = ImageQuery(
        pictures=_contents(form.pictures),
        negative_pictures=_contents(form.unlike),
        ids=asked.like,
        negative_ids=asked.unlike,
        box=read_box(asked.crop),
        text=asked.text,
        label=asked.label,
        source=asked.source,
        min_score=asked.min_score,
        limit=_check_limit(asked.limit, desk.settings.result_limit),
    )
    return _answer(await desk.run(desk.search, query, collection=asked.collection))


def _contents(uploads: Sequence[Any]) -> list[bytes]:
    return [upload.content for upload in uploads]


def _merged(given: _Parameters, form: PictureForm) -> _Parameters:
    """The parameters with those of the form, checked as those of the query part were."""
    from fastapi.exceptions import RequestValidationError

    if not form.fields:
        return given
    lists = {name for name, field in type(given).model_fields.items() if isinstance(field.default, list)}
    fields = {name: values if name in lists else values[-1] for name, values in form.fields.items()}
    try:
        return type(given).model_validate({**given.model_dump(exclude_unset=True), **fields})
    except ValidationError as error:
        found = [
            {**one, "loc": ("form", *one["loc"])} for one in error.errors(include_url=False, include_context=False)
        ]
        raise RequestValidationError(found) from None


def _study(body: type[_Body], study: "Study", response: Any) -> _Body:
    if study.state == "running":
        response.status_code = 202
        response.headers["Retry-After"] = "1"
    return body(state=study.state, duration_s=study.duration_s, value=study.value)


def _check_limit(limit: int, maximum: int) -> int:
    if limit > maximum:
        raise LimitError(
            f"limit is {limit}, more than {maximum}",
            hint="ask for less, or raise the setting result_limit",
            context={"limit": maximum, "setting": "result_limit"},
        )
    return limit


def _answer(answer: ImageAnswer) -> ImageAnswerBody:
    names = ImageHitBody.model_fields
    hits = [ImageHitBody(**{name: getattr(hit, name) for name in names}) for hit in answer.hits]
    timing = ImageTiming(
        decode_ms=answer.decode_ms, embed_ms=answer.embed_ms, milvus_ms=answer.milvus_ms, total_ms=answer.total_ms
    )
    return ImageAnswerBody(collection=answer.collection, encoder=answer.encoder, hits=hits, timing=timing)


def _body_of(*parts: str) -> dict[str, Any]:
    """How OpenAPI says that a route takes a form with files, or one file as the whole body."""
    file = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form = {"type": "object", "properties": dict.fromkeys(parts, file)}
    whole = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": form}, "image/*": whole}}}
