"""Files from http(s) addresses that somebody else chose: checked address, limit, going on after a break.

A source given as an address must not become a way to reach what only this machine can reach. So the name is resolved
once, every address it resolves to must be a public one, and the connection goes to an address that was checked; the
name is used for the Host header and for TLS only. Redirects are followed by us and checked the same way. Proxies of the
environment are not used: they would resolve the name again.

On disk: `FOLDER/KEY/` holds `part` while it grows, `NAME` when it is whole, and `about.json`. `about.json` is written
before `part`, `NAME` appears by a rename; after a crash at any point the next call goes on or begins again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from milvuslab.model.errors import (
    ForbiddenError,
    LimitError,
    MilvusLabError,
    NotFoundError,
    RejectedError,
    TimedOutError,
    UnreachableError,
    UsageError,
)
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["FetchedFile", "check_address", "fetch_url", "is_public_address"]

_REDIRECT_LIMIT = 5
_ABOUT_VERSION = 1
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A downloaded file.

    Attributes:
        path: where it lies.
        name: file name the address suggests.
        content_type: as the server said, may be empty.
        size_bytes: of the file.
    """

    path: Path
    name: str
    content_type: str
    size_bytes: int


def fetch_url(
    url: str,
    *,
    folder: Path,
    limit_bytes: int,
    are_private_addresses_allowed: bool = False,
    is_offline: bool = False,
    retry_count: int = 3,
    timeout_s: float = 30.0,
    observer: Observer = silent,
) -> FetchedFile:
    """The file behind an address, downloaded below `folder`, or taken from there when the server says it is the same.

    A broken download goes on where it stopped when the server supports ranges and names the version of the file
    (strong ETag or Last-Modified); else it begins again.

    Args:
        timeout_s: deadline of connecting and of each read; the whole download has none, since it may be large.
        retry_count: how often a broken connection is taken up again.

    Raises:
        UsageError: no http(s) address, or one with a password in it.
        ForbiddenError: it is, or leads to, an address that is not public.
        LimitError: it is larger than `limit_bytes`; what came is thrown away.
        NotFoundError: the server says 404 or 410.
        RejectedError: any other answer that is no file.
        UnreachableError: nothing answers, or the network is switched off and the file is not in the cache.
        TimedOutError: the server stopped sending.
    """
    place = _Place(folder, url)
    if is_offline:
        if (kept := place.whole()) is not None:
            return kept
        raise UnreachableError(
            f"{_shown(url)} is not in the cache and fetching is switched off", hint="unset MILVUSLAB_OFFLINE"
        )
    for attempt in range(retry_count + 1):
        try:
            return _fetch_once(
                url,
                place,
                limit_bytes=limit_bytes,
                is_private_allowed=are_private_addresses_allowed,
                timeout_s=timeout_s,
                observer=observer,
            )
        except (UnreachableError, TimedOutError):  # noqa: PERF203 - a handful of attempts
            # Going on is worth it only when something came; else the next attempt would meet the same silence.
            if attempt == retry_count or not place.part_bytes():
                raise
    raise AssertionError("unreachable")


def is_public_address(address: str) -> bool:
    """Whether an IP address is one of the public internet, seen through the ways to write IPv4 inside IPv6.

    >>> [is_public_address(a) for a in ("8.8.8.8", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "::1")]
    [True, False, False, False, False]
    """
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public_address(str(inner))
    return ip.is_global and not ip.is_multicast


