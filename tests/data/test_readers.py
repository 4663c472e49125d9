"""What each reader takes from a file, and what it says about what it leaves."""

import csv
import functools
import io
import json
import logging
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvuslab.data.readers import FORMATS, format_of, read_documents
from milvuslab.model.errors import LimitError, NotFoundError, SchemaError, UnsupportedError, UsageError


def read(path, **options):
    """Documents, and what was skipped as (kind, row)."""
    skipped = []
    options.setdefault("language", None)
    options.setdefault("source", "s")
    items = list(read_documents(path, on_skip=skipped.append, **options))
    return [item.document for item in items], skipped


def test_jsonl_takes_good_lines_and_names_each_bad_one(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + b"\n".join(
            (
                json.dumps({"text": "한국어 글", "title": "제목", "id": "k1", "date": "2024-02-29"}).encode(),
                b"{broken",
                b"[1, 2]",
                b'{"title": "no text"}',
                b'{"text": 5}',
                b'{"text": "  "}',
                b'{"text": "\xff"}',
                b'{"text": "x", "date": "yesterday"}',
                b'{"text": "x", "url": "javascript:alert(1)"}',
                b'{"text": "' + b"x" * 2000 + b'"}',
                b"",
                b'{"text": "last \\ud800 one", "lang": "en-GB"}',
            )
        )
    )
    documents, skipped = read(path, document_limit_chars=1000)
    assert [(d.document_id, d.title, d.text, d.language, d.published_at_s) for d in documents] == [
        ("s-k1", "제목", "한국어 글", "ko", 1_709_164_800),
        (documents[1].document_id, "last  one", "last  one", "en", None),
    ]
    assert [(s.kind, s.row) for s in skipped] == [
        ("row", 2),
        ("row", 3),
        ("row", 4),
        ("row", 5),
        ("empty", 6),
        ("encoding", 7),
        ("field", 8),
        ("field", 9),
        ("too long", 10),
    ]
    assert "yesterday" in skipped[6].reason


def test_a_line_longer_than_any_document_is_passed_over_without_being_held(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "first"}\n{"text": "')
        for _ in range(40):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"text": "last"}\n')
    tracemalloc.start()
    documents, skipped = read(path, document_limit_chars=1000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [d.text for d in documents] == ["first", "last"]
    assert [(s.kind, s.row) for s in skipped] == [("too long", 2)]
    assert peak_bytes < 5_000_000


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('"\n,;\t'), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=8), delimiter=st.sampled_from(",;\t|"))
def test_csv_gives_what_was_written(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "title"), *(("x" + text + "x", title) for text, title in rows)])
    path.write_text(written.getvalue(), "utf-8", newline="")
    documents, skipped = read(path)
    assert skipped == []
    assert len(documents) == len(rows)
    for document, (text, _) in zip(documents, rows, strict=True):
        assert document.text.startswith("x")
        assert len(document.text) <= 2 * len(text) + 2


def test_csv_names_rows_that_do_not_fit_by_their_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'text,title\n"two\nlines",first\nonly one cell\na,b,c\n' + b"\xb0\xa1,korean\n" + b"good,last\n")
    documents, skipped = read(path)
    assert [d.title for d in documents] == ["first", "last"]
    assert [(s.kind, s.row) for s in skipped] == [("row", 4), ("row", 5), ("encoding", 6)]


