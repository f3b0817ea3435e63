# SPDX-License-Identifier: MIT
"""Reads the fenced blocks of a Markdown page, and what is said of them in comments that nobody sees."""

import dataclasses
import re

FENCE = re.compile(r"^ *```(\w*) *$")
HEADING = re.compile(r"^#{1,6} ")
# Right above a block, maybe over several lines: what the reader has already, which programs it
# takes, or why it is not run.
NOTE = re.compile(r"^<!-- (with|needs|not run):(.*?)-->$", re.DOTALL)


class PageError(Exception):
    """Something is wrong with the page itself."""


@dataclasses.dataclass
class Block:
    page: str
    line: int           # of its first line of text
    section: int        # counts the headings
    language: str
    text: str
    setup: str = ""     # commands that make what the reader has already
    needs: list = dataclasses.field(default_factory=list) # programs
    reason: str = ""    # why it is not run; empty: it is

    @property
    def place(self):
        return f"{self.page}:{self.line}"


def blocks_of(page, text):
    """The blocks of the page, in their order."""
    blocks, notes, section = [], [], 0
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if HEADING.match(line):
            section += 1
            notes = []
        elif line.startswith("<!-- "):
            begin = at
            while not line.endswith("-->"):
                if at == len(lines):
                    raise PageError(f"{page}:{begin}: a comment has no end")
                line += "\n" + lines[at]
                at += 1
            if note := NOTE.match(line):
                notes.append((begin, note[1], note[2].strip()))
        elif fence := FENCE.match(line):
            begin = at
            while at < len(lines) and lines[at].strip() != "```":
                at += 1
            if at == len(lines):
                raise PageError(f"{page}:{begin}: a block has no end")
            block = Block(page, begin + 1, section, fence[1], "\n".join(lines[begin:at]))
            at += 1
            for where, kind, said in notes:
                if not said:
                    raise PageError(f'{page}:{where}: "{kind}:" says nothing')
                if kind == "with":
                    block.setup = said
                elif kind == "needs":
                    block.needs = said.split()
                else:
                    block.reason = said
            blocks.append(block)
            notes = []
        elif line.strip() and notes:
            raise PageError(f"{page}:{notes[0][0]}: the comment is not right above a block")
    return blocks


def commands_of(text):
    """The commands of a shell script, with their here-documents and continued lines."""
    commands, command, end = [], [], None
    for line in text.split("\n"):
        command.append(line)
        if end is not None:
            if line == end:
                end = None
        elif found := re.search(r"<<'?(\w+)'?", line):
            end = found[1]
        if end is None and not line.endswith("\\"):
            commands.append("\n".join(command))
            command = []
    if command:
        commands.append("\n".join(command))
    return [each for each in commands if each.strip() and not each.lstrip().startswith("#")]


def exchanges_of(text):
    """Pairs of a command and the lines that it is said to print, of a ```console block."""
    exchanges, end = [], None
    for line in text.split("\n"):
        if end is not None:
            exchanges[-1][0] += "\n" + line
            if line == end:
                end = None
        elif line.startswith("$ "):
            exchanges.append([line[2:], []])
            if found := re.search(r"<<'?(\w+)'?", line):
                end = found[1]
        elif exchanges:
            exchanges[-1][1].append(line)
        else:
            raise PageError('a console block begins with a command: "$ "')
    return exchanges


# What a page shows as one example of many: anything, blanks, a time, a duration, how much of a
# processor or of memory, and each number of three digits or more.
TOKENS = re.compile(r"""
    (?P<anything>…)
  | (?P<blanks>\s+)
  | (?P<time>\b\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d\d:\d\d|Z))
  | (?P<duration>\b\d+(?:\.\d+s|s|m\d\ds|h\d\dm|d\d\dh)\b)
  | (?P<share>\b\d+(?:\.\d)?%)
  | (?P<size>\b\d+(?:\.\d)?[MG]\b)
  | (?P<number>\b\d{3,}\b|\b\d+(?=[ ]ms\b))
""", re.VERBOSE)
MEANS = {"anything": ".*", "blanks": r"\s+", "time": r"\S+", "duration": r"[\d.smhd]+",
         "share": r"[\d.]+%", "size": r"[\d.]+[MG]", "number": r"\d+"}


def pattern_of(line):
    """What a line of output must look like that the page shows as `line`."""
    pattern, at = "", 0
    for found in TOKENS.finditer(line):
        pattern += re.escape(line[at:found.start()]) + MEANS[found.lastgroup]
        at = found.end()
    return pattern + re.escape(line[at:])


def are_as_shown(shown, printed):
    """True if the lines `printed` are what the page shows; a line `…` stands for any lines."""
    parts = []
    for line in shown:
        parts.append(r"(?:.*\n)*" if line.strip() == "…" else pattern_of(line.rstrip()) + r"[ \t]*\n")
    text = "".join(line.rstrip() + "\n" for line in printed)
    return re.fullmatch("".join(parts), text) is not None
