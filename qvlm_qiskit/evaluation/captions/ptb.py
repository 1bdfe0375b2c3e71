"""A caption → tokens, as the Penn Treebank tokenizer of COCO's evaluation does it, without Java.

COCO's evaluation tokenises with Stanford's ``PTBTokenizer`` (CoreNLP 3.4.1, ``-preserveLines
-lowerCase``) and drops eleven kinds of punctuation (Chen et al. 2015, arXiv 1504.00325, section
3.1). This is the part of it that captions need, written from what the original answers; docs/log.md
says on how many lines the two differ. The original also looks at the first word of the next line
where a line ends in an initial ("Ave S."); here a caption's tokens are its own.
"""

from __future__ import annotations

import re

PUNCTUATION = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())
"""Tokens that COCO's evaluation drops; brackets, in lower case by then, stay."""

# A letter, a digit, or an accent that is a character of its own.
_AL = r"(?:[^\W_]|[\u0300-\u036f])"
_END = rf"(?!{_AL})"
_CONTRACTED = rf"(?:['’](?:s|m|d|ll|re|ve){_END}|n['’]t{_END})"
_CASELESS = (
    "jan feb mar apr jun jul aug sept? oct nov dec mon tues? wed thu thurs fri ala ariz calif colo "
    "conn ct dak fla ga ind kans? ky md mich minn mo mont neb nev okla penn tenn va vt wisc? wyo "
    "inc cos? corp ltd plc bancorp dept bhd assn univ intl sys mrs? ms drs? profs? sens? reps? "
    "attys? lt col gen messrs govs? adm rev maj sgt cpl pvt capt ste? ave pres lieut hon brig "
    "co?mdr pfc spc supts? det mt ft adj adv asst assoc ens insp mlle mme msgr sfc invt elec natl "
    r"jr sr bros blvd rd esq vs etc al seq bldg sq cf ph\.d ed\.d"
).split()
_CAPITAL = "Az Ark Del Ill La Mass Miss Ore Pa Tex Wash Pty Mfg Mtg".split()
_BEFORE_NUMBERS = "nos? prop figs? pp op art".split()
_SENTENCE = (
    "A About According Additionally After An As At But He Her Here However If In It Last Many More "
    "Now Once One Other Our She Since So Some Such That The Their Then There These They This We "
    "What When While Yet You"
).split()
"""Words that begin a sentence behind an initial ("vitamin C. The"), which then has no full stop."""

_TOKEN = re.compile(
    "|".join(
        [
            r"(?i:https?://[^\s\"<>|()]*[^\s\"<>|().,;:!?])",
            r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
            r"</?[A-Za-z][^<>]*>",
            r"[:;=][-o]?[()\[\]]",
            r"[@#][A-Za-z]\w*",
            rf"(?i:{_CONTRACTED}|['’](?:em|til|tis|twas|cause|n['’]?){_END}|(?<!\d)['’]\d\ds?{_END})",
            rf"(?<!{_AL})(?i:{'|'.join(_CASELESS)})\.(?!{_AL})",
            rf"(?<!{_AL})(?:{'|'.join(_CAPITAL)})\.(?!{_AL})",
            rf"(?<!{_AL})(?i:{'|'.join(_BEFORE_NUMBERS)})\.(?=\s*\d)",
            rf"(?<!{_AL})[A-Za-z](?:\.[A-Za-z])+\.?(?:s{_END})?(?!{_AL})",
            rf"(?<!{_AL})[A-Za-z]\.(?!{_AL}|\.|\s+(?:{'|'.join(_SENTENCE)})\b)",
            rf"(?<!{_AL})\d+ \d{{1,4}}/\d{{1,4}}{_END}",
            r"\d{1,2}:\d\d(?=[AaPp][Mm])",
            rf"(?<!{_AL})\d+(?:[.,]\d+)+(?!(?i:st|nd|rd|th|s){_END})(?=[^\W\d_])",
            rf"(?<!{_AL})[-+]?(?:\d+(?:[.,:/-]\d+)*|\.\d+)(?:(?i:st|nd|rd|th)|s)?{_END}(?:-{_AL}+)*",
            r"C(?:\+\+|#)",
            r"[A-Z]+(?:&[A-Z]+)+",
            rf"(?i:{_AL}+?(?=n['’]t{_END}))",
            rf"(?i:{_AL}+\.(?=[,;:]))",
            rf"(?i:(?:ol|y|dunkin)'(?=\s|$|all{_END}))",
            rf"(?i:{_AL}+(?:[-‐‑_/.'’]{_AL}+)*?(?={_CONTRACTED}))",
            rf"{_AL}+(?:[-‐‑_/.'’!]{_AL}+)*",
            r"\.{3,}|-{2,}|[?!]{2,}|\*{2,}|\S",
        ]
    )
)
# The original has no letter outside the first plane, and deletes what it does not know.
_UNKNOWN = re.compile(
    r"[\U00010000-\U0010ffff\u0000-\u001f\u007f-\u009f\u200b-\u200f\ufeff\u2160-\u2188]"
)
_SIGNS = str.maketrans(
    {
        "“": '"', "”": '"', "«": '"', "»": '"', "‹": "'", "›": "'", "‘": "`", "…": "...",
        "—": "--", "–": "--", "€": "$", "£": "# ", "¢": " cents", "½": "\t1/2", "¼": "\t1/4",
        "¾": "\t3/4", "\u00ad": "",
    }
)  # fmt: skip
_BRACKETS = str.maketrans(
    {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
)
_TWO = {
    "cannot": "can not", "gonna": "gon na", "gotta": "got ta", "wanna": "wan na",
    "lemme": "lem me", "gimme": "gim me", "'tis": "'t is", "'twas": "'t was",
}  # fmt: skip
_LONG = {".": "...", "-": "--"}


def tokenize(caption: str) -> str:
    """The caption's tokens in lower case, joined by single spaces; "" where it has none."""
    text = _UNKNOWN.sub(" ", caption).translate(_SIGNS).replace("&amp;", "&")
    words = " ".join(_written(token) for token in _TOKEN.findall(text)).split(" ")
    return " ".join(word for word in words if word and word not in PUNCTUATION)


def _written(token: str) -> str:
    """A token as the Treebank writes it."""
    if len(token) > 1 and len(set(token)) == 1 and token[0] in _LONG:
        return _LONG[token[0]]
    token = token.lower().replace(" ", "\u00a0")  # within a token: "3 1/2" is one
    if re.fullmatch(_CONTRACTED, token):
        token = token.replace("’", "'")
    if token in '"’':
        return "''"
    return (
        token if token[0] == "<" and len(token) > 1 else _TWO.get(token, token.translate(_BRACKETS))
    )
