"""The page of an evaluation: one HTML file that opens without a network, in English and Korean.

It opens with what was measured and what was not; then one table, the figures and the groups.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from pathlib import Path

from milvuslab.apps.image.evaluate import ImageEvaluation, Measure
from milvuslab.apps.image.figures import make_bars, make_confusion, make_map
from milvuslab.bench.figures import read_plotly_script, render_figure
from milvuslab.machine import write_text

__all__ = ["render_evaluation", "write_evaluation"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #d8dee4;text-align:right}
td:first-child,th:first-child{text-align:left}img{max-width:100%}code{background:#f3f4f6;padding:.1rem .3rem}
.note{color:#57606a}button{float:right;font:inherit}html[lang=en] [lang=ko],html[lang=ko] [lang=en]{display:none}
"""
_SCRIPT = """
document.getElementById('language').onclick=e=>{const k=document.documentElement.lang==='en';
document.documentElement.lang=k?'ko':'en';e.target.textContent=k?'English':'한국어'}
"""
_WORDS = {
    "title": ("How good is the search of {source}?", "{source} 검색은 얼마나 좋은가?"),
    "about": (
        "{count:,} pictures, {classes} classes, encoder {encoder}, Milvus {server}, through a collection of its own.",
        "이미지 {count:,}장, 분류 {classes}개, 인코더 {encoder}, Milvus {server}. 전용 컬렉션에서 측정했습니다.",
    ),
    "intervals": (
        (
            "Intervals are 95 % bootstrap over pictures; chance is what guessing reaches on the same pictures. A picture is "
            "never its own neighbour, nor is a copy of its file."
        ),
        (
            "구간은 이미지에 대한 95 % 부트스트랩이고, 우연은 같은 이미지에서 무작위로 답했을 때의 값입니다. "
            "자기 자신과 같은 파일의 사본은 이웃으로 세지 않습니다."
        ),
    ),
    "measure": ("measure", "지표"),
    "value": ("value", "값"),
    "interval": ("95 %", "95 %"),
    "chance": ("chance", "우연"),
    "pictures": ("pictures", "이미지"),
    "absent": ("Not measured", "측정하지 않은 것"),
    "corrupt": ("{count:,} files could not be read", "파일 {count:,}개를 읽지 못했습니다"),
    "calibration": (
        (
            "Confidence of the classification is off by {error:.3f} on average (on pictures it was not learnt from); it "
            "answers {answered:.0%} of the pictures and abstains from the rest."
        ),
        (
            "분류 신뢰도의 평균 오차는 {error:.3f}이며(학습에 쓰지 않은 이미지 기준), 전체의 {answered:.0%}에 답하고 나머지는 "
            "보류합니다."
        ),
    ),
    "confusion": ("What is taken for what", "무엇을 무엇으로 분류하는가"),
    "map": ("Map", "지도"),
    "groups": ("Groups, and pictures that fit none", "묶음과 어디에도 맞지 않는 이미지"),
    "near": ("Changed pictures found first (R@1)", "변형된 이미지를 첫째로 찾은 비율 (R@1)"),
    "search": ("Search, classification, groups", "검색, 분류, 묶음"),
    "time": ("Seconds", "걸린 시간(초)"),
}
_MEANINGS = {
    "map@10": ("precision over the first ten of the same class", "같은 분류에 대한 상위 10개의 평균 정밀도"),
    "p@1": ("the nearest is of the same class", "가장 가까운 이미지가 같은 분류"),
    "knn accuracy": ("ten neighbours vote for the right class", "이웃 10개의 투표가 맞은 비율"),
    "nmi": ("groups and classes say the same, 0 to 1", "묶음과 분류의 일치도, 0~1"),
    "ari": ("the same by pairs, 0 by chance", "쌍으로 본 일치도, 우연이면 0"),
    "silhouette": ("how far groups are apart, -1 to 1", "묶음이 떨어진 정도, -1~1"),
}


