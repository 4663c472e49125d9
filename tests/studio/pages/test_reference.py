"""The reference of the API: examples that can be pasted."""

import shlex

from milvuslab.studio.pages.reference import curl_example, list_operations, render_reference
from milvuslab.studio.words.words import Words


def test_every_route_has_a_call_that_a_shell_understands(http):
    schema = http.get("/api/openapi.json").json()
    operations = list(list_operations(schema))
    assert len(operations) >= 8
    for path, method, operation in operations:
        call = shlex.split(
            curl_example(schema, path, method=method, operation=operation, base_url="http://127.0.0.1:1").replace(
                "\\\n", " "
            )
        )
        assert call[0] == "curl"
        assert any(part.startswith("http://127.0.0.1:1/api/v1/") for part in call)
        assert ("-X" in call) == (method == "DELETE")


def test_the_page_explains_parameters_and_bodies(http):
    page = str(render_reference(Words("en"), http.get("/api/openapi.json").json(), base_url="http://h"))
    assert "<code>published_after</code>" in page
    assert "<code>studio</code>" in page
    assert "Content-Type: application/json" in page
