"""The reference of the HTTP API as a page, made from its OpenAPI document; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.words.words import Words

__all__ = ["curl_example", "list_operations", "render_reference"]


def render_reference(words: Words, schema: Mapping[str, Any], *, base_url: str) -> Html:
    """All routes with their parameters and a call that works."""
    routes = [
        _route(words, schema, path, method=method, operation=operation, base_url=base_url)
        for path, method, operation in list_operations(schema)
    ]
    return join(
        tag("h1", words("api.heading")),
        tag("p", words("api.intro"), " ", tag("a", words("api.schema"), href="/api/openapi.json"), class_="lead"),
        routes,
    )


def list_operations(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Path, method and description of each route, in the order of the document."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            yield path, method.upper(), operation


def curl_example(
    schema: Mapping[str, Any], path: str, *, method: str, operation: Mapping[str, Any], base_url: str
) -> str:
    """A command that calls the route with the examples of its parameters."""
    address = base_url + re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)
    parts = ["curl"]
    if method not in ("GET", "POST"):
        parts += ["-X", method]
    query = [
        (parameter["name"], _example(parameter["schema"]) or _example(parameter))
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and parameter.get("required")
    ]
    body = _body_schema(schema, operation)
    if query:
        parts.append("-G")
    parts.append(address)
    lines = [shlex.join(parts)]
    lines += [f"  --data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in query]
    if body is not None:
        lines.append("  -H 'Content-Type: application/json'")
        lines.append(f"  -d {shlex.quote(json.dumps(body.get('examples', [{}])[0], ensure_ascii=False))}")
    return " \\\n".join(lines)


def _route(
    words: Words, schema: Mapping[str, Any], path: str, *, method: str, operation: Mapping[str, Any], base_url: str
) -> Html:
    fields = [_parameter(words, parameter) for parameter in operation.get("parameters", ())]
    body = _body_schema(schema, operation)
    body_fields = [] if body is None else [
        _field(words, name, field.get("description", ""), is_required=name in body.get("required", ()))
        for name, field in body["properties"].items()
    ]  # fmt: skip
    return tag(
        "section",
        tag(
            "div",
            tag("h2", operation["summary"]),
            tag("p", tag("span", method, class_="method"), path, class_="route-path"),
            tag("p", _with_code(operation.get("description", "")), class_="quiet"),
            join(tag("h4", words("api.parameters")), tag("dl", fields)) if fields else None,
            join(tag("h4", words("api.body")), tag("dl", body_fields)) if body_fields else None,
        ),
        tag(
            "div",
            tag("h4", words("api.example")),
            tag("pre", curl_example(schema, path, method=method, operation=operation, base_url=base_url)),
        ),
        class_="route",
    )


def _parameter(words: Words, parameter: Mapping[str, Any]) -> Html:
    return _field(
        words, parameter["name"], parameter.get("description", ""), is_required=bool(parameter.get("required"))
    )


def _field(words: Words, name: str, description: str, *, is_required: bool) -> Html:
    required = tag("span", words("api.required"), class_="badge") if is_required else None
    return tag("div", tag("dt", tag("code", name), " ", required), tag("dd", _with_code(description)))


def _with_code(text: str) -> list[str | Html | None]:
    """The text with what stands between backticks set as code."""
    return [tag("code", part) if position % 2 else part for position, part in enumerate(text.split("`"))]


def _body_schema(schema: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    found: Mapping[str, Any] = schema["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[-1]]
    return found


def _example(described: Mapping[str, Any]) -> str:
    examples = described.get("examples") or ()
    return str(examples[0]) if examples else ""
