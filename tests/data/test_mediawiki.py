"""Dumps: what is an article, what remains of its markup, and what happens when the dump is damaged."""

import bz2
import time
import tracemalloc

import pytest

from milvuslab.data.readers import read_documents
from milvuslab.data.readers.wikitext import wikitext_to_text
from milvuslab.model.errors import PartialError, SchemaError

from .dumps import HEAD, dump, multistream, page


def read(path, **options):
    skipped = []
    items = list(read_documents(path, on_skip=skipped.append, **options))
    return [item.document for item in items], skipped


def test_an_article_carries_what_the_dump_says(tmp_path):
    path = tmp_path / "dump.xml"
    path.write_bytes(dump([page(12, title="서울 (도시)/역사 & 문화", text="'''서울'''은 [[대한민국]]의 수도이다.")]))
    (document,), _ = read(path)
    assert document.document_id == "kowiki-12"
    assert document.title == "서울 (도시)/역사 & 문화"
    assert document.text == "서울은 대한민국의 수도이다."
    assert (document.language, document.source, document.published_at_s) == ("ko", "kowiki", 1_709_208_000)
    assert document.url == (
        "https://ko.wikipedia.org/wiki/%EC%84%9C%EC%9A%B8_(%EB%8F%84%EC%8B%9C)/%EC%97%AD%EC%82%AC_%26_%EB%AC%B8%ED%99%94"
    )


def test_what_is_no_article_is_counted_not_given(tmp_path):
    path = tmp_path / "dump.xml.bz2"
    pages = [page(1), page(2, redirect=True), page(3, namespace=1), page(4, model="css"), page(5, text="{{stub}}")]
    path.write_bytes(bz2.compress(dump([*pages, page(6, text="x" * 5000), page(7, text="[[a|b]]" * 500)])))
    documents, skipped = read(path, document_limit_chars=400)
    assert [d.document_id for d in documents] == ["kowiki-1"]
    assert [(s.kind, s.row, s.is_fault) for s in skipped] == [
        ("redirect", 2, False),
        ("namespace", 3, False),
        ("format", 4, True),
        ("empty", 5, True),
        ("too long", 6, True),
        ("too long", 7, True),
    ]


def test_of_a_history_the_last_revision_counts(tmp_path):
    path = tmp_path / "dump.xml"
    older = "<revision><id>1</id><timestamp>2001-01-01T00:00:00Z</timestamp><text>old</text></revision>\n    <revision>"
    path.write_bytes(dump([page(1, text="new").replace("<revision>", older, 1)]))
    (document,), _ = read(path)
    assert (document.text, document.published_at_s) == ("new", 1_709_208_000)


PAGES = [page(i) for i in range(1, 31)]


@pytest.mark.parametrize(
    ("name", "raw", "good_count"),
    [
        ("cut.xml", dump(PAGES)[:-2000], 24),
        ("no-end.xml", dump(PAGES).replace(b"</mediawiki>", b""), 30),
        ("bad.xml", dump(PAGES).replace(b"<title>Page 11<", b"<title>Page <b 11<"), 10),
        ("doctype.xml", b'<!DOCTYPE x [<!ENTITY a "b">]>' + dump(PAGES), 0),
        ("cut.xml.bz2", multistream(PAGES, pages_per_stream=10)[:-200], 20),
        (
            "hole.xml.bz2",
            multistream(PAGES, pages_per_stream=10).replace(b"BZh9", b"BZx9", 3).replace(b"BZx9", b"BZh9", 2),
            10,
        ),
    ],
)
def test_a_damaged_dump_gives_every_page_before_the_damage_and_then_says_so(tmp_path, name, raw, good_count):
    path = tmp_path / name
    path.write_bytes(raw)
    taken = []
    with pytest.raises((PartialError, SchemaError), match=name) as caught:
        taken.extend(item.document.document_id for item in _collect(path, taken))
    assert taken == [f"kowiki-{i}" for i in range(1, good_count + 1)]
    assert caught.value.hint
    if good_count:
        assert caught.value.done_count == good_count
        assert caught.value.resume_token.endswith(f"@{name}")


def _collect(path, taken):
    for item in read_documents(path):
        taken.append(item.document.document_id)
    return ()


@pytest.mark.parametrize("raw", [b"", b"plain text", b"<html><p>page", b"BZh9 no", b"\x1f\x8bno", bz2.compress(b"x")])
def test_what_is_no_dump_is_named(tmp_path, raw):
    path = tmp_path / "dump.xml.bz2"
    path.write_bytes(raw)
    with pytest.raises(SchemaError, match=r"dump\.xml\.bz2 cannot be read: no MediaWiki export"):
        read(path)


