#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Runs what README.md and docs/*.md have for pasting, and compares what they say that it prints.

    docs_test.py SOURCE-FOLDER BUILD-FOLDER [PAGE...]

Each page has a folder of its own, in which `build`, `docs`, `scripts`, `tests` and `worker` are, as
in a clone, `usher` on its PATH, and a network of its own, so that its ports are free.

- ```sh: its commands are run in their order.  `usher run` goes on until the next such block or the
  next heading; all its workers must become ready, what it listens on must answer at the end, and at
  SIGTERM it must end with 0.
- ```console: commands behind `$ `, each with what it prints; `…`, times, durations and numbers of
  three digits or more stand for any (see markdown.py).
- ```json: a whole configuration, or keys of a pool or of the top; `usher check` must find it good.

`<!-- with: COMMANDS -->` above a block makes what its reader has already, and is run before it.
`<!-- needs: PROGRAM... -->` leaves it out where one of those programs is not installed, and
`<!-- not run: REASON -->` everywhere.

What is pasted may write to the page's folder and to nothing else: everything is read-only there, and
no process outlives the test.  Where that cannot be had nothing is run.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import markdown

# Who marks another block must take one away, or say here why not.
MOST_NOT_RUN = 5

PATIENCE = 30.0  # s, for one thing; a busy machine is no fault
SKIPPED = 77     # as meson has it
SERVER = re.compile(r"^(?:\w+=\S* )*(?:\S*/)?usher run\b", re.MULTILINE)


class Failure(Exception):
    """What was pasted does not do what the page says."""


class Server:
    """A `usher run` that was pasted."""

    def __init__(self, command, page):
        self.command, self.page = command, page
        self.lines, self.log = queue.Queue(), []
        self.process = subprocess.Popen(
            ["bash", "-c", command], cwd=page.folder, env=page.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self.read, daemon=True).start()
        named = re.search(r"--control[ =](\S+)", command)
        self.control = ["--control", named[1]] if named else []

    def read(self):
        for line in self.process.stdout:
            self.log.append(line)
            self.lines.put(line)
        self.lines.put(None)

    def fail(self, problem):
        raise Failure(f"{self.command}\n  {problem}\n  " + "  ".join(self.log[-12:]))

    def status(self):
        words = " ".join(["usher", "status", "--json", *self.control])
        result = subprocess.run(["bash", "-c", words], cwd=self.page.folder, check=False,
                                env=self.page.environment, capture_output=True, text=True,
                                timeout=PATIENCE)
        return json.loads(result.stdout) if result.returncode == 0 else {"pools": []}

    def wait_until_ready(self):
        """All workers are ready, and whatever listens answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                self.fail(f"is not ready after {PATIENCE:.0f} s")
            if line is None:
                self.fail(f"has ended with {self.process.wait()}")
            if " ready after " not in line:
                continue
            pools = self.status()["pools"]
            if pools and all(worker["state"] == "ready" for pool in pools
                             for worker in pool["workers"]):
                return

    def ask(self, place):
        """Whatever it speaks, it has something to say to this."""
        if place.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            where = os.path.join(self.page.folder, place[5:])
        else:
            client = socket.socket(socket.AF_INET6 if "[" in place else socket.AF_INET)
            host, _, port = place.rpartition(":")
            where = ("::1" if host == "[::]" else host.strip("[]"), int(port))
        with client:
            client.settimeout(PATIENCE)
            try:
                client.connect(where)
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answered = client.recv(1) != b""
            except OSError as error:
                self.fail(f"{place} does not answer: {error}")
            if not answered:
                self.fail(f"{place} closes without an answer")

    def stop(self):
        # Not before: the page counts turns.
        for pool in self.status()["pools"]:
            for place in pool["listening"]:
                self.ask(place)
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            self.fail(f"has not ended {PATIENCE:.0f} s after SIGTERM")
        if code != 0:
            self.fail(f"has ended with {code}")

    def kill(self):
        """The workers end when it does, or with the namespace."""
        self.process.kill()
        self.process.wait()


class Page:
    """One page, its folder, and what runs there."""

    def __init__(self, name, source, build):
        self.name, self.server = name, None
        self.blocks = markdown.blocks_of(name, (source / name).read_text())
        self.folder = tempfile.mkdtemp()
        at = pathlib.Path(self.folder)
        for part in ("docs", "scripts", "tests", "worker"):
            (at / part).symlink_to(source / part)
        (at / "build").symlink_to(build)
        (at / "bin").mkdir()
        (at / "bin/usher").symlink_to(build / "balancer/usher")
        (at / "bin/python3").symlink_to(sys.executable)
        (at / "run").mkdir(0o700)
        self.environment = {
            "HOME": self.folder, "TMPDIR": self.folder, "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": self.folder + "/run",
            "PATH": self.folder + "/bin:" + os.environ["PATH"]}
        for kept in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if kept in os.environ:
                self.environment[kept] = os.environ[kept]

    def run(self, command):
        """What it prints."""
        # To a file: what it leaves running would hold a pipe.
        with tempfile.TemporaryFile("w+") as output:
            try:
                code = subprocess.run(
                    ["bash", "-ec", command], cwd=self.folder, env=self.environment, check=False,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    timeout=PATIENCE).returncode
            except subprocess.TimeoutExpired as error:
                raise Failure(f"{command}\n  has not ended after {PATIENCE:.0f} s") from error
            output.seek(0)
            text = output.read()
        if code != 0:
            raise Failure(f"{command}\n  has ended with {code}\n  {text}")
        return text

    def serve(self, command):
        self.stop_server()
        self.server = Server(re.sub(r"&\s*$", "", command), self)
        try:
            self.server.wait_until_ready()
        except Failure:
            self.server.kill()
            self.server = None
            raise

    def run_all(self, text):
        for command in markdown.commands_of(text):
            if SERVER.search(command):
                self.serve(command)
            else:
                self.run(command)

    def stop_server(self):
        if self.server:
            server, self.server = self.server, None
            server.stop()

    def check_console(self, text):
        for command, shown in markdown.exchanges_of(text):
            if SERVER.search(command):
                self.serve(command)
                continue
            printed = self.run(command).splitlines()
            if not markdown.are_as_shown(shown, printed):
                raise Failure("\n  ".join([command, "prints", *printed, "instead of", *shown]))

    def check_json(self, text):
        if '"pools"' in text:
            whole = text
        else:
            # As text, since it may have comments.
            keys = text.strip()[1:-1] if text.startswith("{") else text
            own = ['"command": ["true"]'] * ('"command"' not in text)
            own += ['"listen": "8000"'] * ('"listen"' not in text and '"none"' not in text)
            is_of_top = '"log_level"' in text or '"lame_duck"' in text
            pool = own if is_of_top else [*own, keys + "\n"]
            top = ['"pools": [{' + ", ".join(pool) + "}]"] + [keys + "\n"] * is_of_top
            whole = "{" + ", ".join(top) + "}"
        (pathlib.Path(self.folder) / "shown.json").write_text(whole)
        self.run("usher check --config shown.json")

    def check(self, block):
        if block.language == "sh":
            self.stop_server()
        if block.setup:
            self.run_all(block.setup)
        {"sh": self.run_all, "console": self.check_console, "json": self.check_json}[
            block.language](block.text)

    def close(self):
        if self.server:
            self.server.kill()
        shutil.rmtree(self.folder)


class Count:
    def __init__(self):
        self.ran, self.left_out, self.not_here, self.failures = 0, [], [], []


def check_page(page, count):
    section = 0
    for block in [each for each in page.blocks if each.language in ("sh", "console", "json")]:
        missing = [program for program in block.needs if not shutil.which(program)]
        if block.reason:
            count.left_out.append(f"{block.place}: {block.reason}")
            continue
        if missing:
            count.not_here.append(f"{block.place}: needs {', '.join(missing)}")
            continue
        try:
            if block.section != section:
                page.stop_server()
            section = block.section
            page.check(block)
            count.ran += 1
        except (Failure, markdown.PageError, ValueError) as failure:
            count.failures.append(f"{block.place}: {failure}")
    try:
        page.stop_server()
    except Failure as failure:
        count.failures.append(f"{page.name}: {failure}")


LIBC = ctypes.CDLL(None, use_errno=True)


def check(result):
    """Throws what a call of the C library has failed with."""
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def mount(source, target, kind, flags=0):
    check(LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None))


def make_read_only(path, is_read_only, flags):
    """mount_setattr(2), and nothing of it is seen outside."""
    private = 1 << 18
    attributes = struct.pack("4Q", *((1, 0) if is_read_only else (0, 1)), private, 0)
    check(LIBC.syscall(442, -100, path.encode(), flags, attributes, len(attributes)))


def unshare():
    """Namespaces for what follows: network, mounts, and, for children, processes."""
    new_user, new_net, new_pid, new_mounts = 0x10000000, 0x40000000, 0x20000000, 0x20000
    user, group = os.geteuid(), os.getegid()
    check(LIBC.unshare(new_net | new_pid | new_mounts | (0 if user == 0 else new_user)))
    if user != 0:
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    set_flags, up, running = 0x8914, 0x1, 0x40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh22x", b"lo", up | running))


def shut_in(folder):
    """All is read-only from now on but `folder`, /run, which is empty, and what is no disk."""
    recursive, bind = 0x8000, 4096
    make_read_only("/", True, recursive)
    mount(folder, folder, "", bind)
    make_read_only(folder, False, 0)
    mount("tmpfs", "/run", "tmpfs")
    mount("proc", "/proc", "proc")


def in_child(function, *arguments):
    """What `function` returns, of a process that ends with this one."""
    child = os.fork()
    if child != 0:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        end_with_parent = 1
        LIBC.prctl(end_with_parent, signal.SIGKILL)
        code = function(*arguments)
    except Exception: # pylint: disable=broad-except
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_apart(folder):
    try:
        unshare()
    except OSError as error:
        print(f"no namespaces can be had here: {error}")
        return SKIPPED
    return in_child(run_in, folder) # the first of its namespace: with it all others end


def run_in(folder):
    source, build = (pathlib.Path(each).resolve() for each in sys.argv[1:3])
    pages = sys.argv[3:] or ["README.md"] + sorted(
        f"docs/{each.name}" for each in (source / "docs").glob("*.md"))
    try:
        shut_in(folder)
    except OSError as error:
        print(f"nothing can be kept from being written here: {error}")
        return SKIPPED
    tempfile.tempdir = folder
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        print("the pages show what two workers do, and there is but one CPU")
        return SKIPPED
    os.sched_setaffinity(0, cpus[:2])

    count = Count()
    for name in pages:
        began = time.monotonic()
        page = Page(name, source, build)
        try:
            check_page(page, count)
        finally:
            page.close()
        print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    for failure in count.failures:
        print(f"\n{failure}")
    not_run = count.left_out + count.not_here
    print(f"\n{count.ran} blocks were run, {len(not_run)} were not{':' if not_run else ''}")
    for each in not_run:
        print(f"  {each}")
    if len(count.left_out) > MOST_NOT_RUN:
        print(f"That is more than {MOST_NOT_RUN}, MOST_NOT_RUN in {__file__}")
        return 1
    return 1 if count.failures else 0


def main():
    folder = tempfile.mkdtemp(prefix="usher-docs-")
    try:
        return in_child(run_apart, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
