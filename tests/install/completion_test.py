#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Asks bash, fish and zsh what they would complete, each with the script that usher prints for it.

    completion_test.py USHER
"""

import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

USHER = os.path.abspath(sys.argv[1])
PATIENCE = 60  # s; a busy machine is no fault

COMMANDS = {"run", "check", "status", "reload", "restart", "drain", "scale", "send", "stop", "events",
            "publish", "subscribe", "request", "store", "completion"}
DIALECTS = {"auto", "native", "preload", "node", "listen-fds", "none"}

# What is on the line, and all that fits, or, where `...` is with it, some of it.
LINES = (
    ("usher ", {*COMMANDS}),
    ("usher re", {"reload", "restart", "request"}),
    ("usher store ", {"get", "put", "erase", "increment", "watch", "dump"}),
    ("usher --ver", {"--version"}),
    ("usher run --l", {"--listen", "--log-format"}),
    ("usher run --listen 8000 --workers 2 --dia", {"--dialect"}),
    ("usher run --dialect ", DIALECTS),
    ("usher run --dialect n", {"native", "node", "none"}),
    ("usher run --workers ", {"auto"}),
    ("usher run --log-format ", {"text", "json"}),
    ("usher run --config us", {"usher file.json"}),
    ("usher check --config us", {"usher file.json"}),
    ("usher run --env-file us", {"usher file.json"}),
    ("usher status --control so", {"socket"}),
    ("usher events --f", {"--follow"}),
    ("usher restart ", {"all"}),
    ("usher restart --pool all --tim", {"--timeout"}),
    ("usher restart --pool status --tim", {"--timeout"}),
    ("usher store put --tt", {"--ttl"}),
    ("usher store get --tt", set()),
    ("usher drain --pool ", set()),
    ("usher stop --n", {"--now", "--no-wait"}),
    ("usher completion ", {"bash", "fish", "zsh"}),
    ("usher run --listen 8000 -- usher rel", {"reload"}),
    ("usher run -- our-very-own-pro", {"our-very-own-program"}),
    ("usher run -- our-very-own-program us", {"usher file.json"}),
)


class Shell:
    """A folder with files in it, and programs on the PATH."""

    def __init__(self, name):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        for file in ("usher file.json", "socket"):
            (self.folder / file).touch()
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "usher").symlink_to(USHER)
        (programs / "our-very-own-program").symlink_to("/bin/true")
        self.environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(self.folder),
                            "XDG_CONFIG_HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder),
                            "LC_ALL": "C.UTF-8", "TERM": "dumb"}
        self.script = self.folder / name
        self.script.write_text(self.run(USHER, "completion", name))

    def run(self, *command):
        return subprocess.run(command, cwd=self.folder, env=self.environment, check=True, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE).stdout

    def close(self):
        shutil.rmtree(self.folder)


class CompletionTest(unittest.TestCase):
    def shell(self, name):
        self.assertTrue(shutil.which(name), f"{name} is missing; run scripts/install-deps test")
        shell = Shell(name)
        self.addCleanup(shell.close)
        return shell

    def check_all(self, completed, lines=LINES):
        """`completed` says what a shell has for a line."""
        for line, expected in lines:
            with self.subTest(line):
                self.assertEqual(completed(line), expected)

    def bash(self, loading):
        shell = self.shell("bash")
        # As readline does, which cuts words at each = as well.
        ask = loading + '''
            source "$1"
            read -ra COMP_WORDS <<<"${2//=/ = }"
            [[ $2 != *' ' ]] || COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$2 COMP_POINT=${#2}
            _usher
            printf '%s\n' "${COMPREPLY[@]}"
        '''
        def completed(line):
            shown = shell.run("bash", "--norc", "-c", ask, "bash", shell.script, line)
            return {word.replace("\\ ", " ") for word in shown.splitlines()} - {""}
        return completed

    def test_bash(self):
        completed = self.bash("")
        # By itself it knows of other programs that they take files.
        self.check_all(completed, [line for line in LINES if "-- usher" not in line[0]])
        self.assertEqual(completed("usher run --dialect=no"), {"node", "none"})
        self.assertEqual(completed("usher run --dialect="), DIALECTS)
        self.assertEqual(completed("usher run --env NAME="), set())

    def test_bash_with_what_it_knows_of_other_programs(self):
        self.check_all(self.bash("source /usr/share/bash-completion/bash_completion"))

    def test_fish(self):
        shell = self.shell("fish")
        def completed(line):
            shown = shell.run("fish", "--private", "-c", "source $argv[1]; complete -C $argv[2]", shell.script, line)
            return {word.split("\t")[0].replace("\\ ", " ") for word in shown.splitlines()}
        self.check_all(completed)
        self.assertEqual(completed("usher run --dialect=no"), {"--dialect=node", "--dialect=none"})

    def zsh(self, name, loading):
        shell = self.shell("zsh")
        shell.script.rename(shell.folder / name)
        zsh = Zsh(shell, loading)
        self.addCleanup(zsh.close)
        return zsh

    def test_zsh_that_loads_it_when_it_is_wanted(self):
        zsh = self.zsh("_usher", "fpath=($PWD $fpath); compinit -u -D")
        for _ in range(2):  # the first time it loads and completes
            self.assertEqual(zsh.completed("usher relo"), {"reload"})

    def test_zsh(self):
        zsh = self.zsh("script", "compinit -u -D; source ./script")
        self.check_all(zsh.completed)
        self.assertEqual(zsh.completed("usher run --dialect=no"), {"node", "none"})


class Zsh:
    """It completes at a terminal only.  What it would add to the line comes by a FIFO, and at last a word that
    says that this is all."""

    START = r'''
        PS1= PS2= RPS1= ; unsetopt zle_bracketed_paste prompt_cr
        autoload -U compinit
        eval $LOADING
        compadd() {
            if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
                builtin compadd "$@"
                return
            fi
            local -a hits
            builtin compadd -O hits "$@"
            local hit
            for hit in $hits; do print -r -- "hit $hit" >>$ANSWERS; done
            builtin compadd "$@"
        }
        finish() { print -r -- end >>$ANSWERS; BUFFER= }
        zle -N finish
        bindkey '^T' complete-word
        bindkey '^G' finish
        print -r -- end >>$ANSWERS
    '''

    def __init__(self, shell, loading):
        answers = shell.folder / "answers"
        os.mkfifo(answers)
        self.answers = os.open(answers, os.O_RDWR)  # so that it never ends
        start = shell.folder / "start"
        start.write_text(self.START)
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["zsh", "-f", "-i"], cwd=shell.folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**shell.environment, "LOADING": loading, "ANSWERS": str(answers)})
        os.close(slave)
        self.rest = b""
        self.ask(f"source {start}\n")

    def ask(self, keys):
        """Its answers up to the end."""
        os.write(self.master, keys.encode())
        lines, said, deadline = [], b"", time.monotonic() + PATIENCE
        while True:
            ready, _, _ = select.select([self.answers, self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"zsh says nothing: {said.decode(errors='replace')}")
            if self.master in ready:
                said += os.read(self.master, 65536)
            if self.answers in ready:
                *whole, self.rest = (self.rest + os.read(self.answers, 65536)).split(b"\n")
                lines += [line.decode() for line in whole]
                if "end" in lines:
                    return lines[:lines.index("end")]

    def completed(self, line):
        return {answer.removeprefix("hit ").replace("\\ ", " ") for answer in self.ask(line + "\x14\x07")}

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.answers)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
