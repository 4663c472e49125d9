"""Words of the page in English and Korean; a test holds both to the same keys and blanks."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LANGUAGES", "WORDS"]

LANGUAGES = ("en", "ko")

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Index types at recall {recall}", "재현율 {recall}에서 본 인덱스 유형"),
    "data": (
        "{name}: {rows} vectors of {dim} dimensions, {metric}, {k} nearest",
        "{name}: {dim}차원 벡터 {rows}개, {metric}, 최근접 {k}개",
    ),
    "answer": (
        "{fastest} answers fastest: {qps} searches a second, P99 {p99}. {smallest} takes the least memory: {memory} by formula.",
        "가장 빠른 것은 {fastest}: 초당 {qps}회, P99 {p99}. 메모리가 가장 적은 것은 {smallest}: 공식으로 {memory}.",
    ),
    "answer_none": (
        "No type was shown to reach the recall. What each came to is below.",
        "목표 재현율에 도달했음이 확인된 유형이 없습니다. 각 유형이 도달한 값은 아래에 있습니다.",
    ),
    "results": ("Tuned to the target", "목표 재현율로 조정한 결과"),
    "results_note": (
        (
            "Each type was tuned until its mean recall was shown to be above {recall} with {confidence} confidence, by queries "
            "that took no part in the search for the parameters. Figures are medians of repeats."
        ),
        (
            "각 유형은 파라미터 탐색에 쓰지 않은 질의로 평균 재현율이 {recall}보다 높다는 것이 {confidence} 신뢰도로 확인될 때까지 "
            "조정했습니다. 수치는 반복 측정의 중앙값입니다."
        ),
    ),
    "type": ("type", "유형"),
    "server": ("server", "서버"),
    "params": ("parameters", "파라미터"),
    "recall": ("recall", "재현율"),
    "qps": ("searches/s", "초당 검색"),
    "p50": ("P50 ms", "P50 ms"),
    "p99": ("P99 ms", "P99 ms"),
    "build": ("build s", "생성 s"),
    "load": ("load s", "적재 s"),
    "memory_formula": ("memory, by formula", "메모리(공식)"),
    "memory_grown": ("server grew by", "서버 증가량"),
    "disk": ("on disk", "디스크"),
    "left_out": ("Not tuned", "조정하지 못한 유형"),
    "state_not_reached": ("recall not reached", "재현율 미도달"),
    "state_unsupported": ("not on this server", "이 서버에 없음"),
    "state_failed": ("failed", "실패"),
    "choose": ("What if I need another recall?", "다른 재현율이 필요하다면?"),
    "choose_note": (
        (
            "The fastest measured setting of each type at or above the recall of the slider. Only the tuned settings were "
            "shown to reach their target; the others are means over {count} queries."
        ),
        (
            "슬라이더의 재현율 이상인 설정 가운데 유형별로 가장 빠른 것입니다. 목표 도달이 확인된 것은 조정한 설정뿐이며, "
            "나머지는 질의 {count}개의 평균입니다."
        ),
    ),
    "none_reaches": ("no measured setting reaches it", "도달하는 설정이 측정되지 않았습니다"),
    "front_qps": ("Recall and throughput", "재현율과 처리량"),
    "front_qps_note": (
        "Up and to the right is better. {in_flight} searches under way; large marks are the tuned settings.",
        "오른쪽 위가 좋습니다. 동시 검색 {in_flight}개이며, 큰 표시가 조정한 설정입니다.",
    ),
    "front_p99": ("Recall and P99", "재현율과 P99"),
    "front_p99_note": (
        "Down and to the right is better. One search at a time, from being sent to its answer.",
        "오른쪽 아래가 좋습니다. 검색을 한 번에 하나씩 보내 응답까지 잰 시간입니다.",
    ),
    "axis_recall": ("recall", "재현율"),
    "axis_qps": ("searches a second", "초당 검색 수"),
    "axis_p99": ("P99, ms", "P99, ms"),
    "axis_seconds": ("seconds", "초"),
    "axis_mb": ("MB", "MB"),
    "cost": ("What it costs", "드는 비용"),
    "bars_build": ("Build time", "생성 시간"),
    "bars_memory": ("Memory", "메모리"),
    "bars_disk": ("Disk", "디스크"),
    "trace_build": ("build", "생성"),
    "trace_load": ("load", "적재"),
    "trace_formula": ("by formula", "공식"),
    "trace_grown": ("server grew by", "서버 증가량"),
    "trace_disk": ("index files", "인덱스 파일"),
    "curves": ("What the parameters do", "파라미터가 하는 일"),
    "curves_note": (
        "Recall rises and throughput falls with the parameter. The dashed line is the target.",
        "파라미터가 커지면 재현율은 오르고 처리량은 떨어집니다. 점선은 목표 재현율입니다.",
    ),
    "conditions": ("Under which conditions", "측정 조건"),
    "machine": ("machine", "장비"),
    "system": ("system", "시스템"),
    "client": ("client", "클라이언트"),
    "servers": ("servers", "서버"),
    "checksum": ("data checksum", "데이터 체크섬"),
    "measured_at": ("measured", "측정 시각"),
    "took": ("took", "소요 시간"),
    "load_line": ("load of the machine before", "측정 전 장비 부하"),
    "gaps": ("Not measured", "측정하지 않은 것"),
    "gap_loops": (
        (
            "Latency under a fixed rate: both loops here wait for answers, so a stalled server looks better than it is. "
            "milvuslab bench run sends by a schedule."
        ),
        (
            "고정 속도에서의 지연 시간: 여기서는 응답을 기다렸다가 다음 검색을 보내므로 멈칫하는 서버가 실제보다 좋아 보입니다. "
            "milvuslab bench run은 일정에 따라 보냅니다."
        ),
    ),
    "gap_writes": (
        "Writes and deletes during searches, filters, several clients, a network between client and server.",
        "검색 중의 쓰기와 삭제, 필터, 여러 클라이언트, 클라이언트와 서버 사이의 네트워크.",
    ),
    "gap_memory": (
        (
            "The growth of a server holds its own garbage and whatever it keeps for the next index; below about 50 MB it "
            "says little, and the formula more."
        ),
        "서버의 메모리 증가량에는 서버가 아직 돌려주지 않은 메모리가 섞여 있습니다. 50 MB 아래에서는 공식이 더 믿을 만합니다.",
    ),
    "gap_versions": (
        "Types on different servers: their distance is the servers' as much as the types'.",
        "서로 다른 서버의 유형: 그 차이는 유형의 차이이자 서버의 차이입니다.",
    ),
}
"""English, Korean."""