def check_address(url: str, *, is_private_allowed: bool = False) -> list[str]:
    """The IP addresses a connection to `url` may go to, in the order the resolver gives them.

    Raises:
        UsageError: no http(s) address, or one with a password in it.
        ForbiddenError: any of its addresses is not public.
        UnreachableError: the name does not resolve.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise UsageError(f"{url[:80]!r} is no address: {error}", hint="write https://HOST/PATH") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{_shown(url)} is no web address", hint="only http:// and https:// are fetched")
    if parts.username or parts.password:
        raise UsageError("the address carries a user or password", hint="fetch the file yourself and pass its path")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(
            f"{parts.hostname} does not resolve: {error}", hint="check the name and the network"
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    private = [address for address in addresses if not is_public_address(address)]
    if private and not is_private_allowed:
        raise ForbiddenError(
            f"{parts.hostname} is {private[0]}, which is not a public address",
            hint="set private_addresses_allowed if you trust whoever names the addresses",
        )
    return addresses


class _Place:
    """Where one address keeps its file."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.folder = folder / hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self.part = self.folder / "part"
        self._about = self.folder / "about.json"

    def about(self) -> dict[str, Any]:
        try:
            about = json.loads(self._about.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return about if isinstance(about, dict) and about.get("version") == _ABOUT_VERSION else {}

    def write_about(self, about: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "about.new"
        fresh.write_text(json.dumps({"version": _ABOUT_VERSION, "url": _shown(self.url), **about}, indent=1), "utf-8")
        fresh.replace(self._about)

    def part_bytes(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def whole(self) -> FetchedFile | None:
        about = self.about()
        path = self.folder / about.get("name", "\0missing") if about else None
        if path is None or not path.is_file() or path.stat().st_size != about.get("size_bytes"):
            return None
        return FetchedFile(
            path=path, name=path.name, content_type=about.get("content_type", ""), size_bytes=about["size_bytes"]
        )


def _fetch_once(
    url: str, place: _Place, *, limit_bytes: int, is_private_allowed: bool, timeout_s: float, observer: Observer
) -> FetchedFile:
    about = place.about()
    whole = place.whole()
    headers = _conditions(about, whole, place.part_bytes())
    with httpx.Client(trust_env=False, timeout=timeout_s, follow_redirects=False) as client:
        for _ in range(_REDIRECT_LIMIT + 1):
            response = _send(client, url, headers, is_private_allowed)
            try:
                if response.has_redirect_location:
                    url = urljoin(url, response.headers["location"])
                    continue
                if response.status_code == 304 and whole is not None:
                    return whole
                return _take(response, url, place, about, limit_bytes=limit_bytes, observer=observer)
            finally:
                response.close()
    raise RejectedError(f"{_shown(place.url)} redirects more than {_REDIRECT_LIMIT} times")


def _conditions(about: Mapping[str, Any], whole: FetchedFile | None, part_bytes: int) -> dict[str, str]:
    """Headers that ask for what is missing. Identity: a range of compressed bytes would not fit what we hold."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "milvuslab"}
    etag, changed = about.get("etag", ""), about.get("last_modified", "")
    if whole is not None:
        headers |= {"If-None-Match": etag} if etag else {"If-Modified-Since": changed} if changed else {}
    elif part_bytes and (validator := etag if etag and not etag.startswith("W/") else changed):
        headers |= {"Range": f"bytes={part_bytes}-", "If-Range": validator}
    return headers


def _send(client: httpx.Client, url: str, headers: Mapping[str, str], is_private_allowed: bool) -> httpx.Response:  # noqa: FBT001
    addresses = check_address(url, is_private_allowed=is_private_allowed)
    name = httpx.URL(url)
    failure: Exception | None = None
    for address in addresses:
        request = client.build_request(
            "GET",
            name.copy_with(host=address),
            headers={**headers, "Host": name.netloc.decode("ascii")},
            extensions={"sni_hostname": name.raw_host.decode("ascii")},
        )
        try:
            return client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
        except httpx.TimeoutException:
            raise TimedOutError(f"{_shown(url)} did not answer in time", hint="try again later") from None
        except httpx.HTTPError as error:
            failure = error
            break
    raise UnreachableError(f"{_shown(url)} does not answer: {failure}", hint="check the address and the network")


def _take(
    response: httpx.Response,
    url: str,
    place: _Place,
    about: Mapping[str, Any],
    *,
    limit_bytes: int,
    observer: Observer,
) -> FetchedFile:
    have = place.part_bytes()
    status = response.status_code
    if status == 206 and _range_start(response) == have:
        start = have
    elif status == 200:
        start = 0
    elif status in (206, 416):
        # The server's idea of the range is not ours: begin again, once, with a clean place.
        place.part.unlink(missing_ok=True)
        raise UnreachableError(f"{_shown(url)} answered with another range than asked", hint="run again")
    else:
        raise _refusal(url, status)
    total = _total_bytes(response, start)
    if total is not None and total > limit_bytes:
        raise _too_large(url, total, limit_bytes, place)
    fresh = {
        "name": _file_name(url, response),
        "content_type": response.headers.get("content-type", ""),
        "etag": response.headers.get("etag", ""),
        "last_modified": response.headers.get("last-modified", ""),
    }
    about = (
        fresh if start == 0 else {**about, **{key: value for key, value in fresh.items() if key != "name" and value}}
    )
    if start == 0:
        place.part.unlink(missing_ok=True)
    place.write_about(about)
    size_bytes = start
    with place.part.open("ab") as file:
        for block in _blocks(response, url):
            size_bytes += len(block)
            if size_bytes > limit_bytes:
                file.close()
                raise _too_large(url, size_bytes, limit_bytes, place)
            file.write(block)
            observer(
                Progress(step="download", done_count=size_bytes, total_count=total, unit="bytes", message=_shown(url))
            )
    if total is not None and size_bytes != total:
        raise UnreachableError(
            f"{_shown(url)} broke off after {size_bytes:,} of {total:,} bytes", hint="run again to go on"
        )
    path = place.folder / about["name"]
    place.part.replace(path)
    place.write_about({**about, "size_bytes": size_bytes})
    return FetchedFile(path=path, name=path.name, content_type=about["content_type"], size_bytes=size_bytes)


def _blocks(response: httpx.Response, url: str) -> Iterator[bytes]:
    try:
        yield from response.iter_raw()  # as it arrives: what is gathered into blocks is lost when the connection breaks
    except httpx.TimeoutException:
        raise TimedOutError(f"{_shown(url)} stopped sending", hint="run again to go on") from None
    except httpx.HTTPError as error:
        raise UnreachableError(f"{_shown(url)} broke off: {error}", hint="run again to go on") from None


def _refusal(url: str, status: int) -> MilvusLabError:
    if status in (404, 410):
        return NotFoundError(f"{_shown(url)} is not there ({status})", hint="check the address")
    return RejectedError(f"{_shown(url)} answered {status}", hint="open it in a browser to see what the server wants")


def _too_large(url: str, size_bytes: int, limit_bytes: int, place: _Place) -> LimitError:
    place.part.unlink(missing_ok=True)
    return LimitError(
        f"{_shown(url)} has {size_bytes:,} bytes or more, allowed are {limit_bytes:,}",
        hint="raise the setting download_limit_bytes",
    )


def _range_start(response: httpx.Response) -> int:
    match = re.match(r"bytes (\d{1,18})-", response.headers.get("content-range", ""))
    return int(match[1]) if match else -1


def _total_bytes(response: httpx.Response, start: int) -> int | None:
    length = response.headers.get("content-length", "")
    return start + int(length) if re.fullmatch(r"\d{1,18}", length) else None


def _file_name(url: str, response: httpx.Response) -> str:
    """Last part of the path, made safe. What the server calls the file (Content-Disposition) is not asked."""
    del response
    last = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    safe = re.sub(r"[^\w.\-]+", "_", last).strip("._")[-120:]
    return safe if safe and safe not in ("part", "about.json", "about.new") else f"page_{safe}".rstrip("_")


def _shown(url: str) -> str:
    """The address for messages: without what may be secret (user, password, query)."""
    return re.sub(r"//[^/@]*@", "//***@", url.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0])[:200]
