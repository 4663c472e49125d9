"""Texts that the tests of this room share."""

import unicodedata

ENGLISH = [
    "The cat sits on the mat.",
    "A kitten is resting on a rug.",
    "Stock markets fell sharply on Tuesday after the central bank raised interest rates.",
    "The orchestra performed Beethoven's ninth symphony to a full house.",
    "How do I insert a page break in a document?",
    "Photosynthesis converts carbon dioxide and water into sugar with the energy of light.",
]

KOREAN = [
    "서울은 대한민국의 수도이며 한강이 도시를 가로지른다.",
    "부산은 한국 제2의 도시이자 가장 큰 항구이다.",
    "중앙은행이 기준 금리를 올리자 주가가 크게 떨어졌다.",
    "문서에 쪽 나누기를 넣으려면 어떻게 해야 하나요?",
    "고양이가 매트 위에 앉아 있다.",
    "광합성은 빛 에너지로 이산화탄소와 물을 당으로 바꾼다.",
]

MIXED = [
    "Milvus는 벡터 데이터베이스이다. It stores embeddings, 그리고 빠르게 찾는다.",
    "ﬁne café naïve Ⅳ ½ ① ㎏ ﷺ",
    "漢字とかなが混ざった文章です。",
    "Привет, мир! Γειά σου Κόσμε. مرحبا بالعالم",
    "emoji 😀👨‍👩‍👧‍👦 and  two  spaces\tand\nlines\r\n\u00a0\u3000end",
    "한글" * 100,
    "",
    " ",
    "a",
]

EVERYTHING = ENGLISH + KOREAN + MIXED


def in_nfd(text):
    return unicodedata.normalize("NFD", text)
