"""What the home page says in Korean."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS = {
    "home.all_collections": "컬렉션",
    "home.api": "HTTP API",
    "home.api_intro": "검색, 문서, 서버, 작업까지 화면마다 경로가 있습니다.",
    "home.capabilities": "할 수 있는 일",
    "home.collection": "컬렉션",
    "home.data_types": "필드 종류",
    "home.disk": "디스크",
    "home.encoder": "인코더",
    "home.features": "기능",
    "home.heading": "지금 여기서 돌아가는 Milvus",
    "home.index_types": "인덱스 종류",
    "home.images_intro": "그림으로 그림을 찾아봅니다.",
    "home.intro": "이 컴퓨터의 실제 서버들, 그 안에 든 것, 서버마다 할 수 있는 일을 보여 줍니다.",
    "home.jobs": "진행 중인 작업",
    "home.jobs_none": "진행 중인 작업이 없습니다. 시작한 일은 모두 끝났습니다.",
    "home.lab_intro": "같은 벡터로 인덱스를 비교하고, 재현율을 보고 고릅니다.",
    "home.loading": "서버를 찾는 중…",
    "home.memory": "메모리",
    "home.metrics": "메트릭",
    "home.metrics_intro": "이 스튜디오의 상태를 Prometheus에 알려 줍니다.",
    "home.no_collections": "아직 컬렉션이 없습니다. 문서를 추가하거나 예제를 불러오세요: milvuslab text load-samples",
    "home.no_servers": "아직 서버가 없습니다. 시작하기: milvuslab up",
    "home.rows": "행",
    "home.search_intro": "실제 문서를 뜻으로 찾아봅니다.",
    "home.server": "서버",
    "home.state": "상태",
    "home.version": "Milvus {version}",
    "load.loaded": "메모리에 있음",
    "load.loading": "올리는 중",
    "load.not_loaded": "디스크에만 있음",
    "load.unknown": "알 수 없음",
}
