#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Makes a man page of Markdown, by pandoc:

    man_page.py PANDOC VERSION SOURCE.md OUTPUT

In a source, `<!-- table: PAGE, HEADING -->` stands for the first table below that heading of a page in
docs/, `<!-- table: PAGE, HEADING, N -->` for the N-th.  So a man page says what the page says.  A row
becomes a term and a paragraph.  `<!-- code: PAGE, HEADING -->` stands for the first block of code.
"""

import pathlib
import re
import subprocess
import sys

DOCS = pathlib.Path(__file__).resolve().parent.parent
MARK = re.compile(r"^<!-- (table|code): ([\w.-]+), ([^,]+?)(?:, (\d+))? -->$", re.MULTILINE)
LINK = re.compile(r"\[((?:[^][]|\[[^][]*\])+)\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
CELLS = re.compile(r"(?<!\\)\|")
EXAMPLES = ("example",)  # they are in the page; here each would be a line of its own


class PageError(Exception):
    """A source that asks for what is not there."""


def section_of(page, heading):
    """The lines between that heading and the next."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    in_code, begin = False, None
    for number, line in enumerate(lines):
        in_code ^= line.startswith("```")
        if in_code or not re.match(r"#+ ", line):
            continue
        if begin is not None:
            return lines[begin:number]
        if line.lstrip("# ") == heading:
            begin = number + 1
    if begin is None:
        raise PageError(f"docs/{page} has no heading '{heading}'")
    return lines[begin:]


def parts_of(lines, is_part):
    """What stands together, of lines that are part of something."""
    parts, is_open = [], False
    for line in lines:
        if is_part(line):
            if not is_open:
                parts.append([])
            parts[-1].append(line)
        is_open = is_part(line)
    return parts


def cells_of(row):
    return [cell.strip().replace("\\|", "|") for cell in CELLS.split(row)[1:-1]]


def without_links(text):
    return LINK.sub(r"\1", text)


def definition_of(names, cells):
    """A term and its paragraph."""
    term, text, *others = [without_links(cell) for cell in cells]
    sentences = [text] + [f"{name.capitalize()}: {cell}" for name, cell in zip(names[2:], others)
                          if cell and name not in EXAMPLES]
    return f"{term}\n:   " + ". ".join(sentence.rstrip(".") for sentence in sentences if sentence) + ".\n"


def table_of(page, heading, number):
    tables = parts_of(section_of(page, heading), lambda line: line.startswith("|"))
    if len(tables) < number:
        raise PageError(f"docs/{page}, '{heading}' has no table {number}")
    head, _, *rows = tables[number - 1]
    return "\n".join(definition_of(cells_of(head), cells_of(row)) for row in rows)


def code_of(page, heading, number):
    text = "\n".join(section_of(page, heading))
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text + "\n", re.MULTILINE | re.DOTALL)
    if len(blocks) < number:
        raise PageError(f"docs/{page}, '{heading}' has no code {number}")
    return "".join(f"    {line}\n" for line in blocks[number - 1].splitlines())


def filled(source):
    """The source with what its marks stand for."""
    def text_of(mark):
        make = table_of if mark[1] == "table" else code_of
        return make(mark[2], mark[3], int(mark[4] or 1))
    return MARK.sub(text_of, source)


def main(pandoc, version, source, output):
    try:
        text = filled(pathlib.Path(source).read_text(encoding="utf-8").replace("@VERSION@", version))
    except PageError as error:
        sys.exit(f"{source}: {error}")
    page = subprocess.run([pandoc, "--standalone", "--from=markdown-smart", "--to=man"],
                          input=text, check=True, text=True, encoding="utf-8",
                          stdout=subprocess.PIPE).stdout
    # Fonts of its own for code, which mandoc does not know: bold, as in other pages.
    page = re.sub(r"\\f\[V[BI]*\]", r"\\f[B]", page)
    pathlib.Path(output).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