def test_memory_does_not_grow_with_the_dump(tmp_path):
    path = tmp_path / "dump.xml.bz2"
    with bz2.open(path, "wb", compresslevel=1) as file:
        file.write(HEAD.encode())
        for number in range(1200):
            file.write(page(number, text="A sentence of some length. " * 200, redirect=number % 12 != 0).encode())
        file.write(b"</mediawiki>")
    next(iter(read_documents(path)))  # imports are not what is measured
    tracemalloc.start()
    count = sum(1 for _ in read_documents(path, on_skip=lambda _: None))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100
    assert peak_bytes < 6_000_000, f"{peak_bytes:,} bytes for a dump of 6.8 MB"


def test_going_on_in_a_multistream_dump_begins_at_the_stream(tmp_path):
    path = tmp_path / "dump.xml.bz2"
    raw = multistream(PAGES, pages_per_stream=10)
    path.write_bytes(raw)
    token = list(read_documents(path))[24].resume_token
    offset = int(token.split(":")[0])
    assert raw[offset : offset + 3] == b"BZh"
    # What lies before the stream is not read again: it may even be gone, but for the head.
    head_bytes = len(bz2.compress(HEAD.encode()))
    path.write_bytes(raw[:head_bytes] + b"\0" * (offset - head_bytes) + raw[offset:])
    assert [i.document.document_id for i in read_documents(path, resume_token=token)] == [
        f"kowiki-{n}" for n in range(26, 31)
    ]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("'''Bold''' and ''italic'' [[link]] [[target|shown]]s.", "Bold and italic link showns."),
        ("A<ref>note</ref> b<ref name=x /> c.", "A b c."),
        ("Before {{Infobox|a=[[b]]|c={{d}}}} after.", "Before after."),
        ("{| class=x\n|-\n| a || {{b}}\n{|\n| nested\n|}\n|}\nText.", "Text."),
        ("[[File:a.jpg|thumb|A [[caption]].]]Text.[[Category:X]] [[fr:Y]]", "Text."),
        ("[[파일:가.jpg|섬네일|설명]]본문.[[분류:나]]", "본문."),
        ("[http://a.b Label] and [http://c.d] and http://e.f/", "Label and and http://e.f/"),
        ("Born ({{IPAc-en|x}}; {{lang|ko|한국}}) here.", "Born (한국) here."),
        ("It is {{convert|10|km|mi}} or {{convert|1|to|2|km2}} far.", "It is 10 km or 1 to 2 km² far."),
        ("a&nbsp;b &amp; c &lt;d&gt; {{nowrap|e f}}", "a b & c <d> e f"),
        ("x <!-- gone --> y", "x y"),
        ("== Life ==\nText.\n== Empty ==\n=== Also empty ===\n== References ==\n* a\n=== Books ===\n* b\n== End ==\nZ.",
         "Life\n\nText.\n\nEnd\n\nZ."),
        ("본문.\n== 같이 보기 ==\n* [[가]]\n== 각주 ==\n{{각주}}", "본문."),
        ("* one\n* two\n** three\nPara.\n: indented", "- one\n- two\n- three\n\nPara.\n\nindented"),
        ("The <math>\\alpha</math> and <math>\\frac{a}{b}</math> rays, <math>x^2</math>.", "The α and rays, x^2."),
        ("line<br/>break", "line\n\nbreak"),
        ("<gallery>\nFile:a.jpg|b\n</gallery>Text.", "Text."),
        ("__NOTOC__Text.", "Text."),
        ("Unclosed {{template and [[link", "Unclosed {{template and [[link"),
        ("<nowiki>[[kept]]</nowiki>", "[[kept]]"),
        ("", ""),
    ],
)  # fmt: skip
def test_markup_becomes_what_a_person_reads(markup, text):
    assert wikitext_to_text(markup) == text


@pytest.mark.parametrize(
    "mark",
    ["{{", "[[", "'", "{|\n", "<ref>", "<b>", "(", "=", "( ", " ,", "{{a|", "[[a|", "\n==", "<!--", ":", "\n*", "<b>x", "<nowiki>"],
)  # fmt: skip
def test_unbalanced_markup_costs_no_more_than_its_length(mark):
    # CPU time, so that a busy machine does not matter; before marks were counted some of these took minutes.
    started_s = time.process_time()
    wikitext_to_text(mark * 10_000)
    assert time.process_time() - started_s < 5
