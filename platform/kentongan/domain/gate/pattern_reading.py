"""A strict reader for the plain part of the STIX pattern grammar (STIX 2.1 section 9).

It accepts nothing that the grammar refuses, and declines (None) whatever it is not sure about: comments, EXISTS,
qualifiers named twice, odd blanks. Nesting is bounded, every token is read once.
"""

from __future__ import annotations

import re
from typing import Final

Comparison = tuple[str, str]
"""Object type and path, e.g. ("file", "hashes.'SHA-256'")."""

KEYWORDS: Final = frozenset(
    "AND OR NOT FOLLOWEDBY LIKE MATCHES ISSUPERSET ISSUBSET EXISTS LAST IN START STOP SECONDS true false WITHIN "
    "REPEATS TIMES".split()
)
STRING: Final = r"'(?:[^'\\]|\\['\\])*+'"
NAME: Final = rf"(?!(?=[A-Ztf])(?:{'|'.join(sorted(KEYWORDS))})(?![A-Za-z0-9_-]))[A-Za-z_][A-Za-z0-9_]*+(?!-)"
STEP: Final = rf"(?:\.(?:{NAME}|{STRING})|\[(?:0|[1-9][0-9]*+|\*)\])"
PATH: Final = rf"(?:{NAME}|{STRING}){STEP}*+"
TIME: Final = (
    r"t'[0-9]{4}-(?:0[1-9]|1[012])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)"
    r"(?:\.[0-9]+)?Z'"
)
NUMBER: Final = r"(?P<number>-?(?:[0-9]*+\.[0-9]++|0(?![0-9])|[1-9][0-9]*+)(?![0-9A-Za-z_.]))"
TOKEN: Final = re.compile(
    rf"[ \t\r\n]*+(?:(?P<string>{STRING})|(?P<time>{TIME})|(?P<hex>h'(?:[0-9A-Fa-f]{{2}})*+')"
    rf"|(?P<object>[A-Za-z_][A-Za-z0-9_-]*+:{PATH})|(?P<word>[A-Za-z_][A-Za-z0-9_]*+(?![A-Za-z0-9_:'-]))"
    rf"|{NUMBER}|(?P<sign>==|=|!=|<>|<=|>=|<|>|\(|\)|\[|\]|,))"
)
BLANKS: Final = re.compile(r"[ \t\r\n]*+")
ANY_LITERAL: Final = frozenset({"string", "time", "hex", "number"})
EQUAL: Final = frozenset({"=", "==", "!=", "<>"})
ORDER: Final = frozenset({"<", "<=", ">", ">="})
TEXT_TESTS: Final = frozenset({"LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"})
DEEPEST: Final = 40
HEX_LENGTHS: Final = {
    "MD5": (32,), "MD6": (32,), "RIPEMD160": (40,), "SHA1": (40,), "SHA224": (56,), "SHA256": (64,), "SHA384": (96,),
    "SHA512": (128,), "SHA3224": (56,), "SHA3256": (64,), "SHA3384": (96,), "SHA3512": (128,), "WHIRLPOOL": (128,),
}  # fmt: skip
HEX: Final = re.compile("[0-9a-fA-F]*")
FUZZY: Final = re.compile("[a-zA-Z0-9/+:.]{1,128}")


def read_pattern(pattern: str) -> list[Comparison] | None:
    """The comparisons of a pattern that surely parses; None when that is not sure.

    Example: read_pattern("[url:value = 'x' OR url:value = 'y']") == [("url", "value"), ("url", "value")]
    """
    tokens = _tokens(pattern)
    if tokens is None:
        return None
    reader = _Reader(tokens)
    try:
        reader.observations(0)
        return reader.compared if reader.at_end() else None
    except _Unsure:
        return None


def hash_fits(path: str, literal: str) -> bool:
    """Whether a literal has the length of the hash that the path's last step names; an unknown name fits.

    The validator of OASIS asks the same, but takes the whole set behind IN for one hash; sets are not asked here.
    """
    steps = re.findall(rf"{STRING}|[A-Za-z_][A-Za-z0-9_]*|\[", path)
    if "hashes" not in [step.strip("'") for step in steps]:
        return True
    if steps[-1] == "[":
        return False
    name, value = steps[-1].upper().replace("-", "").replace("'", ""), literal.replace("'", "")
    if name == "SSDEEP":
        return FUZZY.fullmatch(value) is not None
    lengths = HEX_LENGTHS.get(name)
    return lengths is None or (len(value) in lengths and HEX.fullmatch(value) is not None)


