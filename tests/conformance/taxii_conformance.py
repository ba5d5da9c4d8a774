#!/usr/bin/env python3
"""Black-box conformance tester for TAXII 2.1 servers (OASIS Standard, 10 June 2021).

    taxii_conformance.py BASE_URL --user U --password P --collection ID [--api-root PATH]
                   [--token T] [--ro-collection ID] [--wo-collection ID]
                   [--denied-user U --denied-password P] [--only PREFIX] [-v] [--json FILE]

BASE_URL is scheme://host:port.  --collection names a collection the account can read AND
write; it may hold other objects.  --ro-collection / --wo-collection are collections that the
same account can only read / only write.  --denied-user is a valid account without any right
on --collection.  Checks that need something not given print SKIP.

Only `requests` is needed.  Everything is seeded through the server's own API; objects get
fresh ids, so the tester can be run again against the same collection.  A server that answers
202 with `pending` is polled until `complete`.

Levels: MUST and SHOULD are the spec's words (section in brackets); EXTRA are robustness
points the spec implies but does not spell out (retry, fidelity, junk input, concurrency).
The last line is "N passed, N failed, N skipped" over all levels.
"""
import argparse
import json
import re
import socket
import ssl
import sys
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import requests

TAXII = "application/taxii+json;version=2.1"
STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")
SCO_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
FIRST, LAST = "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"

CHECKS = []


class Skip(Exception):
    """The check does not apply to this server or needs an option that was not given."""


def check(ident, level, section, text):
    def wrap(function):
        CHECKS.append((ident, level, section, text, function))
        return function
    return wrap


def need(condition, message):
    if not condition:
        raise AssertionError(message)


def one_of(response, *codes):
    need(response.status_code in codes, f"HTTP {response.status_code}, wanted {' or '.join(map(str, codes))}")


def media(response):
    """The Content-Type with optional white space removed."""
    return response.headers.get("Content-Type", "").replace(" ", "").lower()


