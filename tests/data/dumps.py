"""Small MediaWiki exports in every packing, written out by hand."""

import bz2
from xml.sax.saxutils import escape

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="ko">
  <siteinfo>
    <sitename>위키백과</sitename>
    <dbname>kowiki</dbname>
    <base>https://ko.wikipedia.org/wiki/%EC%9C%84%ED%82%A4</base>
    <namespaces><namespace key="0" case="first-letter" /><namespace key="1">토론</namespace></namespaces>
  </siteinfo>
"""


def page(number, *, text=None, redirect=False, namespace=0, title=None, model="wikitext"):
    target = '<redirect title="Somewhere" />' if redirect else ""
    return f"""  <page>
    <title>{escape(title or f"Page {number}")}</title><ns>{namespace}</ns><id>{number}</id>{target}
    <revision><id>9{number}</id><timestamp>2024-02-29T12:00:00Z</timestamp>
      <contributor><username>Somebody</username><id>77</id></contributor>
      <model>{model}</model><format>text/x-wiki</format>
      <text bytes="1" xml:space="preserve">{escape(text or f"Text of '''page {number}'''.")}</text>
    </revision>
  </page>
"""


def dump(pages):
    return (HEAD + "".join(pages) + "</mediawiki>\n").encode()


def multistream(pages, *, pages_per_stream):
    groups = [pages[i : i + pages_per_stream] for i in range(0, len(pages), pages_per_stream)]
    streams = [HEAD, *("".join(group) for group in groups), "</mediawiki>\n"]
    return b"".join(bz2.compress(stream.encode()) for stream in streams)
