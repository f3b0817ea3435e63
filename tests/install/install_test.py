#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Installs the project into an empty folder and uses it as whoever has it would.

    install_test.py BUILD-FOLDER SOURCE-FOLDER
"""

import concurrent.futures
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

BUILD, SOURCE = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
HERE = None    # what all tests use
PATIENCE = 60  # s, for one thing; a busy machine is no fault
LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")


def run(*command, **options):
    """What it prints, to whichever of the two."""
    result = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=10 * PATIENCE, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} has ended with {result.returncode}:\n"
                             f"{result.stdout}")
    return result.stdout


class Installed:
    """What is below the folder; looked for, since the prefix is whatever the build has."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", self.folder)
        pc = self.one("pkgconfig/usher-worker.pc").parent
        self.library = self.one("libusher-worker.so").parent
        self.environment = {**os.environ, "PKG_CONFIG_PATH": str(pc),
                            "PKG_CONFIG_SYSROOT_DIR": str(self.folder),
                            "LD_LIBRARY_PATH": str(self.library)}
        # A library with sanitizers needs a program with sanitizers.
        symbols = run("nm", "-D", self.library / "libusher-worker.so")
        self.sanitize = ["-fsanitize=address,undefined"] if "__asan_init" in symbols else []

    def all(self, place):
        return [pathlib.Path(path) for path in glob.glob(f"{self.folder}/**/{place}", recursive=True)]

    def one(self, place):
        found = self.all(place)
        if len(found) != 1:
            raise AssertionError(f"{place}: {found or 'is not installed'}")
        return found[0]

    def run(self, *command, **options):
        return run(*command, env=self.environment, **options)

    def flags(self, package):
        return self.run("pkg-config", "--cflags", "--libs", package).split()