def is_taxii(response):
    need(media(response) == TAXII, f"Content-Type is {response.headers.get('Content-Type')!r} at HTTP {response.status_code}")


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def key_of(text):
    """A timestamp as a comparable value, whatever its number of digits."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return whole, fraction.rstrip("0")


class Server:
    """The server under test, and the objects this run has put into it."""

    def __init__(self, options):
        self.o = options
        self.base = options.base.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        if options.ca:
            self.session.verify = options.ca
        self.auth = None if options.token else ((options.user, options.password) if options.user else None)
        self.root = None
        self.posts = []
        self.now = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=30)

    # -- requests -----------------------------------------------------------------------
    def call(self, method, path, accept=TAXII, auth="own", headers=None, **more):
        head = {"Accept": accept}
        if auth == "own" and self.o.token:
            head["Authorization"] = "Bearer " + self.o.token
        head.update(headers or {})
        pair = self.auth if auth == "own" else auth
        return self.session.request(method, self.base + path, headers=head, auth=pair, timeout=120, **more)

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def col(self, tail="", cid=None):
        return f"{self.root}collections/{cid or self.o.collection}/{tail}"

    def objects(self, cid=None, **params):
        return self.get(self.col("objects/", cid), params=params)

    def manifest(self, **params):
        return self.get(self.col("manifest/"), params=params)

    def post(self, objects, cid=None, content_type=TAXII, **more):
        data = more.pop("data", None)
        if data is None:
            data = json.dumps({"objects": objects})
        head = {"Content-Type": content_type} if content_type else {}
        return self.call("POST", self.col("objects/", cid), data=data, headers=head, **more)

    def put_in(self, objects):
        """POST an envelope and wait until the server has finished with it."""
        answer = self.post(objects)
        one_of(answer, 202)
        status = answer.json()
        self.posts.append((objects, answer, status))
        return self.finish(status)

    def finish(self, status):
        until = time.monotonic() + 60
        while status.get("status") == "pending" and time.monotonic() < until:
            time.sleep(0.1)
            status = self.get(f"{self.root}status/{status['id']}/").json()
        return status

    # -- data ---------------------------------------------------------------------------
    def sdo(self, kind, version=0, ident=None, **fields):
        created = stamp(self.now)
        made = {"type": kind, "spec_version": "2.1", "id": ident or f"{kind}--{uuid.uuid4()}",
                "created": created, "modified": stamp(self.now + timedelta(hours=version))}
        return {**made, **fields}

    def identity(self, name):
        return self.sdo("identity", name=name, identity_class="organization")

    def setup(self):
        """Find the API root, then seed: 3 versions of an indicator, a malware, an identity, an
        SCO, a marking definition, and 12 + 3 identities for paging."""
        if self.o.api_root:
            self.root = "/" + self.o.api_root.strip("/") + "/"
        else:
            found = self.get("/taxii2/").json()
            url = found.get("default") or found["api_roots"][0]
            self.root = re.sub(r"^https?://[^/]+", "", url)
        now = self.sdo("indicator", name="conformance", pattern="[ipv4-addr:value = '198.51.100.7']",
                       pattern_type="stix", valid_from=stamp(self.now))
        self.versions = [now, {**now, "modified": stamp(self.now + timedelta(hours=1))},
                         {**now, "modified": stamp(self.now + timedelta(hours=2))}]
        self.stamps = [v["modified"] for v in self.versions]
        self.malware = self.sdo("malware", name="conformance", is_family=False)
        self.org = self.identity("Zażółć gęślą jaźń \u2603")
        value = f"198.51.{uuid.uuid4().int % 250}.{uuid.uuid4().int % 250}"
        text = json.dumps({"value": value}, separators=(",", ":"))
        self.sco = {"type": "ipv4-addr", "spec_version": "2.1", "value": value,
                    "id": f"ipv4-addr--{uuid.uuid5(SCO_NAMESPACE, text)}"}
        self.mark = {"type": "marking-definition", "spec_version": "2.1", "created": stamp(self.now),
                     "id": f"marking-definition--{uuid.uuid4()}", "definition_type": "statement",
                     "definition": {"statement": "conformance run"}}
        marker = self.identity("start of run")           # its date added: the server's own clock
        self.put_in([marker])
        self.start = self.manifest(**{"match[id]": marker["id"]}).json()["objects"][0]["date_added"]
        self.posts.clear()
        time.sleep(0.05)
        self.put_in([self.org, self.versions[0], self.malware])
        time.sleep(0.05)
        self.put_in([self.sco, self.mark])
        time.sleep(0.05)
        self.put_in([self.versions[1]])
        time.sleep(0.05)
        self.put_in([self.versions[2]])
        self.page = [self.identity(f"page {n}") for n in range(12)]
        self.put_in(self.page)                           # one envelope: one moment, 12 objects
        self.spread = [self.identity(f"spread {n}") for n in range(3)]
        for item in self.spread:
            time.sleep(0.02)
            self.put_in([item])
        self.batch = {o["id"] for o in self.page + self.spread}

    def ids(self, *objects):
        return ",".join(o["id"] for o in objects)

    def walk(self, kind, limit, by_next=True, pause=None, **params):
        """All pages of an endpoint the way section 3.5 says; returns the list of pages."""
        pages, query = [], dict(params, limit=limit)
        for _ in range(60):
            answer = self.get(self.col(kind + "/"), params=query)
            one_of(answer, 200)
            body = answer.json()
            pages.append(body)
            if not body.get("more"):
                return pages
            if by_next and body.get("next") is not None:
                query["next"] = body["next"]
            else:
                need(LAST in answer.headers, "more is true, but neither next nor X-TAXII-Date-Added-Last is there")
                query["added_after"] = answer.headers[LAST]
            if pause:
                pause(len(pages))
        raise AssertionError("paging does not end")

    def seen(self, pages):
        return [o["id"] for p in pages for o in p.get("objects", [])]


# ======================================================================= discovery, api root
@check("D1", "MUST", "4.1", "GET /taxii2/ at the server's root answers 200 with the TAXII media type")
def _(s):
    r = s.get("/taxii2/")
    one_of(r, 200)
    is_taxii(r)


@check("D2", "MUST", "4.1.1", "discovery has a title; api_roots is a list of strings that is not empty")
def _(s):
    d = s.get("/taxii2/").json()
    need(isinstance(d.get("title"), str), "no title")
    roots = d.get("api_roots", ["x"])
    need(isinstance(roots, list) and roots and all(isinstance(u, str) for u in roots), f"api_roots: {roots!r}")


@check("D3", "MUST", "4.1.1", "discovery's default is one of api_roots")
def _(s):
    d = s.get("/taxii2/").json()
    if "default" not in d:
        raise Skip("no default")
    need(d["default"] in d.get("api_roots", []), "default is not in api_roots")


@check("D4", "MUST", "4.1.1", "API root URLs are https absolute, or relative with one leading slash; no query")
def _(s):
    for url in s.get("/taxii2/").json().get("api_roots", []):
        need(url.startswith("https://") or re.match(r"^/[^/]", url), url)
        need("?" not in url, url)


@check("D5", "MUST", "4.2.1", "api-root has title, versions with the 2.1 media type, and a positive max_content_length")
def _(s):
    r = s.get(s.root)
    one_of(r, 200)
    is_taxii(r)
    d = r.json()
    need(isinstance(d.get("title"), str), "no title")
    need(TAXII in d.get("versions", []), f"versions: {d.get('versions')}")
    need(is_count(d.get("max_content_length")) and d["max_content_length"] > 0, "max_content_length")


@check("D6", "MUST", "4.2", "an unknown API root answers 404")
def _(s):
    one_of(s.get(f"/{uuid.uuid4()}/"), 404)


@check("D7", "MUST", "4.2", "collections of an unknown API root answer 404")
def _(s):
    one_of(s.get(f"{s.root.rstrip('/')}-{uuid.uuid4()}/collections/"), 404)


# ======================================================================== media type handling
def accepts(ident, value, text):
    @check(ident, "MUST", "3.1", f"Accept '{text}' is not refused with 406, on every endpoint kind")
    def _(s):
        for path in ("/taxii2/", s.root, s.root + "collections/", s.col(), s.col("manifest/"), s.col("objects/")):
            r = s.get(path, accept=value, params={"limit": 1} if "objects" in path or "manifest" in path else None)
            need(r.status_code == 200, f"HTTP {r.status_code} at {path}")
            is_taxii(r)


accepts("N1", "application/taxii+json;version=2.1", "application/taxii+json;version=2.1")
accepts("N2", "application/taxii+json", "application/taxii+json")
accepts("N3", "application/taxii+json; version=2.1", "application/taxii+json; version=2.1")
accepts("N4", "application/json, application/taxii+json;version=2.1", "application/json, application/taxii+json;version=2.1")
accepts("N5", "application/taxii+json;version=2.1;q=0.9, */*;q=0.1", "application/taxii+json;version=2.1;q=0.9, */*;q=0.1")
accepts("N6", "Application/TAXII+JSON;Version=2.1", "other letter case")


@check("N7", "MUST", "3.1", "an Accept without TAXII gets 406, or a TAXII answer; nothing else")
def _(s):
    for path in ("/taxii2/", s.root, s.root + "collections/", s.col("objects/")):
        for value in ("application/foo", "text/html", "application/taxii+json;version=9.9"):
            r = s.get(path, accept=value)
            one_of(r, 406, 200)


@check("N8", "MUST", "5.1-5.8", "a 406 answer carries the TAXII media type")
def _(s):
    r = s.get(s.root + "collections/", accept="application/foo")
    if r.status_code != 406:
        raise Skip("the server does not use 406")
    is_taxii(r)


@check("N9", "SHOULD", "8.2.1", "a request without User-Agent is not rejected")
def _(s):
    one_of(s.get(s.root, headers={"User-Agent": None}), 200)


def posts(ident, level, value, codes, text):
    @check(ident, level, "3.1, 5.5", text)
    def _(s):
        r = s.post([s.identity("media type")], content_type=value)
        one_of(r, *codes)
        if r.status_code >= 400:
            is_taxii(r)


posts("N10", "MUST", "application/taxii+json;version=2.1", [202], "POST with Content-Type application/taxii+json;version=2.1 is taken")
posts("N11", "MUST", "application/taxii+json", [202], "POST with Content-Type application/taxii+json (no version) is not refused")
posts("N12", "MUST", "application/taxii+json; version=2.1", [202], "POST with a blank after the ';' in Content-Type is not refused")
posts("N13", "MUST", "text/plain", [415, 202], "POST with Content-Type text/plain: 415 (or taken), TAXII media type")
posts("N14", "MUST", "application/taxii+json;version=9.9", [415, 202, 422], "POST with an unknown version: 415 (or taken)")
posts("N15", "MUST", None, [415, 400, 202], "POST without Content-Type: 415/400 (or taken), no 5xx")


# ============================================================================ authentication
def protected(s, auth):
    some = f"indicator--{uuid.uuid4()}"
    yield "collections", s.get(s.root + "collections/", auth=auth)
    yield "collection", s.get(s.col(), auth=auth)
    yield "manifest", s.get(s.col("manifest/"), auth=auth)
    yield "objects", s.get(s.col("objects/"), auth=auth)
    yield "object", s.get(s.col(f"objects/{some}/"), auth=auth)
    yield "versions", s.get(s.col(f"objects/{some}/versions/"), auth=auth)
    yield "POST objects", s.post([s.identity("no login")], auth=auth)
    yield "DELETE object", s.call("DELETE", s.col(f"objects/{s.org['id']}/"), auth=auth)


@check("A1", "MUST", "5.1-5.8", "without credentials every collection endpoint answers 401 or 404")
def _(s):
    for name, r in protected(s, None):
        need(r.status_code in (401, 404), f"{name}: HTTP {r.status_code}")


@check("A2", "MUST", "5.1-5.8", "with a wrong password every collection endpoint answers 401 or 404")
def _(s):
    for name, r in protected(s, ("nobody", "wrong")):
        need(r.status_code in (401, 404), f"{name}: HTTP {r.status_code}")


@check("A3", "MUST", "3.2, RFC 7235", "a 401 answer has WWW-Authenticate")
def _(s):
    r = s.get(s.root + "collections/", auth=None)
    if r.status_code != 401:
        raise Skip(f"HTTP {r.status_code}")
    need("WWW-Authenticate" in r.headers, "header missing")


@check("A4", "MUST", "5.1", "a 401 answer carries the TAXII media type")
def _(s):
    r = s.get(s.root + "collections/", auth=None)
    if r.status_code != 401:
        raise Skip(f"HTTP {r.status_code}")
    is_taxii(r)


@check("A5", "MUST", "4.1-4.3", "discovery, api root and status without credentials: 200, 401, 403 or 404")
def _(s):
    for path in ("/taxii2/", s.root, f"{s.root}status/{uuid.uuid4()}/"):
        one_of(s.get(path, auth=None), 200, 401, 403, 404)


@check("A6", "SHOULD", "8.2.2", "HTTP Basic authentication is offered")
def _(s):
    r = s.get(s.root + "collections/", auth=None)
    need("basic" in r.headers.get("WWW-Authenticate", "").lower(), "no Basic challenge")


@check("A7", "MUST", "5.3-5.8", "an account without rights on the collection gets 403 or 404 for its content")
def _(s):
    if not s.o.denied_user:
        raise Skip("needs --denied-user")
    pair = (s.o.denied_user, s.o.denied_password)
    for name, r in protected(s, pair):
        if name not in ("collections", "collection"):
            need(r.status_code in (403, 404), f"{name}: HTTP {r.status_code}")


@check("A8", "MUST", "5.2.1", "can_read and can_write are told per account")
def _(s):
    if not s.o.denied_user:
        raise Skip("needs --denied-user")
    r = s.get(s.root + "collections/", auth=(s.o.denied_user, s.o.denied_password))
    for c in r.json().get("collections", []) if r.ok else []:
        if c["id"] == s.o.collection:
            need(c["can_read"] is False and c["can_write"] is False, "flags say the account may")


@check("A9", "EXTRA", "4.3", "another account without rights does not see the status of a POST (403 or 404)")
def _(s):
    if not s.o.denied_user:
        raise Skip("needs --denied-user")
    r = s.get(f"{s.root}status/{s.posts[0][2]['id']}/", auth=(s.o.denied_user, s.o.denied_password))
    one_of(r, 403, 404)


@check("T1", "MUST", "8.2.2", "TLS 1.2 is accepted")
def _(s):
    where = urlsplit(s.base)
    if where.scheme != "https":
        raise Skip("BASE_URL is http")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((where.hostname, where.port or 443), 10) as plain:
        with context.wrap_socket(plain, server_hostname=where.hostname) as wrapped:
            need(wrapped.version() == "TLSv1.2", wrapped.version())


# =============================================================================== collections
@check("C1", "MUST", "5.1.1, 5.2.1", "collections: each has id (UUID), title, can_read, can_write of the right types")
def _(s):
    r = s.get(s.root + "collections/")
    one_of(r, 200)
    is_taxii(r)
    for c in r.json()["collections"]:
        uuid.UUID(c["id"])
        need(isinstance(c["title"], str), "title")
        need(isinstance(c["can_read"], bool) and isinstance(c["can_write"], bool), "can_read/can_write")
        need(all(isinstance(m, str) for m in c.get("media_types", [])), "media_types")
        need(c.get("media_types", ["x"]) != [], "media_types is an empty list")


@check("C2", "MUST", "3.3", "the collections come in the same order each time")
def _(s):
    orders = [[c["id"] for c in s.get(s.root + "collections/").json()["collections"]] for _ in range(4)]
    need(all(o == orders[0] for o in orders), "order changes")


@check("C3", "MUST", "5.2", "GET one collection answers the same resource as in the list")
def _(s):
    r = s.get(s.col())
    one_of(r, 200)
    is_taxii(r)
    listed = [c for c in s.get(s.root + "collections/").json()["collections"] if c["id"] == s.o.collection]
    need(listed == [r.json()], "differs from the list's entry")


@check("C4", "MUST", "5.2", "an unknown collection answers 404 (collection, manifest, objects, POST)")
def _(s):
    other = str(uuid.uuid4())
    for r in (s.get(s.col(cid=other)), s.get(s.col("manifest/", other)), s.objects(other), s.post([s.identity("x")], cid=other)):
        one_of(r, 404)
        is_taxii(r)


@check("C5", "EXTRA", "5.2.1", "a collection's alias, where it has one, works in URLs")
def _(s):
    alias = s.get(s.col()).json().get("alias")
    if not alias:
        raise Skip("no alias")
    r = s.get(s.col(cid=alias))
    one_of(r, 200)
    need(r.json()["id"] == s.o.collection, "another collection")


# =========================================================================== add objects, status
@check("P1", "MUST", "5.5", "POST answers 202 with the TAXII media type")
def _(s):
    for _o, r, _st in s.posts:
        one_of(r, 202)
        is_taxii(r)


@check("P2", "MUST", "4.3.1", "status has id, status, total_count, success_count, failure_count, pending_count")
def _(s):
    for _o, _r, st in s.posts:
        need(isinstance(st.get("id"), str), "id")
        need(st.get("status") in ("complete", "pending"), f"status {st.get('status')!r}")
        for name in ("total_count", "success_count", "failure_count", "pending_count"):
            need(is_count(st.get(name)), f"{name}: {st.get(name)!r}")


@check("P3", "MUST", "4.3.1", "total_count is the envelope's size; the three counts add up to it; complete has none pending")
def _(s):
    for objects, _r, st in s.posts:
        st = s.finish(st)
        need(st["total_count"] == len(objects), f"total_count {st['total_count']}, sent {len(objects)}")
        need(st["success_count"] + st["failure_count"] + st["pending_count"] == st["total_count"], "counts do not add up")
        need(st["status"] == "complete" and st["pending_count"] == 0, "not complete after 60 s")


@check("P4", "MUST", "4.3.1", "status-details carry id and version; version is modified")
def _(s):
    found = 0
    for objects, _r, st in s.posts:
        st = s.finish(st)
        wanted = {(o["id"], key_of(o["modified"])) for o in objects if "modified" in o}
        for d in st.get("successes", []):
            need(isinstance(d.get("id"), str) and isinstance(d.get("version"), str), f"{d}")
            if not d["id"].startswith(("ipv4", "marking")):
                need((d["id"], key_of(d["version"])) in wanted, f"version {d['version']} of {d['id']}")
                found += 1
    if not found:
        raise Skip("the server lists no successes")


@check("P5", "MUST", "4.3.1", "status-details of an object without modified use created")
def _(s):
    for _o, _r, st in s.posts:
        for d in s.finish(st).get("successes", []):
            if d["id"] == s.mark["id"]:
                need(key_of(d["version"]) == key_of(s.mark["created"]), d["version"])
                return
    raise Skip("not listed")


@check("P6", "MUST", "4.3.1", "request_timestamp, where given, is a timestamp in UTC")
def _(s):
    for _o, _r, st in s.posts:
        if "request_timestamp" in st:
            need(STAMP.match(st["request_timestamp"]), st["request_timestamp"])


@check("P7", "MUST", "4.3", "GET status/{id}/ answers the same status")
def _(s):
    st = s.posts[0][2]
    r = s.get(f"{s.root}status/{st['id']}/")
    one_of(r, 200)
    is_taxii(r)
    need(r.json()["id"] == st["id"] and r.json()["total_count"] == st["total_count"], "another status")


@check("P8", "MUST", "4.3", "an unknown status id answers 404")
def _(s):
    r = s.get(f"{s.root}status/{uuid.uuid4()}/")
    one_of(r, 404)
    is_taxii(r)


@check("P9", "EXTRA", "4.3", "a status id that is no UUID answers 404 (or 400), not 5xx")
def _(s):
    one_of(s.get(f"{s.root}status/no-such-id/"), 404, 400)


@check("P10", "MUST", "5.5", "an exact duplicate is no error: 202, no failure")
def _(s):
    st = s.put_in([s.org, s.versions[2], s.sco, s.mark])
    need(st["failure_count"] == 0, f"failure_count {st['failure_count']}")


@check("P11", "MUST", "5.5", "a duplicate is not stored twice")
def _(s):
    s.put_in([s.malware])
    body = s.objects(**{"match[id]": s.malware["id"], "match[version]": "all"}).json()
    need(len(body.get("objects", [])) == 1, f"{len(body.get('objects', []))} copies")


@check("P12", "EXTRA", "5.5", "the same object twice in one envelope: 202, stored once")
def _(s):
    twin = s.identity("twin")
    st = s.put_in([twin, twin])
    need(st["failure_count"] == 0, "a failure is counted")
    need(len(s.objects(**{"match[id]": twin["id"], "match[version]": "all"}).json().get("objects", [])) == 1, "stored twice")


def junk(ident, level, data, codes, text):
    @check(ident, level, "5.5", text)
    def _(s):
        r = s.post(None, data=data)
        one_of(r, *codes)
        if r.status_code >= 400:
            is_taxii(r)


junk("P13", "MUST", "{not json", [400, 422], "a body that is not JSON: 400 or 422")
junk("P14", "MUST", "[]", [400, 422], "a JSON list in place of an envelope: 400 or 422")
junk("P15", "MUST", '{"type":"bundle","id":"bundle--%s","spec_version":"2.1"}' % uuid.uuid4(), [400, 422, 202], "an envelope without objects: 4xx, or 202 with nothing; no 5xx")
junk("P16", "EXTRA", "", [400, 422], "an empty body: 400 or 422")
junk("P17", "EXTRA", '{"objects":[1,null,"x"]}', [400, 422, 202], "objects that are no JSON objects: no 5xx")
junk("P18", "EXTRA", '{"objects":{"a":1}}', [400, 422], "objects that is no list: 400 or 422")


@check("P19", "MUST", "5.5", "an object without id is refused (4xx) or counted as a failure")
def _(s):
    bad = s.identity("no id")
    del bad["id"]
    r = s.post([bad])
    one_of(r, 400, 422, 202)
    if r.status_code == 202:
        need(s.finish(r.json())["failure_count"] == 1, "counted as success")


@check("P20", "EXTRA", "5.5", "invalid STIX (indicator without pattern, bad timestamp) is refused or counted as a failure")
def _(s):
    broken = s.sdo("indicator", name="x", pattern_type="stix", valid_from=stamp(s.now))
    odd = {**s.identity("bad time"), "modified": "yesterday"}
    for bad in (broken, odd):
        r = s.post([bad])
        one_of(r, 400, 422, 202)
        if r.status_code == 202:
            need(s.finish(r.json())["failure_count"] == 1, f"{bad['type']} taken as valid")


@check("P21", "EXTRA", "5.5", "one bad object among good ones: 202 with success and failure counts, or 422 with nothing stored")
def _(s):
    good, bad = s.identity("good"), s.identity("bad")
    del bad["name"]
    r = s.post([good, bad])
    one_of(r, 202, 422, 400)
    stored = s.objects(**{"match[id]": good["id"]}).json().get("objects", [])
    if r.status_code == 202:
        st = s.finish(r.json())
        need((st["success_count"], st["failure_count"]) == (1, 1), f"counts {st['success_count']}/{st['failure_count']}")
    else:
        need(not stored, "refused, yet stored in part")


@check("P22", "MUST", "4.2.1, 5.5", "a body over max_content_length answers 413")
def _(s):
    top = s.get(s.root).json()["max_content_length"]
    if top > 64 << 20:
        raise Skip(f"max_content_length is {top}")
    big = s.identity("x" * (top + 1024))
    try:
        r = s.post([big])
    except requests.ConnectionError:
        raise AssertionError("connection closed without an answer")
    one_of(r, 413)


@check("P23", "MUST", "4.2.1", "a body of half of max_content_length (at most 2 MB) is not refused with 413")
def _(s):
    top = min(s.get(s.root).json()["max_content_length"] // 2, 2 << 20)
    r = s.post([{**s.identity("large"), "description": "d" * (top - 1000)}])
    one_of(r, 202)


@check("P24", "EXTRA", "RFC 7230", "a chunked POST (no Content-Length) is taken, or answered 411")
def _(s):
    text = json.dumps({"objects": [s.identity("chunked")]}).encode()
    r = s.post(None, data=iter([text[:40], text[40:]]))
    one_of(r, 202, 411)


@check("P25", "EXTRA", "5.5", "what is read back equals what was posted (unicode, custom property, number, digits of a timestamp)")
def _(s):
    obj = {**s.identity("Ωmega \u2603 \U0001f6a8"), "x_score": 0.1, "x_big": 9007199254740993, "x_list": [1, {"a": None}],
           "modified": s.now.strftime("%Y-%m-%dT%H:%M:%S.123456Z")}
    s.put_in([obj])
    back = s.objects(**{"match[id]": obj["id"]}).json()["objects"]
    need(back == [obj], f"changed: {[k for k in obj if back[0].get(k) != obj[k]]}")


@check("P26", "EXTRA", "5.5", "8 clients POST the same objects at once, 4 rounds: all 202, stored once")
def _(s):
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            same = [s.identity(f"race {n}") for n in range(5)]
            answers = list(pool.map(lambda _n: s.post(same), range(8)))
            codes = sorted({r.status_code for r in answers})
            need(codes == [202], f"HTTP {codes}")
            for r in answers:
                need(s.finish(r.json())["failure_count"] == 0, "counted as a failure")
            found = s.objects(**{"match[id]": s.ids(*same), "match[version]": "all"}).json().get("objects", [])
            need(len(found) == 5, f"{len(found)} copies of 5")


# ================================================================================= get objects
@check("G1", "MUST", "5.4, 3.7", "objects come in an envelope with the TAXII media type, each with type and id")
def _(s):
    r = s.objects(**{"match[id]": s.ids(s.org, s.malware, s.sco, s.mark)})
    one_of(r, 200)
    is_taxii(r)
    body = r.json()
    need(set(body) <= {"more", "next", "objects"} or all(k.startswith("x_") for k in set(body) - {"more", "next", "objects"}), f"keys {set(body)}")
    need({o["id"] for o in body["objects"]} == {s.org["id"], s.malware["id"], s.sco["id"], s.mark["id"]}, "wrong set")


@check("G2", "MUST", "3.2", "GET objects has X-TAXII-Date-Added-First/-Last, as timestamps")
def _(s):
    r = s.objects(**{"match[id]": s.ids(*s.page)})
    for name in (FIRST, LAST):
        need(STAMP.match(r.headers.get(name, "")), f"{name}: {r.headers.get(name)!r}")


@check("G3", "MUST", "3.2", "both headers are there also when just one object is returned")
def _(s):
    for path in ("objects/", "manifest/"):
        r = s.get(s.col(path), params={"match[id]": s.org["id"]})
        for name in (FIRST, LAST):
            need(STAMP.match(r.headers.get(name, "")), f"{path}: {name} is {r.headers.get(name)!r}")


@check("G4", "MUST", "3.2", "the headers equal the manifest's date_added of the first and last object")
def _(s):
    r = s.objects(**{"match[id]": s.ids(s.org, *s.spread)})
    added = {m["id"]: m["date_added"] for m in s.manifest(**{"match[id]": s.ids(s.org, *s.spread)}).json()["objects"]}
    order = [o["id"] for o in r.json()["objects"]]
    need(key_of(r.headers[FIRST]) == key_of(added[order[0]]), "first differs")
    need(key_of(r.headers[LAST]) == key_of(added[order[-1]]), "last differs")


@check("G5", "MUST", "3.3", "objects come in ascending order of date added")
def _(s):
    order = [o["id"] for o in s.objects(**{"match[id]": s.ids(*reversed(s.spread), s.org)}).json()["objects"]]
    need(order == [s.org["id"]] + [o["id"] for o in s.spread], "another order")


@check("G6", "MUST", "3.4.1", "a version added later is sorted by its own date added, not its first version's")
def _(s):
    order = [o["id"] for o in s.objects(**{"match[id]": s.ids(s.versions[0], s.sco)}).json()["objects"]]
    need(order == [s.sco["id"], s.versions[0]["id"]], "the new version sits at the old place")


@check("G7", "MUST", "5.4", "no match: 200 with an empty envelope (no objects key, no empty list)")
def _(s):
    r = s.objects(**{"match[id]": f"indicator--{uuid.uuid4()}"})
    one_of(r, 200)
    is_taxii(r)
    need("objects" not in r.json(), f"body {r.json()}")
    need(not r.json().get("more"), "more is true")


def version_filter(ident, value, wanted, level="MUST"):
    @check(ident, level, "3.4.1", f"match[version]={value or '(none)'} gives the right versions (objects, object, manifest)")
    def _(s):
        text = value and value.replace("<v2>", s.stamps[1]).replace("<v3>", s.stamps[2])
        want = sorted(key_of(s.stamps[i]) for i in wanted)
        ident_ = s.versions[0]["id"]
        query = {"match[version]": text} if text else {}
        for name, path, extra in (("objects", "objects/", {"match[id]": ident_}), ("object", f"objects/{ident_}/", {}),
                                  ("manifest", "manifest/", {"match[id]": ident_})):
            r = s.get(s.col(path), params={**query, **extra})
            one_of(r, 200)
            got = sorted(key_of(o.get("modified") or o["version"]) for o in r.json().get("objects", []))
            need(got == want, f"{name}: {len(got)} versions: {got}")


version_filter("V1", None, [2])
version_filter("V2", "last", [2])
version_filter("V3", "first", [0])
version_filter("V4", "all", [0, 1, 2])
version_filter("V5", "first,last", [0, 2])
version_filter("V6", "<v2>", [1])
version_filter("V7", "<v2>,last", [1, 2])
version_filter("V8", "first,<v2>,<v3>", [0, 1, 2])


@check("V9", "MUST", "3.4", "malformed match[version] answers 400 ('all,last', 'nonsense')")
def _(s):
    for value in ("nonsense", "all,last"):
        r = s.objects(**{"match[version]": value})
        need(r.status_code == 400, f"{value}: HTTP {r.status_code}")
        is_taxii(r)


@check("V10", "EXTRA", "3.4.1", "a version matches as a moment, whatever its number of digits")
def _(s):
    text = s.stamps[1].replace(".000Z", "Z") if s.stamps[1].endswith(".000Z") else s.stamps[1]
    r = s.objects(**{"match[id]": s.versions[0]["id"], "match[version]": text})
    need(len(r.json().get("objects", [])) == 1, "not found")


@check("V11", "MUST", "3.4.1", "an object with created only is matched by match[version]=<created>")
def _(s):
    r = s.objects(**{"match[id]": s.mark["id"], "match[version]": s.mark["created"]})
    need([o["id"] for o in r.json().get("objects", [])] == [s.mark["id"]], "not found")


@check("F1", "MUST", "3.4", "match[type] with one and with two values (OR)")
def _(s):
    everything = {"match[id]": s.ids(s.org, s.malware, s.sco, s.mark)}
    for types in (["malware"], ["malware", "ipv4-addr"], ["identity", "marking-definition"]):
        got = {o["type"] for o in s.objects(**everything, **{"match[type]": ",".join(types)}).json().get("objects", [])}
        need(got == set(types), f"{types}: {got}")


@check("F2", "MUST", "3.4", "match fields are ANDed")
def _(s):
    r = s.objects(**{"match[id]": s.ids(s.org, s.malware), "match[type]": "indicator"})
    one_of(r, 200)
    need("objects" not in r.json() or not r.json()["objects"], "not ANDed")


@check("F3", "MUST", "3.4.1", "every STIX 2.1 type is a valid match[type], also with nothing stored")
def _(s):
    for kind in ("attack-pattern", "campaign", "course-of-action", "grouping", "incident", "infrastructure", "intrusion-set",
                 "location", "malware-analysis", "note", "observed-data", "opinion", "report", "threat-actor", "tool",
                 "vulnerability", "relationship", "sighting", "language-content", "extension-definition", "windows-registry-key"):
        r = s.objects(**{"match[type]": kind, "limit": 1})
        need(r.status_code == 200, f"{kind}: HTTP {r.status_code}")


@check("F4", "MUST", "3.4.1", "match[spec_version]=2.1 finds 2.1 objects; =2.0 does not return them")
def _(s):
    query = {"match[id]": s.ids(s.org, s.malware)}
    need(len(s.objects(**query, **{"match[spec_version]": "2.1"}).json().get("objects", [])) == 2, "2.1 not found")
    r = s.objects(**query, **{"match[spec_version]": "2.0"})
    one_of(r, 200)
    need(not r.json().get("objects"), "2.1 objects under 2.0")


@check("F5", "MUST", "3.4", "match[id] with many ids returns exactly those")
def _(s):
    got = {o["id"] for o in s.objects(**{"match[id]": s.ids(*s.page)}).json()["objects"]}
    need(got == {o["id"] for o in s.page}, "wrong set")


@check("F6", "EXTRA", "3.4", "an unknown match field is ignored or answered 400, not 5xx")
def _(s):
    one_of(s.objects(**{"match[nonsense]": "x", "limit": 1}), 200, 400)


@check("F7", "MUST", "3.4", "added_after returns only objects added strictly after that moment")
def _(s):
    own = {"match[id]": s.ids(*s.spread)}
    added = [m["date_added"] for m in s.manifest(**own).json()["objects"]]
    got = [o["id"] for o in s.objects(**own, added_after=added[0]).json().get("objects", [])]
    need(got == [o["id"] for o in s.spread[1:]], f"{len(got)} objects")
    need(not s.objects(**own, added_after=added[-1]).json().get("objects"), "the last object is returned again")


@check("F8", "MUST", "3.4", "added_after of an envelope's own date_added does not return that envelope again")
def _(s):
    r = s.objects(**{"match[id]": s.ids(*s.page)})
    again = s.objects(**{"match[id]": s.ids(*s.page), "added_after": r.headers[LAST]}).json().get("objects", [])
    need(not again, f"{len(again)} objects again (precision lost?)")


@check("F9", "MUST", "3.4", "malformed added_after answers 400")
def _(s):
    for value in ("yesterday", "2024-13-01T00:00:00Z", ""):
        r = s.objects(added_after=value)
        need(r.status_code == 400, f"{value!r}: HTTP {r.status_code}")
        is_taxii(r)


@check("F10", "EXTRA", "3.4", "two added_after, or the same match field twice: 400, or 200; never 5xx")
def _(s):
    for query in ("added_after=2020-01-01T00:00:00.000Z&added_after=2021-01-01T00:00:00.000Z&limit=1",
                  "match%5Btype%5D=malware&match%5Btype%5D=identity&limit=1"):
        one_of(s.get(s.col("objects/") + "?" + query), 400, 200)


@check("F11", "EXTRA", "3.4", "added_after takes 0, 3 and 6 digits of a second")
def _(s):
    for value in ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000000Z"):
        r = s.objects(added_after=value, **{"match[id]": s.org["id"]})
        need(r.status_code == 200 and r.json().get("objects"), f"{value}: HTTP {r.status_code}")


# ================================================================================== pagination
@check("L1", "MUST", "3.4", "limit=0, -1 and abc answer 400")
def _(s):
    for value in ("0", "-1", "abc"):
        for kind in ("objects/", "manifest/"):
            r = s.get(s.col(kind), params={"limit": value})
            need(r.status_code == 400, f"{kind}?limit={value}: HTTP {r.status_code}")


@check("L2", "MUST", "3.4", "limit is never exceeded; more is true when there is more")
def _(s):
    for kind in ("objects/", "manifest/"):
        body = s.get(s.col(kind), params={"match[id]": s.ids(*s.page), "limit": 5}).json()
        need(len(body["objects"]) == 5, f"{kind}: {len(body['objects'])} for limit 5")
        need(body.get("more") is True, f"{kind}: more is {body.get('more')!r}")


@check("L3", "MUST", "3.4", "limit at or over the number of matches: all are returned, more is false or absent")
def _(s):
    for limit in (12, 13, 1000000):
        body = s.objects(**{"match[id]": s.ids(*s.page), "limit": limit}).json()
        need(len(body["objects"]) == 12, f"limit {limit}: {len(body['objects'])}")
        need(not body.get("more"), f"limit {limit}: more is true")


@check("L4", "MUST", "3.5", "paging objects with limit=5: every object once, none lost (12 objects of one envelope)")
def _(s):
    got = s.seen(s.walk("objects", 5, **{"match[id]": s.ids(*s.page, *s.spread)}))
    need(len(got) == len(set(got)), f"{len(got) - len(set(got))} twice")
    need(set(got) == s.batch, f"{len(s.batch - set(got))} of {len(s.batch)} lost")


@check("L5", "MUST", "3.5, 5.3.1", "paging the manifest with limit=5: every record once, none lost")
def _(s):
    got = s.seen(s.walk("manifest", 5, **{"match[id]": s.ids(*s.page, *s.spread)}))
    need(len(got) == len(set(got)), f"{len(got) - len(set(got))} twice")
    need(set(got) == s.batch, f"{len(s.batch - set(got))} of {len(s.batch)} lost")


@check("L6", "MUST", "3.5, 5.3.1", "paging a manifest with all versions and limit=1: each version once")
def _(s):
    pages = s.walk("manifest", 1, **{"match[id]": s.versions[0]["id"], "match[version]": "all"})
    got = [(o["id"], key_of(o["version"])) for p in pages for o in p.get("objects", [])]
    need(len(got) == 3 and len(set(got)) == 3, f"{len(set(got))} of 3, {len(got)} records")


@check("L7", "MUST", "3.7", "next is a string and comes only with more=true")
def _(s):
    for page in s.walk("objects", 5, **{"match[id]": s.ids(*s.page)}):
        if "next" in page and page["next"] is not None:
            need(isinstance(page["next"], str), "no string")
            need(page.get("more") is True, "next without more")


@check("L8", "EXTRA", "3.5", "paging by added_after alone (no next): none lost, though added in one envelope")
def _(s):
    got = s.seen(s.walk("objects", 5, by_next=False, **{"match[id]": s.ids(*s.page, *s.spread)}))
    need(set(got) == s.batch, f"{len(s.batch - set(got))} of {len(s.batch)} lost")


@check("L9", "MUST", "3.4", "a malformed next answers 400")
def _(s):
    r = s.objects(next="no-such-cursor", limit=5)
    need(r.status_code == 400, f"HTTP {r.status_code}")


@check("L10", "EXTRA", "3.5", "the same next asked twice gives the same page (a retry after a lost answer)")
def _(s):
    query = {"match[id]": s.ids(*s.page), "limit": 4}
    first = s.objects(**query).json()
    if not first.get("next"):
        raise Skip("no next")
    one, two = (s.objects(**query, next=first["next"]).json() for _ in range(2))
    need(one.get("objects") == two.get("objects"), "another page")


@check("L11", "EXTRA", "3.5", "objects added while a client pages: none of the old ones is lost or comes twice")
def _(s):
    got = s.seen(s.walk("objects", 4, pause=lambda n: s.put_in([s.identity(f"meanwhile {n}")]),
                        **{"match[id]": s.ids(*s.page, *s.spread)}))
    need(len(got) == len(set(got)) and set(got) == s.batch, f"{len(got)} seen, {len(s.batch - set(got))} lost")


@check("L12", "EXTRA", "3.5", "paging with another limit on a later page still works")
def _(s):
    query = {"match[id]": s.ids(*s.page), "limit": 4}
    first = s.objects(**query).json()
    if not first.get("next"):
        raise Skip("no next")
    r = s.objects(**{**query, "limit": 8}, next=first["next"])
    one_of(r, 200)
    need(len(r.json()["objects"]) == 8, f"{len(r.json()['objects'])} objects")


@check("L13", "MUST", "3.4", "without added_after the oldest objects come first")
def _(s):
    r = s.objects(limit=3)
    one_of(r, 200)
    whole = s.manifest(limit=3).json()["objects"]
    need(key_of(r.headers[FIRST]) == key_of(whole[0]["date_added"]), "the first page does not start at the oldest")


@check("L14", "EXTRA", "3.4, 3.5", "paging the whole collection since this run's start: all seeded objects, each once")
def _(s):
    got = s.seen(s.walk("objects", 7, added_after=s.start))
    wanted = {o["id"] for objects, _r, _st in s.posts for o in objects}
    need(len(got) == len(set(got)), f"{len(got) - len(set(got))} twice")
    need(wanted - set(got) == set(), f"{len(wanted - set(got))} of {len(wanted)} lost")


@check("L15", "EXTRA", "3.4", "a client that polls with added_after while 4 others write misses nothing")
def _(s):
    sent, seen, place = [], [], s.start

    def write(n):
        for size in (1, 80, 2, 40, 1, 60):
            made = [s.identity(f"writer {n}") for _ in range(size)]
            s.put_in(made)
            sent.extend(o["id"] for o in made)

    until = time.monotonic() + 90
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(write, n) for n in range(4)]
        while time.monotonic() < until:
            last_round = all(j.done() for j in jobs)
            r = s.objects(added_after=place)
            page = r.json().get("objects", [])
            seen += [o["id"] for o in page]
            if last_round and (not page or r.headers.get(LAST, place) == place):
                break
            place = r.headers[LAST] if page else place
    for j in jobs:
        j.result()
    need(set(sent) <= set(seen), f"{len(set(sent) - set(seen))} of {len(sent)} missed")


@check("L16", "EXTRA", "3.4, 5.3", "a manifest page with more=true gives next too (the OASIS client pages by it, or never ends)")
def _(s):
    query = {"match[id]": s.ids(*s.page), "limit": 5}
    body = s.manifest(**query).json()
    need(isinstance(body.get("next"), str) and body["next"], f"next is {body.get('next')!r}")
    again = s.manifest(**query, next=body["next"]).json()["objects"]
    need(not {m["id"] for m in again} & {m["id"] for m in body["objects"]}, "the second page repeats the first")


# ==================================================================================== manifest
@check("M1", "MUST", "5.3.1", "manifest records have id, date_added (timestamp) and version")
def _(s):
    r = s.manifest(**{"match[id]": s.ids(s.org, s.malware, *s.page)})
    one_of(r, 200)
    is_taxii(r)
    for m in r.json()["objects"]:
        need(isinstance(m["id"], str) and isinstance(m["version"], str), f"{m}")
        need(STAMP.match(m["date_added"]), m["date_added"])


@check("M2", "MUST", "5.3.1", "version is modified; created for an object without it")
def _(s):
    got = {m["id"]: m["version"] for m in s.manifest(**{"match[id]": s.ids(s.org, s.mark)}).json()["objects"]}
    need(key_of(got[s.org["id"]]) == key_of(s.org["modified"]), "modified")
    need(key_of(got[s.mark["id"]]) == key_of(s.mark["created"]), "created")


@check("M3", "MUST", "5.3.1", "media_type, where given, is one of the collection's media_types")
def _(s):
    listed = s.get(s.col()).json().get("media_types", ["application/stix+json"])
    for m in s.manifest(**{"match[id]": s.ids(s.org, s.sco)}).json()["objects"]:
        if "media_type" in m:
            need(m["media_type"] in listed, f"{m['media_type']} not in {listed}")


@check("M4", "MUST", "3.2, 3.3", "the manifest has both headers, equal to its first and last record; records ascend")
def _(s):
    r = s.manifest(**{"match[id]": s.ids(s.org, *s.page, *s.spread)})
    added = [key_of(m["date_added"]) for m in r.json()["objects"]]
    need(added == sorted(added), "not ascending")
    need((key_of(r.headers[FIRST]), key_of(r.headers[LAST])) == (added[0], added[-1]), "headers differ")


@check("M5", "MUST", "5.3.1", "an empty manifest is an object without the objects key")
def _(s):
    r = s.manifest(**{"match[id]": f"indicator--{uuid.uuid4()}"})
    one_of(r, 200)
    need("objects" not in r.json(), f"body {r.json()}")


@check("M6", "MUST", "5.3", "the manifest filters by type of the source object")
def _(s):
    got = s.manifest(**{"match[id]": s.ids(s.org, s.malware, s.sco), "match[type]": "ipv4-addr,malware"}).json()
    need({m["id"] for m in got["objects"]} == {s.malware["id"], s.sco["id"]}, "wrong set")


@check("M7", "MUST", "5.3", "the manifest filters by added_after")
def _(s):
    own = {"match[id]": s.ids(*s.spread)}
    all_of = s.manifest(**own).json()["objects"]
    rest = s.manifest(**own, added_after=all_of[0]["date_added"]).json()["objects"]
    need(rest == all_of[1:], "wrong records")


@check("M8", "EXTRA", "5.3.1", "an SCO (no created, no modified) has one version, the same in manifest and versions")
def _(s):
    one = s.manifest(**{"match[id]": s.sco["id"]}).json()["objects"]
    two = s.get(s.col(f"objects/{s.sco['id']}/versions/")).json()["versions"]
    need(len(one) == 1 and [one[0]["version"]] == two, f"{one} against {two}")


# ============================================================================ one object, versions
@check("O1", "MUST", "5.6", "GET one object: an envelope with it, TAXII media type, both headers")
def _(s):
    r = s.get(s.col(f"objects/{s.malware['id']}/"))
    one_of(r, 200)
    is_taxii(r)
    need(r.json()["objects"] == [s.malware], "not the object posted")
    for name in (FIRST, LAST):
        need(STAMP.match(r.headers.get(name, "")), f"{name}: {r.headers.get(name)!r}")


@check("O2", "MUST", "5.6", "GET an unknown object answers 404")
def _(s):
    r = s.get(s.col(f"objects/indicator--{uuid.uuid4()}/"))
    one_of(r, 404)
    is_taxii(r)


@check("O3", "MUST", "5.6", "GET one object with limit and match[version]=all pages through its versions")
def _(s):
    path = s.col(f"objects/{s.versions[0]['id']}/")
    got, query = [], {"match[version]": "all", "limit": 2}
    for _ in range(5):
        r = s.get(path, params=query)
        one_of(r, 200)
        got += [key_of(o["modified"]) for o in r.json().get("objects", [])]
        if not r.json().get("more"):
            break
        if r.json().get("next"):
            query["next"] = r.json()["next"]
        else:
            query["added_after"] = r.headers[LAST]
    need(sorted(got) == sorted(map(key_of, s.stamps)), f"{len(got)} versions")


@check("O4", "MUST", "5.8", "versions lists all versions; TAXII media type, both headers")
def _(s):
    r = s.get(s.col(f"objects/{s.versions[0]['id']}/versions/"))
    one_of(r, 200)
    is_taxii(r)
    need(sorted(map(key_of, r.json()["versions"])) == sorted(map(key_of, s.stamps)), f"{r.json()}")
    for name in (FIRST, LAST):
        need(STAMP.match(r.headers.get(name, "")), f"{name}: {r.headers.get(name)!r}")


@check("O5", "MUST", "5.8", "versions of an object with created only is that timestamp")
def _(s):
    r = s.get(s.col(f"objects/{s.mark['id']}/versions/"))
    need(list(map(key_of, r.json()["versions"])) == [key_of(s.mark["created"])], f"{r.json()}")


@check("O6", "MUST", "5.8", "versions of an unknown object answers 404")
def _(s):
    r = s.get(s.col(f"objects/indicator--{uuid.uuid4()}/versions/"))
    one_of(r, 404)
    is_taxii(r)


@check("O7", "MUST", "5.8, 3.4", "versions honours limit and tells more")
def _(s):
    body = s.get(s.col(f"objects/{s.versions[0]['id']}/versions/"), params={"limit": 2}).json()
    need(len(body["versions"]) == 2 and body.get("more") is True, f"{body}")


@check("O8", "EXTRA", "5.6", "an object id that is no STIX id answers 404 (or 400), not 5xx")
def _(s):
    for ident in ("nonsense", "%00", "a" * 500):
        one_of(s.get(s.col(f"objects/{ident}/")), 404, 400)


# ====================================================================================== delete
def fresh(s):
    one = s.identity("to delete")
    many = [one, {**one, "modified": stamp(s.now + timedelta(hours=5))}]
    for item in many:
        s.put_in([item])
    return one["id"], many


@check("X1", "MUST", "5.7", "DELETE answers 200 with the TAXII media type")
def _(s):
    ident, _many = fresh(s)
    r = s.call("DELETE", s.col(f"objects/{ident}/"))
    one_of(r, 200)
    is_taxii(r)


@check("X2", "MUST", "5.7", "after DELETE: object and versions 404; objects and manifest without it, in all versions")
def _(s):
    ident, _many = fresh(s)
    one_of(s.call("DELETE", s.col(f"objects/{ident}/")), 200)
    for tail in (f"objects/{ident}/", f"objects/{ident}/versions/"):
        need(s.get(s.col(tail)).status_code == 404, f"{tail}: HTTP {s.get(s.col(tail)).status_code}")
    for kind in ("objects/", "manifest/"):
        r = s.get(s.col(kind), params={"match[id]": ident, "match[version]": "all"})
        left = r.json().get("objects", [])
        need(not left, f"{kind} still has {len(left)}")


@check("X3", "MUST", "5.7", "DELETE with match[version] removes just that version")
def _(s):
    ident, many = fresh(s)
    one_of(s.call("DELETE", s.col(f"objects/{ident}/"), params={"match[version]": many[0]["modified"]}), 200)
    left = s.get(s.col(f"objects/{ident}/versions/")).json().get("versions", [])
    need(list(map(key_of, left)) == [key_of(many[1]["modified"])], f"left: {left}")


@check("X4", "MUST", "5.7", "DELETE of an unknown object answers 404")
def _(s):
    r = s.call("DELETE", s.col(f"objects/indicator--{uuid.uuid4()}/"))
    one_of(r, 404)
    is_taxii(r)


@check("X5", "EXTRA", "5.7", "a deleted object can be posted again and is then new (date added, last in order)")
def _(s):
    ident, many = fresh(s)
    s.call("DELETE", s.col(f"objects/{ident}/"))
    mark = s.identity("after the deletion")
    s.put_in([mark])
    s.put_in([many[1]])
    order = [o["id"] for o in s.objects(**{"match[id]": f"{ident},{mark['id']}"}).json().get("objects", [])]
    need(order == [mark["id"], ident], f"{len(order)} objects, order wrong")


# ================================================================================= permissions
@check("R1", "MUST", "5.2.1", "flags of a read-only and a write-only collection are right")
def _(s):
    wanted = {s.o.ro_collection: (True, False), s.o.wo_collection: (False, True), s.o.collection: (True, True)}
    listed = {c["id"]: (c["can_read"], c["can_write"]) for c in s.get(s.root + "collections/").json()["collections"]}
    if not (s.o.ro_collection or s.o.wo_collection):
        raise Skip("needs --ro-collection or --wo-collection")
    for ident, flags in wanted.items():
        if ident:
            need(listed.get(ident) == flags, f"{ident}: {listed.get(ident)}")


@check("R2", "MUST", "5.5", "POST into a read-only collection answers 403 or 404")
def _(s):
    if not s.o.ro_collection:
        raise Skip("needs --ro-collection")
    r = s.post([s.identity("x")], cid=s.o.ro_collection)
    one_of(r, 403, 404)
    is_taxii(r)


@check("R3", "MUST", "5.3-5.8", "reading a write-only collection answers 403 or 404 (objects, manifest, object, versions)")
def _(s):
    if not s.o.wo_collection:
        raise Skip("needs --wo-collection")
    mine = s.identity("write only")
    one_of(s.post([mine], cid=s.o.wo_collection), 202)
    for tail in ("objects/", "manifest/", f"objects/{mine['id']}/", f"objects/{mine['id']}/versions/"):
        r = s.get(s.col(tail, s.o.wo_collection))
        need(r.status_code in (403, 404), f"{tail}: HTTP {r.status_code}")


@check("R4", "MUST", "5.7", "DELETE in a read-only and in a write-only collection answers 403")
def _(s):
    asked = [c for c in (s.o.ro_collection, s.o.wo_collection) if c]
    if not asked:
        raise Skip("needs --ro-collection or --wo-collection")
    for cid in asked:
        r = s.call("DELETE", s.col(f"objects/{s.org['id']}/", cid))
        need(r.status_code == 403, f"HTTP {r.status_code}")


# ====================================================================================== errors
@check("E1", "MUST", "3.6.1", "an error answer with a JSON body has a title; http_status, where given, is a string equal to the code")
def _(s):
    seen = 0
    for r in (s.get(s.col(cid=str(uuid.uuid4()))), s.objects(limit="abc"), s.get(s.root + "collections/", accept="application/foo"),
              s.post([s.identity("x")], content_type="text/plain"), s.get(s.root + "collections/", auth=None)):
        if r.status_code < 400 or not r.content:
            continue
        need("json" in media(r), f"HTTP {r.status_code}: the body is {media(r)}")
        body = r.json()
        seen += 1
        need(isinstance(body.get("title"), str), f"HTTP {r.status_code}: no title in {sorted(body)}")
        if "http_status" in body:
            need(body["http_status"] == str(r.status_code), f"http_status {body['http_status']!r} at HTTP {r.status_code}")
    if not seen:
        raise Skip("no error had a body")


@check("E2", "MUST", "5.x", "a 400 answer carries the TAXII media type")
def _(s):
    r = s.objects(limit="abc")
    if r.status_code != 400:
        raise AssertionError(f"HTTP {r.status_code}")
    is_taxii(r)


@check("E3", "MUST", "5.x", "a 404 answer carries the TAXII media type (collection, object, unknown path)")
def _(s):
    for path in (s.col(cid=str(uuid.uuid4())), s.col(f"objects/indicator--{uuid.uuid4()}/")):
        r = s.get(path)
        one_of(r, 404)
        is_taxii(r)


@check("E4", "EXTRA", "RFC 7231", "a method an endpoint does not have answers 405 with Allow (or 404)")
def _(s):
    for method, path in (("PUT", s.col("objects/")), ("POST", s.col("manifest/")), ("DELETE", s.root + "collections/")):
        r = s.call(method, path, headers={"Content-Type": TAXII}, data="{}")
        one_of(r, 405, 404)
        if r.status_code == 405:
            need("Allow" in r.headers, "no Allow header")


@check("E5", "EXTRA", "3.1", "a path without its trailing slash: a redirect or an error below 500")
def _(s):
    r = s.get(s.col("objects").rstrip("/"), allow_redirects=False)
    need(r.status_code < 500, f"HTTP {r.status_code}")


@check("E6", "EXTRA", "3.6", "no error answer shows a stack trace or a database message")
def _(s):
    for r in (s.objects(limit="abc"), s.objects(next="x", limit=1), s.post(None, data="{"), s.objects(**{"match[id]": "' or 1=1 --"}),
              s.objects(**{"match[version]": "nonsense"})):
        need(r.status_code < 500, f"HTTP {r.status_code}")
        need(not re.search(r"Traceback|sqlalchemy|sqlite3\.|psycopg", r.text), "internals shown")


def main():
    parser = argparse.ArgumentParser(description="TAXII 2.1 black-box conformance tester")
    parser.add_argument("base")
    for name in ("user", "password", "token", "api-root", "ro-collection", "wo-collection", "denied-user", "denied-password", "only", "json", "ca"):
        parser.add_argument("--" + name)
    parser.add_argument("--collection", required=True)
    parser.add_argument("-v", "--verbose", action="store_true", help="print a traceback for what is not an assertion")
    options = parser.parse_args()
    server = Server(options)
    try:
        server.setup()
    except Exception as error:                           # nothing can be tested without the seed
        print(f"FAIL  setup: {type(error).__name__}: {error}")
        print(f"0 passed, {len(CHECKS)} failed, 0 skipped")
        return 2
    results = []
    for ident, level, section, text, function in CHECKS:
        if options.only and not ident.startswith(options.only):
            continue
        word, why = "PASS", ""
        try:
            function(server)
        except Skip as reason:
            word, why = "SKIP", str(reason)
        except AssertionError as error:
            word, why = "FAIL", str(error)
        except Exception as error:
            word, why = "FAIL", f"{type(error).__name__}: {error}"
            if options.verbose:
                traceback.print_exc()
        results.append({"id": ident, "level": level, "section": section, "text": text, "result": word, "why": why})
        print(f"{word}  {ident:4} {level:6} [{section}] {text}" + (f"  -- {why[:200]}" if why else ""), flush=True)
    count = lambda word, level=None: sum(r["result"] == word and level in (None, r["level"]) for r in results)
    print()
    for level in ("MUST", "SHOULD", "EXTRA"):
        print(f"{level:6} {count('PASS', level)} of {count('PASS', level) + count('FAIL', level)}")
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=1)
    print(f"{count('PASS')} passed, {count('FAIL')} failed, {count('SKIP')} skipped")
    return 1 if count("FAIL") else 0


if __name__ == "__main__":
    sys.exit(main())
