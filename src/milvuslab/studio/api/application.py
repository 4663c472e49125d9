"""The API as one FastAPI application: its routes, and every failure in the one form."""

from typing import TYPE_CHECKING, Any

from milvuslab._version import __version__
from milvuslab.model.errors import MilvusLabError
from milvuslab.studio.api.schemas import Error
from milvuslab.studio.problem import HTTP_CODES, Problem, problem_of

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI, Request, Response

__all__ = ["make_api"]

_DESCRIPTION = """Search real documents by meaning on a real Milvus, add documents, and see how the servers stand.

Every error has the form `{code, message, hint, context, request_id}`. `request_id` is also in the header `X-Request-ID`;
a request may bring its own. When a key is set, send `Authorization: Bearer KEY`."""
_TAGS = [
    {"name": "text", "description": "Documents in, passages found by meaning."},
    {"name": "images", "description": "Pictures in, pictures found by what they show."},
    {"name": "index-lab", "description": "Index types compared on the same data, each tuned to the same recall."},
    {"name": "system", "description": "The studio, its servers, its long work."},
]


def make_api(routers: "list[APIRouter]") -> "FastAPI":
    """The application under `/api`."""
    from fastapi import FastAPI

    shown = {"model": Error, "description": "What failed, and the next step"}
    api = FastAPI(
        title="milvuslab studio",
        version=__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        openapi_url="/api/openapi.json",
        docs_url=None,  # both pages of FastAPI load their programs from elsewhere; ours is /api-reference
        redoc_url=None,
        responses={"4XX": shown, "5XX": shown},
        redirect_slashes=False,
    )
    for router in routers:
        api.include_router(router)
    _add_error_answers(api)
    _describe_key(api)
    return api


def _add_error_answers(api: "FastAPI") -> None:
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import Response
    from starlette.exceptions import HTTPException

    def answer(request: "Request", problem: Problem) -> "Response":
        return Response(
            problem.body(str(request.scope.get("milvuslab.request_id", ""))),
            status_code=problem.status,
            media_type="application/json",
            headers=dict(problem.headers),
        )

    async def on_own_error(request: "Request", error: Exception) -> "Response":
        assert isinstance(error, MilvusLabError)
        return answer(request, problem_of(error))

    async def on_invalid(request: "Request", error: Exception) -> "Response":
        assert isinstance(error, RequestValidationError)
        return answer(request, _invalid(error.errors()))

    async def on_http_error(request: "Request", error: Exception) -> "Response":
        assert isinstance(error, HTTPException)
        return answer(request, _http_problem(error.status_code, str(error.detail), request, dict(error.headers or {})))

    async def on_fault(request: "Request", error: Exception) -> "Response":
        # Raised again by Starlette after this answer; the door logs it with its traceback.
        del error
        return answer(
            request,
            Problem(
                status=500,
                code="internal",
                message="the studio made a mistake",
                hint="the request id leads to the traceback in the studio's log",
            ),
        )

    api.add_exception_handler(MilvusLabError, on_own_error)
    api.add_exception_handler(RequestValidationError, on_invalid)
    api.add_exception_handler(HTTPException, on_http_error)
    api.add_exception_handler(Exception, on_fault)


def _invalid(errors: Any) -> Problem:
    findings = [{"where": ".".join(str(part) for part in found["loc"]), "problem": found["msg"]} for found in errors]
    first = findings[0]
    is_whole_body = first["where"] == "body"
    return Problem(
        status=422,
        code="validation",
        message=f"{first['where']}: {first['problem']}",
        hint="send a JSON object with Content-Type: application/json"
        if is_whole_body
        else "the parameters are described at /api-reference",
        context={"findings": findings[:20]},
    )


def _http_problem(status: int, detail: str, request: "Request", headers: dict[str, str]) -> Problem:
    path = request.scope["path"][:200]
    messages = {
        404: f"there is no route {path}",
        405: f"{request.scope['method']} is not possible on {path}",
        400: "the body cannot be read as JSON in UTF-8",
    }
    hints = {400: "send JSON with Content-Type: application/json"}
    return Problem(
        status=status,
        code=HTTP_CODES.get(status, "bad_request" if status < 500 else "internal"),
        message=messages.get(status, detail),
        hint=hints.get(status, "all routes are listed at /api-reference"),
        headers=headers,
    )


def _describe_key(api: "FastAPI") -> None:
    """Adds to OpenAPI how the key is sent, and takes out FastAPI's own form of a validation error."""
    make = api.openapi

    def describe() -> dict[str, Any]:
        schema = make()
        components = schema.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "studio_key"}}
        schema["security"] = [{"key": []}, {}]
        for name in ("HTTPValidationError", "ValidationError"):
            components.get("schemas", {}).pop(name, None)
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        return schema

    api.openapi = describe  # type: ignore[method-assign]