class Serving:
    """`usher run` of the installed usher; what it says of where it listens."""

    def __init__(self, installed, *words):
        self.control = installed.folder / "control"
        self.process = subprocess.Popen(
            [installed.one("bin/usher"), "run", "--control", self.control, "--workers", "1", *words],
            env={"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(installed.library)}, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines = []

    def __enter__(self):
        return self

    def address(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if " ready after " in line:
                break
        for line in self.lines:
            if found := LISTENING.search(line):
                return found[1]
        raise AssertionError("no worker is ready:\n" + "".join(self.lines))

    def __exit__(self, *_):
        self.process.terminate()
        rest = self.process.communicate(timeout=PATIENCE)[1]
        if self.process.returncode != 0:
            raise AssertionError("".join(self.lines) + rest)


def setUpModule():
    global HERE
    HERE = Installed()


def tearDownModule():
    shutil.rmtree(HERE.folder)


class InstallTest(unittest.TestCase):
    def get(self, address):
        with urllib.request.urlopen(f"http://{address}/", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def test_programs_of_others_find_the_libraries_and_serve(self):
        project = HERE.folder / "external"
        shutil.copytree(SOURCE / "tests/external", project)
        sanitize = [f"{name}={' '.join(words)}" for name in ("CC", "CXX")
                    for words in [[{"CC": "cc", "CXX": "c++"}[name], *HERE.sanitize]]]
        HERE.run("make", "-s", "-C", project, *sanitize)
        for program, text in (("worker-c", "served in C\n"), ("worker-cpp", "served in C++\n")):
            with self.subTest(program), Serving(HERE, "--listen", "127.0.0.1:0", "--dialect",
                                                "native", "--", project / program) as usher:
                self.assertEqual(self.get(usher.address()), text)

    def test_the_installed_usher_finds_what_it_loads_into_programs(self):
        server = HERE.folder / "server.py"
        server.write_text("import http.server\n"
                          "http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)\n")
        with Serving(HERE, "--listen", "127.0.0.1:0", "--dialect", "preload", "--",
                     sys.executable, "-B", server) as usher:
            self.assertIn("Directory listing", self.get(usher.address()))

    def test_a_library_where_others_may_write_is_not_loaded(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        prefix = shutil.copytree(HERE.one("bin/usher").parent.parent, folder / "prefix")
        prefix.chmod(0o777)
        said = subprocess.run(
            [prefix / "bin/usher", "run", "--control", folder / "control", "--workers", "1", "--listen", "127.0.0.1:0",
             "--dialect", "preload", "--", sys.executable, "-c", "1"],
            check=False, text=True, capture_output=True, timeout=PATIENCE).stderr
        self.assertIn("others may write", said)

    def test_the_examples_are_built_by_what_is_installed(self):
        program = HERE.folder / "hello"
        HERE.run("cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                      *HERE.sanitize, SOURCE / "worker/examples/hello.c",
                      *HERE.flags("usher-worker"), "-o", program)
        said = subprocess.run([program, "nonsense"], env=HERE.environment, check=False,
                              text=True, capture_output=True, timeout=PATIENCE).stderr
        self.assertIn('"nonsense" is no address to listen on', said)

    def test_each_header_compiles_by_itself(self):
        include = HERE.one("usher.h").parent
        headers = [path.relative_to(include) for path in include.rglob("usher*.h")]
        headers += [path.relative_to(include) for path in (include / "usher/worker").glob("*.hpp")
                    if path.name != "acceptor.hpp"]  # worker.cpp of tests/external begins with it
        self.assertEqual(len(headers), 1 + len(list((SOURCE / "worker/include/usher/worker").glob("*.hpp"))))
        cases = [(header, language) for header in headers
                 for language in (("c", "c++") if header.suffix == ".h" else ("c++",))]
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda case: self.compile(*case), cases))

    def compile(self, header, language):
        HERE.run("c++", {"c": "-std=c11", "c++": "-std=c++20"}[language], "-x", language, "-Wall", "-Wextra",
                      "-Wpedantic", "-Werror", "-fsyntax-only", *HERE.flags("usher-worker-cpp"), "-",
                      input=f"#include <{header}>\n")

    def test_the_c_library_exports_what_its_headers_declare_and_nothing_else(self):
        declared = {name for header in ("usher.h", "usher_bus.h")
                    for name in re.findall(r"USHER_API [^(]*?(usher_[a-z_]+)\(",
                                           (SOURCE / "worker/include" / header).read_text())}
        symbols = run("nm", "-D", "--defined-only", HERE.library / "libusher-worker.so")
        exported = set(re.findall(r" [TDBR] ((?!__)\w+)", symbols))
        self.assertEqual(declared, exported)

    def test_libraries_for_python_and_node_are_there(self):
        python = HERE.one("usher.py").parent
        run(sys.executable, "-B", "-c", "import usher; usher.Worker", env={**os.environ, "PYTHONPATH": str(python)})
        modules = HERE.one("nodejs/usher/usher.js").parent.parent
        run("node", "-e", "require('usher').bus", env={**os.environ, "NODE_PATH": str(modules)})

    def test_systemd_takes_the_unit(self):
        units = HERE.all("lib/systemd/system/usher.service")
        self.assertEqual(len(units), int(os.environ["USHER_TEST_SYSTEMD"]))
        if not units:
            self.skipTest("built without libsystemd")
        text = units[0].read_text()
        program = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)[1]
        # systemd looks whether it is there.
        copy = HERE.folder / "usher.service"
        copy.write_text(text.replace(program, str(HERE.one("bin/usher"))))
        self.assertEqual(str(HERE.folder) + program, str(HERE.one("bin/usher")))
        said = run("systemd-analyze", "verify", "--man=no", copy)
        self.assertNotIn("usher", said)  # it speaks of the other units of this machine as well

    def test_shells_find_what_they_complete_by(self):
        bash = HERE.one("share/bash-completion/completions/usher").parents[2]
        fish = HERE.one("share/fish/vendor_completions.d/usher.fish").parents[2]
        zsh = HERE.one("share/zsh/site-functions/_usher").parent
        environment = {**os.environ, "HOME": str(HERE.folder), "XDG_CONFIG_HOME": str(HERE.folder),
                       "PATH": f"{HERE.one('bin/usher').parent}:{os.environ['PATH']}"}
        said = run("bash", "--norc", "-c", "source /usr/share/bash-completion/bash_completion; "
                   "_completion_loader usher; complete -p usher", env={**environment, "XDG_DATA_DIRS": str(bash)})
        self.assertEqual(said, "complete -F _usher usher\n")
        said = run("fish", "--private", "-c", "complete -C 'usher relo'",
                   env={**environment, "XDG_DATA_DIRS": f"{fish}:/usr/share"})
        self.assertIn("reload\t", said)
        said = run("zsh", "-f", "-c", "fpath=($1 $fpath); autoload -U compinit; compinit -u -D; "
                   "print $_comps[usher]", "zsh", zsh, env=environment)
        self.assertEqual(said, "_usher\n")


class ManTest(unittest.TestCase):
    """What else says something of the command line and of the keys is asked, so that no page forgets any."""

    def setUp(self):
        self.pages = {path.name: path.read_text() for path in HERE.all("man/man*/usher*")}
        if os.environ["USHER_TEST_MAN"] == "0":
            self.skipTest("built without pandoc")
        self.assertEqual(set(self.pages), {"usher.1", "usher.json.5", "usher-worker.7"})

    def text_of(self, page):
        text = re.sub(r"\\f\[\w*\]", "", self.pages[page]).replace("\\-", "-")
        return re.sub(r"\s+", " ", text)

    def test_groff_finds_nothing_wrong(self):
        for page in self.pages:
            path = HERE.one(f"man*/{page}")
            self.assertEqual(run("groff", "-man", "-ww", "-z", "-Tutf8", path), "", page)

    def test_all_that_a_man_page_has_is_there(self):
        for page, sections in (("usher.1", ("SYNOPSIS", "OPTIONS", "COMMANDS", "SIGNALS", "EXIT STATUS",
                                            "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO")),
                               ("usher.json.5", ("SYNOPSIS", "KEYS", "EXAMPLES", "SEE ALSO")),
                               ("usher-worker.7", ("SYNOPSIS", "ENVIRONMENT", "SIGNALS", "EXIT STATUS",
                                                   "EXAMPLES", "SEE ALSO"))):
            found = re.findall(r"^\.SH (.*)$", self.pages[page], re.MULTILINE)
            self.assertEqual(found[0], "NAME")
            self.assertLessEqual({*sections, "DESCRIPTION"}, set(found), page)

    def test_usher_1_has_the_commands_and_options_that_there_are_and_no_others(self):
        script = HERE.run(HERE.one("bin/usher"), "completion", "fish")
        text = self.text_of("usher.1")
        at = re.compile(r"__usher_at \"([\w ]*)\"' (?:-s (\w) )?(?:-l ([\w-]+)|-a (\w+) )")
        found = at.findall(script)
        commands = {(part + " " + name).strip() for part, _, _, name in found if name} - {"run all"}
        self.assertLessEqual({"run", "check", "store get", "completion"}, commands)
        for command in commands:
            last = command.split()[-1]
            self.assertRegex(text, rf"usher {command}\b" if " " not in command else rf"\b{last} [A-Z[]")
        options = {"--" + name for _, _, name, _ in found if name}
        self.assertLessEqual({"--config", "--follow"}, options)
        self.assertEqual(options, set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)))
        for short in {short for _, short, _, _ in found if short}:
            self.assertRegex(text, rf"(?<![\w-])-{short}\b")

    def test_usher_json_5_has_the_keys_that_there_are_and_no_others(self):
        sections = [
            {name for term in re.findall(r"^\.TP\n(.*)$", section, re.MULTILINE)
             for name in re.findall(r"\\f\[B\](.*?)\\f\[R\]", term)}
            for section in re.split(r"^\.S[SH] ", self.pages["usher.json.5"], flags=re.MULTILINE)]
        schema = json.loads((SOURCE / "docs/config.schema.json").read_text())
        self.assertGreater(len(list(objects_of(schema))), 10)
        for keys in objects_of(schema):
            if keys != {"soft", "hard"}:  # of each limit, in its text
                self.assertIn(keys, sections)


def objects_of(schema):
    """The keys of each object that the schema describes."""
    if isinstance(schema, list):
        for each in schema:
            yield from objects_of(each)
    elif isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield set(schema["properties"])
        for each in schema.values():
            yield from objects_of(each)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