def test_a_korean_csv_in_cp949_is_read_when_its_encoding_is_named(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("제목,본문\n인사,안녕하세요 여러분\n".encode("cp949"))
    documents, _ = read(path, encoding="cp949")
    assert [(d.title, d.text, d.language) for d in documents] == [("인사", "안녕하세요 여러분", "ko")]
    with pytest.raises(SchemaError, match="cp949"):
        read(path)


@pytest.mark.parametrize("limit_before_bytes", [131_072, 50_000_000], ids=["as Python starts", "raised by others"])
def test_a_quote_that_is_never_closed_does_not_swallow_the_file_silently(tmp_path, request, limit_before_bytes):
    request.addfinalizer(functools.partial(csv.field_size_limit, csv.field_size_limit(limit_before_bytes)))
    path = tmp_path / "rows.csv"
    path.write_text('text,title\n"open,x\n' + "many lines follow,x\n" * 40_000, "utf-8")
    with pytest.raises(LimitError, match="begins in line 2 does not end") as caught:
        read(path, document_limit_chars=1000)
    assert "quote" in caught.value.hint


def test_columns_are_mapped_and_a_missing_text_column_lists_what_there_is(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("art_no,story,when\n7,A long story.,1709208000\n", "utf-8")
    documents, _ = read(path, columns={"text": "story", "id": "art_no", "published_at": "when"})
    assert (documents[0].document_id, documents[0].text, documents[0].published_at_s) == (
        "s-7",
        "A long story.",
        1_709_208_000,
    )
    with pytest.raises(SchemaError, match="art_no, story, when"):
        read(path)
    with pytest.raises(UsageError, match="no field 'body'"):
        read(path, columns={"body": "story"})


def test_parquet_rows_come_with_their_types(tmp_path):
    path = tmp_path / "rows.parquet"
    when = pa.array([1_709_208_000_000, None, 0], pa.timestamp("ms", tz="UTC"))
    pq.write_table(pa.table({"text": ["a", "b", None], "id": [1, 2, 3], "timestamp": when}), path)
    documents, skipped = read(path)
    assert [(d.document_id, d.published_at_s) for d in documents] == [("s-1", 1_709_208_000), ("s-2", None)]
    assert [(s.kind, s.row) for s in skipped] == [("row", 3)]


def test_what_is_no_parquet_is_named(tmp_path):
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 but nothing else")
    with pytest.raises(SchemaError, match=r"rows\.parquet cannot be read"):
        read(path)


def test_markdown_becomes_plain_text_under_its_heading(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        '---\ntitle: "From the front"\n---\n# Heading\n\nSome *marked* [text](http://x.y) and `code`.\n\n'
        "- one\n- two\n\n| a | b |\n|---|---|\n| c | d |\n\n```\nline 1\n  line 2\n```\n<script>alert(1)</script>\n",
        "utf-8",
    )
    documents, _ = read(path)
    assert documents[0].title == "From the front"
    assert documents[0].text == (
        "Heading\n\nSome marked text and code.\n\n- one\n- two\n\na | b\n\nc | d\n\nline 1\nline 2"
    )


def test_html_gives_the_main_text_without_the_frame(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(
        "<html><head><title>Site - Page</title><style>x</style></head><body><header>Logo</header><nav>Menu</nav>"
        "<main><h1>Page</h1><p>One <b>bold</b><br>word.</p><aside>Advert</aside><ul><li>first</li><li><p>second</p></li>"
        "</ul><p hidden>secret</p><table><tr><td><p>a</p></td><td>b</td></tr></table><script>x()</script></main>"
        "<footer>Imprint</footer></body></html>",
        "utf-8",
    )
    documents, _ = read(path)
    assert (documents[0].title, documents[0].text) == ("Page", "One bold\nword.\n\n- first\n- second\n\na | b")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('<meta charset="euc-kr"><p>똠방각하 한글'.encode("cp949"), "똠방각하 한글"),
        ("<meta charset='iso-8859-1'><p>caf\xe9 \x93x\x94".encode("latin-1"), "café “x”"),
        (b"\xef\xbb\xbf<p>\xed\x95\x9c", "한"),
        ("<p>한글".encode("utf-16"), "한글"),
        (b"<meta charset=nonsense><p>\xed\x95\x9c", "한"),
    ],
)
def test_html_is_read_in_the_encoding_it_names(tmp_path, raw, text):
    path = tmp_path / "page.html"
    path.write_bytes(raw)
    documents, skipped = read(path)
    assert skipped == []
    assert documents[0].text == text


def test_html_nested_beyond_reason_neither_crashes_nor_hangs(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<div>" * 60_000 + "deep", "utf-8")
    documents, skipped = read(path)
    assert len(documents) + len(skipped) == 1


def test_a_text_in_a_wrong_encoding_is_named_with_the_byte(tmp_path):
    path = tmp_path / "note.txt"
    path.write_bytes("abc 가".encode("cp949"))
    documents, skipped = read(path)
    assert documents == []
    assert (skipped[0].kind, skipped[0].row) == ("encoding", None)
    assert "byte 4 (0xb0)" in skipped[0].reason


def test_a_folder_gives_every_known_file_in_order_and_reports_the_others(tmp_path):
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "b.txt").write_text("B")
    (folder / "a.md").write_text("A")
    (folder / "sub" / "c.TXT").write_text("C")
    (folder / ".hidden" / "d.txt").write_text("D")
    (folder / "empty.txt").write_text("")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "broken.csv").write_text("no,such,columns\n1,2,3\n")
    secret = tmp_path / "secret.txt"
    secret.write_text("outside")
    (folder / "link.txt").symlink_to(secret)
    documents, skipped = read(folder, source=None)
    assert [d.text for d in documents] == ["A", "B", "C"]
    assert {d.source for d in documents} == {"mine"}
    assert {(s.name, s.kind) for s in skipped} == {
        ("broken.csv", "file"),
        ("empty.txt", "empty"),
        ("link.txt", "file"),
        ("picture.png", "format"),
    }


def test_by_default_what_is_skipped_is_logged(tmp_path, caplog):
    path = tmp_path / "rows.jsonl"
    path.write_text("{broken\n")
    with caplog.at_level(logging.WARNING, "milvuslab.data"):
        assert list(read_documents(path)) == []
    assert "rows.jsonl:1 skipped: no JSON" in caplog.text


def test_wrong_calls_say_what_to_do(tmp_path):
    with pytest.raises(NotFoundError, match="no file or folder"):
        read(tmp_path / "missing")
    unknown = tmp_path / "file.xyz"
    unknown.write_text("text")
    with pytest.raises(UnsupportedError) as caught:
        read(unknown)
    assert "markdown" in caught.value.hint
    assert [d.text for d in read(unknown, format="text")[0]] == ["text"]
    with pytest.raises(UsageError, match="no format 'markdwn'") as wrong:
        read(unknown, format="markdwn")
    assert wrong.value.hint == "did you mean markdown?"
    with pytest.raises(UsageError, match="needs settings"):
        read("https://example.org/page.html")


def test_every_format_is_found_by_its_endings_and_types():
    for name, known in FORMATS.items():
        for ending in known.endings:
            assert format_of(f"some.file{ending.upper()}").name == name
        for kind in known.content_types:
            assert format_of("page", content_type=f"{kind}; charset=utf-8").name == name
    assert format_of("page.png", content_type="image/png") is None
