"""Tcl's lists, which the suites' clients send as messages: reading and writing them."""

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _braced(text, start):
    """The word that opens with a brace at `start`, and where it ends."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : at], at + 1
        at += 1
    return text[start + 1 :], at


def _bare(text, start, stop):
    """The word at `start` up to a character of `stop`, with its escapes undone."""
    word, at = [], start
    while at < len(text) and text[at] not in stop:
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
            word.append(ESCAPES.get(text[at], text[at]))
        else:
            word.append(text[at])
        at += 1
    return "".join(word), at


def split(text):
    """The words of a list."""
    words, at = [], 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text):
            return words
        if text[at] == "{":
            word, at = _braced(text, at)
        elif text[at] == '"':
            word, at = _bare(text, at + 1, '"')
            at += 1
        else:
            word, at = _bare(text, at, " \t\r\n")
        words.append(word)


def pattern(glob):
    """A regular expression of Tcl's for a name in which only `*` stands for something."""
    escaped = "".join(".*" if c == "*" else c if c.isalnum() or c in " _" else "\\" + c for c in glob)
    return f"^{escaped}$"