def write_evaluation(evaluation: ImageEvaluation, path: Path) -> Path:
    """Writes the page and returns its path.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    write_text(path, render_evaluation(evaluation), mode=0o644)
    return path


def render_evaluation(evaluation: ImageEvaluation) -> str:
    """The whole page as text, about 5 MB, most of it the script that draws.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    title = _WORDS["title"][0].format(source=evaluation.source)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
        "<button id='language' type='button'>한국어</button>",
        *_head(evaluation),
        *_table(evaluation.measures),
        f"<script>{read_plotly_script()}</script>",
        *_charts(evaluation),
        *_groups(evaluation),
        *_times(evaluation),
        f"<script>{_SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts)


def _say(key: str, **values: object) -> str:
    english, korean = _WORDS[key]
    return _both(english.format(**values), korean.format(**values))


def _both(english: str, korean: str) -> str:
    return f"<span lang='en'>{html.escape(english)}</span><span lang='ko'>{html.escape(korean)}</span>"


def _head(evaluation: ImageEvaluation) -> Iterator[str]:
    yield f"<h1>{_say('title', source=evaluation.source)}</h1>"
    about = _say(
        "about", count=evaluation.image_count, classes=len(evaluation.label_counts),
        encoder=evaluation.encoder["name"], server=evaluation.server_version,
    )  # fmt: skip
    yield f"<p>{about}</p><p class='note'>{_say('intervals')}</p>"
    if evaluation.calibration_error is not None and evaluation.answered_ratio is not None:
        said = _say("calibration", error=evaluation.calibration_error, answered=evaluation.answered_ratio)
        yield f"<p>{said}</p>"
    missing = [html.escape(one) for one in evaluation.absent]
    if evaluation.ingest.corrupt_count:
        missing.append(_say("corrupt", count=evaluation.ingest.corrupt_count))
    if missing:
        yield f"<h2>{_say('absent')}</h2><ul>" + "".join(f"<li>{one}</li>" for one in missing) + "</ul>"


def _table(measures: tuple[Measure, ...]) -> Iterator[str]:
    head = ("measure", "value", "interval", "chance", "pictures")
    yield "<table><tr>" + "".join(f"<th>{_say(key)}</th>" for key in head) + "<th></th></tr>"
    for one in measures:
        meaning = _MEANINGS.get(one.name)
        note = _both(*meaning) if meaning else ""
        yield (
            f"<tr><td><code>{html.escape(one.name)}</code></td><td>{one.mean:.3f}</td>"
            f"<td>{one.low:.3f} - {one.high:.3f}</td><td>{one.chance:.3f}</td><td>{one.count:,}</td>"
            f"<td style='text-align:left' class='note'>{note}</td></tr>"
        )
    yield "</table>"


def _charts(evaluation: ImageEvaluation) -> Iterator[str]:
    for number, (key, is_near) in enumerate((("search", False), ("near", True))):
        chosen = [one for one in evaluation.measures if one.name.startswith("near") == is_near]
        if chosen:
            values = {one.name: (one.mean, one.low, one.high) for one in chosen}
            figure = make_bars(values, chance={one.name: one.chance for one in chosen})
            yield f"<h2>{_say(key)}</h2>" + render_figure(figure, name=f"bars-{number}")
    if evaluation.confusion is not None:
        yield f"<h2>{_say('confusion')}</h2>" + render_figure(make_confusion(evaluation.confusion), name="confusion")
    yield f"<h2>{_say('map')}</h2>" + render_figure(make_map(evaluation.points), name="map")


def _groups(evaluation: ImageEvaluation) -> Iterator[str]:
    encoded = base64.b64encode(evaluation.sheet).decode("ascii")
    yield f"<h2>{_say('groups')}</h2><img alt='groups' src='data:image/jpeg;base64,{encoded}'>"


def _times(evaluation: ImageEvaluation) -> Iterator[str]:
    yield f"<h2>{_say('time')}</h2><table>"
    for name, seconds in evaluation.durations_s.items():
        yield f"<tr><td>{html.escape(name)}</td><td>{seconds:,.1f}</td></tr>"
    yield "</table>"
