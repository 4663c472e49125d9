"""Judged queries: which documents answer which question, and how well. Readers of the forms that people have.

| form | what is given |
|---|---|
| BEIR | a folder with `queries.jsonl` and `qrels/*.tsv` (and `corpus.jsonl`, which is loaded like any JSONL file) |
| TREC | a file of judgements (`query 0 document grade`), and one of topics: `.tsv`, or XML of either style |
| JSONL | one file, a query on each line: `{"query": "...", "relevant": ["document", ...]}` or `{"document": grade}` |

A file that cannot be read is refused with the number of the line; nothing is passed over in silence.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from milvuslab.model.errors import MilvusLabError, NotFoundError, SchemaError, UsageError

__all__ = ["Judgements", "read_beir", "read_judgements", "read_trec", "write_beir"]

_SPLITS = ("test", "dev", "train")
_LIMIT_BYTES = 1_000_000_000
_TOPIC = re.compile(r"<top\b[^>]*>(.*?)</top>", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"<num>\s*(?:Number:)?\s*([^\s<]+)", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*(?:Topic:)?(.*?)(?=<|\Z)", re.DOTALL | re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """Queries with what was judged relevant to them.

    Attributes:
        queries: text of each query by its id.
        relevant: by query id, the judged documents with their grades: 1 and above is relevant.
        unjudged_count: queries without a relevant document, and judgements of queries without a text: left out.

    Raises:
        UsageError: no query has a relevant document.
    """

    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]
    unjudged_count: int = 0

    def __post_init__(self) -> None:
        kept = [
            key for key, grades in self.relevant.items() if key in self.queries and max(grades.values(), default=0) >= 1
        ]
        left_out = len(self.queries.keys() | self.relevant.keys()) - len(kept)
        if not kept:
            raise UsageError(
                "no query with a text has a relevant document", hint="check that queries and judgements share their ids"
            )
        object.__setattr__(self, "queries", {key: self.queries[key] for key in kept})
        object.__setattr__(self, "relevant", {key: dict(self.relevant[key]) for key in kept})
        object.__setattr__(self, "unjudged_count", self.unjudged_count + left_out)


def read_judgements(path: str | Path, *, topics: str | Path = "", split: str = "") -> Judgements:
    """Judged queries from a BEIR folder, a JSONL file, or a TREC file with its topics.

    Args:
        path: the folder or file.
        topics: file of the queries' texts, for a TREC file.
        split: which of a BEIR folder's `qrels`; empty takes `test`, else `dev`, else `train`.

    Raises:
        NotFoundError: a file is not there.
        SchemaError: a line is wrong; the message has its number.
        UsageError: a TREC file without topics, or nothing is relevant.
    """
    place = Path(path)
    if place.is_dir():
        return read_beir(place, split=split)
    if place.suffix == ".jsonl":
        return _read_lines(place)
    if not topics:
        _check_file(place)
        raise UsageError(
            f"{place} holds judgements, but not what was asked",
            hint="name the file of the queries too: --topics FILE; or give a BEIR folder, or a .jsonl file",
        )
    return read_trec(place, topics=topics)


def read_beir(folder: str | Path, *, split: str = "") -> Judgements:
    """Judged queries of a folder in BEIR's form (the documents are in its `corpus.jsonl`).

    Raises:
        NotFoundError, SchemaError, UsageError: as `read_judgements`.
    """
    place = Path(folder)
    queries: dict[str, str] = {}
    for number, row in _json_lines(place / "queries.jsonl"):
        key, text = row.get("_id"), row.get("text")
        if not isinstance(key, str) or not isinstance(text, str) or not text.strip():
            raise _wrong(place / "queries.jsonl", number, "a query needs `_id` and `text`, both texts")
        _put(queries, key, text.strip(), where=(place / "queries.jsonl", number))
    return Judgements(queries=queries, relevant=_read_table(_qrels_of(place, split), columns=3))


def read_trec(path: str | Path, *, topics: str | Path) -> Judgements:
    """Judged queries of a TREC file, with the texts of another.

    Args:
        path: lines of `query iteration document grade`.
        topics: `.tsv` with `query<TAB>text` lines, or XML: `<topic number="1"><query>...` or `<top><num>...<title>...`.

    Raises:
        NotFoundError, SchemaError, UsageError: as `read_judgements`.
    """
    place = Path(topics)
    text = _read_text(place)
    queries = _xml_topics(place, text) if text.lstrip().startswith("<") else _tsv_topics(place, text)
    return Judgements(queries=queries, relevant=_read_table(Path(path), columns=4))


def write_beir(folder: str | Path, judgements: Judgements, *, corpus: Mapping[str, Mapping[str, Any]]) -> None:
    """A folder in BEIR's form that `read_beir` reads back.

    Args:
        folder: made when it is not there; its three files are replaced.
        judgements: the queries.
        corpus: by document id, what its line says besides `_id`: `title`, `text`, and whatever else.
    """
    place = Path(folder)
    (place / "qrels").mkdir(parents=True, exist_ok=True)
    _write_lines(place / "corpus.jsonl", ({"_id": key, **row} for key, row in corpus.items()))
    _write_lines(place / "queries.jsonl", ({"_id": key, "text": text} for key, text in judgements.queries.items()))
    rows = [f"{q}\t{d}\t{grade}\n" for q, grades in judgements.relevant.items() for d, grade in grades.items()]
    (place / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), "utf-8")


def _read_lines(path: Path) -> Judgements:
    queries: dict[str, str] = {}
    relevant: dict[str, Mapping[str, int]] = {}
    for number, row in _json_lines(path):
        text, judged = row.get("query"), row.get("relevant")
        if isinstance(judged, list):
            judged = dict.fromkeys(judged, 1)
        if not isinstance(text, str) or not text.strip() or not isinstance(judged, dict):
            raise _wrong(path, number, 'write it as {"query": "...", "relevant": ["DOCUMENT_ID"]}')
        if not all(isinstance(key, str) and type(grade) is int for key, grade in judged.items()):
            raise _wrong(path, number, "`relevant` holds document ids, or {document id: whole number}")
        key = str(row.get("query_id", number))
        _put(queries, key, text.strip(), where=(path, number))
        relevant[key] = judged
    return Judgements(queries=queries, relevant=relevant)


def _qrels_of(folder: Path, split: str) -> Path:
    for name in (split,) if split else _SPLITS:
        if (folder / "qrels" / f"{name}.tsv").is_file():
            return folder / "qrels" / f"{name}.tsv"
    raise NotFoundError(
        f"{folder} has no qrels/{split or 'test'}.tsv",
        hint="a BEIR folder holds corpus.jsonl, queries.jsonl and qrels/test.tsv",
    )


def _read_table(path: Path, *, columns: int) -> dict[str, dict[str, int]]:
    """Grades by query and document; of three columns query, document and grade, of four with one that is ignored."""
    relevant: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        cells = line.split("\t") if columns == 3 else line.split()
        if not line.strip() or (columns == 3 and number == 1 and not _is_grade(cells[-1])):
            continue
        if len(cells) != columns or not _is_grade(cells[-1]):
            wanted = "query<TAB>document<TAB>grade" if columns == 3 else "query 0 document grade"
            raise _wrong(path, number, f"{line[:80]!r} is not `{wanted}`, the grade a whole number")
        query, document = cells[0].strip(), cells[-2].strip()
        if document in relevant.setdefault(query, {}):
            raise _wrong(path, number, f"document {document} is judged twice for query {query}")
        relevant[query][document] = int(cells[-1])
    return relevant


def _tsv_topics(path: Path, text: str) -> dict[str, str]:
    queries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, tab, query = line.partition("\t")
        if not tab or not key.strip() or not query.strip():
            raise _wrong(path, number, f"{line[:80]!r} is not `query<TAB>text`")
        _put(queries, key.strip(), query.strip(), where=(path, number))
    return queries


def _xml_topics(path: Path, text: str) -> dict[str, str]:
    """Topics of either style. The old one is no XML (its tags are not closed), so both are found by their tags."""
    if _TOPIC.search(text):
        found = [(match.start(), _NUMBER.search(match[1]), _TITLE.search(match[1])) for match in _TOPIC.finditer(text)]
        topics = [(start, number and number[1], title and title[1]) for start, number, title in found]
    else:
        topics = list(_numbered_topics(path, text))
    queries: dict[str, str] = {}
    for start, key, query in topics:
        number = text.count("\n", 0, start) + 1
        if not key or not query or not query.strip():
            raise _wrong(path, number, "a topic has no number, or no title or query")
        _put(queries, key, " ".join(query.split()), where=(path, number))
    if not queries:
        raise SchemaError(f"{path} holds no topic", hint='write <topic number="1"><query>...</query></topic>')
    return queries


def _numbered_topics(path: Path, text: str) -> Iterator[tuple[int, str | None, str | None]]:
    from xml.etree import ElementTree as Tree

    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SchemaError(f"{path} declares a document type", hint="take that line out: topics need none")
    try:
        root = Tree.fromstring(text)  # noqa: S314 -- as above
    except Tree.ParseError as error:
        raise _wrong(path, error.position[0], f"no XML: {error}") from None
    starts = [match.start() for match in re.finditer(r"<topic\b", text)]
    for start, topic in zip(starts, root.iter("topic"), strict=False):
        key = topic.get("number") or topic.get("id") or topic.findtext("number")
        yield start, key, topic.findtext("query") or topic.findtext("title")


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _wrong(path, number, f"no JSON: {error}") from None
        if not isinstance(row, dict):
            raise _wrong(path, number, "each line is a JSON object")
        yield number, row


def _read_text(path: Path) -> str:
    _check_file(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise _wrong(path, line, f"it is no UTF-8; iconv -t UTF-8 {path}") from None


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", hint="check the path")
    if path.stat().st_size > _LIMIT_BYTES:
        raise UsageError(f"{path} is larger than {_LIMIT_BYTES:,} bytes", hint="judge fewer queries at a time")


def _put(queries: dict[str, str], key: str, text: str, *, where: tuple[Path, int]) -> None:
    if key in queries:
        raise _wrong(*where, f"query {key} comes twice")
    queries[key] = text


def _is_grade(cell: str) -> bool:
    return re.fullmatch(r"\s*[+-]?\d+\s*", cell) is not None


def _wrong(path: Path, number: int, what: str) -> MilvusLabError:
    return SchemaError(f"{path}:{number}: {what}", hint="docs/howto/text-quality.md shows the forms that are read")


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
