"""A document as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .document_model import (
    Block,
    Bullets,
    Document,
    Heading,
    Paragraph,
    Sentences,
    Span,
    Spans,
    Table,
    Tokens,
)


def html(document: Document) -> Iterator[str]:
    """Yield a document as HTML, piece by piece.

    >>> document = Document("T"); document.say("Let *x* be `a<b`.")
    >>> "<p>Let <em>x</em> be <code>a&lt;b</code>.</p>" in "".join(html(document))
    True
    """
    title = escape(document.title)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="color-scheme" content="light dark">\n'
    yield f"<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    yield from _contents(document)
    yield f"<main>\n<h1>{title}</h1>\n"
    for block in document.blocks:
        yield from _block(block)
        yield "\n"
    yield "</main>\n</body>\n</html>\n"


def _contents(document: Document) -> Iterator[str]:
    yield '<nav aria-label="Contents">\n<p>Contents</p>\n'
    level = 1
    for heading in document.headings():
        if heading.level > level:
            yield "<ol>\n" * (heading.level - level)
        else:
            yield "</li>\n" + "</ol></li>\n" * (level - heading.level)
        level = heading.level
        yield f'<li><a href="#{heading.anchor}">{escape(heading.text)}</a>'
    yield "</li></ol>\n" * (level - 1) + "</nav>\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(level, text, anchor):
            yield f'<h{level} id="{anchor}">{escape(text)}</h{level}>'
        case Paragraph(parts):
            yield f"<p>{_inline(parts)}</p>"
        case Bullets(items):
            yield "<ul>\n" + "".join(f"<li>{_inline(item)}</li>\n" for item in items) + "</ul>"
        case Table(head, rows, numeric):
            yield '<div class="wide"><table>\n<thead><tr>'
            yield "".join(_cell("th", cell, i in numeric) for i, cell in enumerate(head))
            yield "</tr></thead>\n<tbody>\n"
            for row in rows:
                yield (
                    "<tr>"
                    + "".join(_cell("td", cell, i in numeric) for i, cell in enumerate(row))
                    + "</tr>\n"
                )
            yield "</tbody></table></div>"
        case Sentences(english, statements):
            if english:
                yield f'<p class="english">{escape(english)}</p>\n'
            for number, text in statements:
                yield f'<div class="statement" id="s{number}"><a href="#s{number}">{number}</a>'
                yield f"<pre>{escape(text)}</pre></div>\n"
        case Tokens(tokens):
            yield '<div class="wide"><table class="tokens">\n<thead><tr>'
            yield "<th>bits</th><th>token</th><th>meaning</th></tr></thead>\n<tbody>\n"
            for t in tokens:
                inset = f' style="padding-left:{0.6 + 1.2 * t.depth:.1f}em"' if t.depth else ""
                token = f"<code>{escape(t.text)}</code>" if t.text else ""
                yield f'<tr class="{t.kind}"><td class="bits">{escape(t.bits)}</td>'
                yield f"<td{inset}>{token}</td><td>{escape(t.meaning)}</td></tr>\n"
            yield "</tbody></table></div>"


def _cell(tag: str, parts: Spans, numeric: bool) -> str:
    kind = ' class="n"' if numeric else ""
    return f"<{tag}{kind}>{_inline(parts)}</{tag}>"


_TAGS = {"code": "code", "strong": "strong", "emphasis": "em"}


def _inline(parts: Spans) -> str:
    return "".join(map(_span, parts))


def _span(part: Span) -> str:
    text = escape(part.text)
    if part.style in _TAGS:
        text = f"<{_TAGS[part.style]}>{text}</{_TAGS[part.style]}>"
    return f'<a href="#{part.target}">{text}</a>' if part.target else text


STYLE = """\
:root { --page: #fdfcf9; --ink: #1d1f24; --soft: #5d636e; --line: #dcd9d0; --wash: #f3f1ea; --link: #1c5a96;
  --open: #8a5a00; --close: #8a5a00; --number: #1c5a96; --name: #1d6b43; --raw: #8c2f5e; --parity: #5d636e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181c; --ink: #e4e3df; --soft: #9aa0aa; --line: #343840; --wash: #1f2227; --link: #86b9ec;
    --open: #dcae5a; --close: #dcae5a; --raw: #e79bc0; --parity: #9aa0aa;
    --number: #86b9ec; --name: #7fcf9f; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1.0625rem/1.6 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, serif; }
main { max-width: 58rem; margin: 0 auto; padding: 1rem 1.5rem 6rem; }
nav { max-width: 58rem; margin: 0 auto; padding: 2rem 1.5rem 0; font-size: 0.92rem; }
nav p { margin: 0 0 0.3rem; color: var(--soft); }
nav ol { list-style: none; margin: 0; padding: 0; }
nav > ol { columns: 17rem; column-gap: 2rem; }
nav ol ol { padding-left: 1.1rem; font-size: 0.94em; }
@media (min-width: 84rem) {
  nav { position: fixed; inset: 0 auto 0 0; width: 19rem; overflow: auto;
    border-right: 1px solid var(--line); }
  nav > ol { columns: auto; }
  main, nav { margin: 0; }
  main { margin-left: 22rem; } }
h1, h2, h3, h4 { line-height: 1.25; font-weight: 600; text-wrap: balance; }
h1 { font-size: 2rem; margin: 1.5rem 0 1rem; }
h2 { font-size: 1.5rem; margin: 3.5rem 0 0.8rem; padding-top: 0.6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.2rem; margin: 2.2rem 0 0.5rem; }
h4 { font-size: 1rem; margin: 1.6rem 0 0.4rem; }
p, ul { margin: 0.6rem 0; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 0.15em; }
nav a { color: inherit; text-decoration: none; }
nav a:hover { text-decoration: underline; }
code, pre, .bits, .statement > a {
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { font-size: 0.86em; }
.english { margin: 1.2rem 0 0.2rem; }
.statement { display: flex; gap: 1rem; background: var(--wash); padding: 0.1rem 0.8rem; font-size: 0.84rem; }
.statement:target { outline: 2px solid var(--link); }
.statement > a { flex: 0 0 3.4em; text-align: right; color: var(--soft); text-decoration: none;
  line-height: 1.5; }
.statement > pre { margin: 0; overflow-x: auto; line-height: 1.5; }
.wide { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; line-height: 1.4; }
th, td { padding: 0.25rem 0.6rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.bits { font-size: 0.84rem; overflow-wrap: anywhere; min-width: 9rem; }
.open .bits, .open code { color: var(--open); }
.close .bits, .close code { color: var(--close); }
.number .bits, .number code { color: var(--number); }
.name .bits, .name code { color: var(--name); }
.raw .bits { color: var(--raw); }
.parity .bits { color: var(--parity); }
@media print {
  :root { --page: #fff; --ink: #000; --soft: #444; --line: #bbb; --wash: #fff; --link: #000; }
  nav { position: static; width: auto; border: 0; break-after: page; }
  main { margin: 0; max-width: none; }
  body { font-size: 10pt; }
  .statement > pre { white-space: pre-wrap; }
  h2 { break-before: page; } h2, h3, h4, .english { break-after: avoid; }
  .statement, tr { break-inside: avoid; } }
"""