class _Unsure(Exception):
    """The pattern may be valid, but not by what this reader knows."""


Token = tuple[str, str]


def _tokens(pattern: str) -> list[Token] | None:
    tokens: list[Token] = []
    end = 0
    while (found := TOKEN.match(pattern, end)) is not None:
        kind = found.lastgroup or ""
        tokens.append((kind, found[kind]))
        end = found.end()
    rest = BLANKS.match(pattern, end)
    return tokens if tokens and rest is not None and rest.end() == len(pattern) else None


class _Reader:
    """Recursive descent over the tokens; every method reads one rule of the grammar or raises _Unsure."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = [*tokens, ("end", "")]
        self._at = 0
        self.compared: list[Comparison] = []

    def at_end(self) -> bool:
        return self._tokens[self._at][0] == "end"

    def observations(self, depth: int) -> None:
        self._observation(depth)
        while self._take("word", "AND", "OR", "FOLLOWEDBY"):
            self._observation(depth)

    def _observation(self, depth: int) -> None:
        if depth > DEEPEST:
            raise _Unsure
        if self._take("sign", "["):
            self._comparisons(depth + 1)
            self._expect("sign", "]")
        else:
            self._expect("sign", "(")
            self.observations(depth + 1)
            self._expect("sign", ")")
        self._qualifiers()

    def _qualifiers(self) -> None:
        seen: set[str] = set()
        while (word := self._take("word", "WITHIN", "REPEATS", "START")) is not None:
            if word in seen:
                raise _Unsure
            seen.add(word)
            self._qualifier(word)

    def _qualifier(self, word: str) -> None:
        if word == "START":
            self._literal(frozenset({"time"}))
            self._expect("word", "STOP")
            self._literal(frozenset({"time"}))
            return
        amount = self._literal(frozenset({"number"}))
        if amount.startswith("-") or (word == "REPEATS" and "." in amount):
            raise _Unsure
        self._expect("word", "SECONDS" if word == "WITHIN" else "TIMES")

    def _comparisons(self, depth: int) -> None:
        self._comparison(depth)
        while self._take("word", "AND", "OR"):
            self._comparison(depth)

    def _comparison(self, depth: int) -> None:
        if depth > DEEPEST:
            raise _Unsure
        if self._take("sign", "("):
            self._comparisons(depth + 1)
            self._expect("sign", ")")
            return
        kind, text = self._next()
        name, _, path = text.partition(":")
        if kind != "object" or name in KEYWORDS:
            raise _Unsure
        self._test(path)
        self.compared.append((name, path))

    def _test(self, path: str) -> None:
        self._take("word", "NOT")
        kind, operator = self._next()
        if kind == "sign" and operator in EQUAL:
            if not hash_fits(path, self._any_or_bool()):
                raise _Unsure
        elif kind == "sign" and operator in ORDER:
            if not hash_fits(path, self._literal(ANY_LITERAL)):
                raise _Unsure
        elif kind == "word" and operator in TEXT_TESTS:
            if not hash_fits(path, self._literal(frozenset({"string"}))):
                raise _Unsure
        elif kind == "word" and operator == "IN":
            self._set()
        else:
            raise _Unsure

    def _set(self) -> None:
        self._expect("sign", "(")
        if self._take("sign", ")"):
            return
        self._any_or_bool()
        while self._take("sign", ","):
            self._any_or_bool()
        self._expect("sign", ")")

    def _any_or_bool(self) -> str:
        return self._take("word", "true", "false") or self._literal(ANY_LITERAL)

    def _literal(self, kinds: frozenset[str]) -> str:
        kind, text = self._next()
        if kind not in kinds:
            raise _Unsure
        return text

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token[0] == "end":
            raise _Unsure
        self._at += 1
        return token

    def _take(self, kind: str, *texts: str) -> str | None:
        found_kind, text = self._tokens[self._at]
        if found_kind != kind or text not in texts:
            return None
        self._at += 1
        return text

    def _expect(self, kind: str, text: str) -> None:
        if self._take(kind, text) is None:
            raise _Unsure
