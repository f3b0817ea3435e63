"""What is measured: usher, and the controls beside it.

Every front serves the same answer on one port.  All but Node's, preload and Python's run the same
hello program; those run the same JavaScript, or the same Python.
"""

import contextlib
import json
import pathlib
import shutil
import subprocess

from .load import wait_for_workers
from .processes import Server, executable, free_port, sweep


class Site:
    """One front that runs, with the split of its processes into front and workers."""

    def __init__(self, stack, tools):
        self.stack = stack
        self.tools = tools
        self.port = free_port()
        self.servers = []

    def start(self, *command):
        log = self.tools.folder / f"{pathlib.Path(str(command[0])).name}.log"
        server = self.stack.enter_context(Server(command, log))
        self.servers.append(server)
        return server

    def hello(self, port, *more):
        return self.start(self.tools.hello, "--listen", f"127.0.0.1:{port}", *more)

    def backends(self):
        """One hello process per worker, each on a port of its own, already answering."""
        ports = []
        for _ in range(self.tools.workers):
            port = free_port()
            wait_for_workers(self.hello(port), port, 1)
            ports.append(port)
        return ports

    def write(self, name, text):
        path = self.tools.folder / name
        path.write_text(text, encoding="utf-8")
        return path


class Front:
    """A way to serve; `missing` says why it cannot be measured here."""

    name = ""
    what = ""

    def missing(self):
        return None

    def start(self, site):
        """Starts it and yields a function (pid, exe) -> bool: is that process part of the front?"""
        raise NotImplementedError

    def answering(self, tools):
        """How many different processes must have answered before it counts as ready."""
        return tools.workers


class Usher(Front):
    name = "usher"
    what = "usher, round robin over N hello workers"

    def start(self, site):
        tools = site.tools
        site.start(tools.usher, "run", "--listen", f"127.0.0.1:{site.port}",
                   "--workers", tools.workers, "--", tools.hello)
        return lambda pid, exe: exe == str(tools.usher)


class Single(Front):
    name = "single"
    what = "one hello process, no front"

    def start(self, site):
        site.hello(site.port)
        return lambda pid, exe: False

    def answering(self, tools):
        return 1


class Prefork(Front):
    name = "prefork"
    what = "N hello processes with SO_REUSEPORT, no front"

    def start(self, site):
        for _ in range(site.tools.workers):
            site.hello(site.port, "--reuse-port")
        return lambda pid, exe: False


class Node(Front):
    name = "node"
    what = "Node's cluster, round robin over N workers"

    def missing(self):
        return None if shutil.which("node") else "node is not installed"

    def start(self, site):
        script = pathlib.Path(__file__).with_name("node_cluster.js")
        primary = site.start("node", script, site.port, site.tools.workers)
        return lambda pid, exe: pid == primary.pid


class Preload(Front):
    name = "preload"
    what = "usher, round robin over N unmodified node servers, by the preload shim"

    def missing(self):
        return None if shutil.which("node") else "node is not installed"

    def start(self, site):
        tools = site.tools
        script = pathlib.Path(__file__).with_name("node_server.js")
        site.start(tools.usher, "run", "--listen", f"127.0.0.1:{site.port}",
                   "--workers", tools.workers, "--dialect", "preload", "--", "node", script)
        return lambda pid, exe: exe == str(tools.usher)


class NodeDialect(Front):
    """usher as the primary of the same program as Node's."""

    def __init__(self, name, what, settings):
        self.name = name
        self.what = what
        self.settings = settings

    def missing(self):
        return None if shutil.which("node") else "node is not installed"

    def start(self, site):
        tools = site.tools
        script = pathlib.Path(__file__).with_name("node_cluster.js")
        pool = {"command": ["node", str(script), str(site.port), str(tools.workers)],
                "dialect": "node", "workers": tools.workers, "node": self.settings}
        config = site.write("node.json", json.dumps({"pools": [pool]}))
        site.start(tools.usher, "run", "--config", config)
        return lambda pid, exe: exe == str(tools.usher)


class Python(Front):
    """A Python server with N processes of its own master's, or of usher's."""

    def __init__(self, server, command, many, by_usher):
        self.name = f"usher-{server}" if by_usher else server
        self.what = ("the same under usher, one process a worker" if by_usher
                     else f"{server}, N processes by its own master")
        self.server = server
        self.command = command
        self.many = many
        self.by_usher = by_usher

    def missing(self):
        return None if shutil.which(self.server) else f"{self.server} is not installed"

    def start(self, site):
        tools = site.tools
        here = pathlib.Path(__file__).parent
        command = [shutil.which(self.server),
                   *(word.format(here=here, port=site.port) for word in self.command)]
        if self.by_usher:
            site.start(tools.usher, "run", "--listen", f"127.0.0.1:{site.port}",
                       "--workers", tools.workers, "--", *command)
            return lambda pid, exe: exe == str(tools.usher)
        master = site.start(*command, self.many, tools.workers)
        return lambda pid, exe: pid == master.pid


def python_fronts():
    servers = [("gunicorn", ["--chdir", "{here}", "--bind", "127.0.0.1:{port}", "--threads", "4",
                             "--worker-class", "gthread", "--keep-alive", "60",
                             "--log-level", "warning", "python_hello:wsgi"]),
               ("uvicorn", ["--app-dir", "{here}", "--port", "{port}", "--no-access-log",
                            "--log-level", "warning", "python_hello:asgi"])]
    return [Python(server, command, "--workers", by_usher)
            for server, command in servers for by_usher in (False, True)]


class Nginx(Front):
    name = "nginx"
    what = "nginx stream proxy, N processes, to N hello processes"

    MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")

    @staticmethod
    def program():
        return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")

    def missing(self):
        if not self.program():
            return "nginx is not installed"
        built = subprocess.run([self.program(), "-V"], capture_output=True, text=True).stderr
        built_in = "--with-stream " in built + " " and "--with-stream=dynamic" not in built
        return None if built_in or self.MODULE.exists() else "nginx has no stream module"

    def start(self, site):
        servers = "".join(f"server 127.0.0.1:{port}; " for port in site.backends())
        config = site.write("nginx.conf", f"""
            {f"load_module {self.MODULE};" if self.MODULE.exists() else ""}
            daemon off;
            worker_processes {site.tools.workers};
            pid {site.tools.folder}/nginx.pid;
            error_log stderr error;
            events {{ worker_connections 8192; }}
            stream {{
                upstream hello {{ {servers} }}
                server {{ listen 127.0.0.1:{site.port} backlog=4096; proxy_pass hello; }}
            }}
            """)
        proxy = site.start(self.program(), "-e", "stderr", "-p", site.tools.folder, "-c", config)
        return lambda pid, exe: pid in proxy.tree()


class Haproxy(Front):
    name = "haproxy"
    what = "HAProxy tcp proxy, N threads, to N hello processes"

    @staticmethod
    def program():
        return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/sbin")

    def missing(self):
        return None if self.program() else "haproxy is not installed"

    def start(self, site):
        servers = "".join(
            f"    server s{port} 127.0.0.1:{port}\n" for port in site.backends()
        )
        config = site.write("haproxy.cfg", f"""
global
    nbthread {site.tools.workers}
    maxconn 8192
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{site.port} backlog 4096
    default_backend hello
backend hello
    balance roundrobin
{servers}""")
        proxy = site.start(self.program(), "-db", "-f", config)
        return lambda pid, exe: pid in proxy.tree()


ALL = [Usher(), Single(), Prefork(), Node(),
       NodeDialect("usher-node", "usher as the primary of Node's cluster, window 1",
                   {"policy": "rr", "window": 1}),
       NodeDialect("usher-node-16", "the same, window 16", {"policy": "rr", "window": 16}),
       NodeDialect("usher-node-reuseport", "the same, each worker with a socket of its own",
                   {"policy": "reuseport"}),
       Preload(), *python_fronts(), Nginx(), Haproxy()]


@contextlib.contextmanager
def running(front, tools):
    """Runs a front until the block ends; yields its port and a function that yields its pids."""
    with contextlib.ExitStack() as stack:
        stack.callback(sweep)
        site = Site(stack, tools)
        is_front = front.start(site)
        wait_for_workers(site.servers[-1], site.port, front.answering(tools))

        def split():
            pids = [pid for server in site.servers for pid in server.tree()]
            fronts = [pid for pid in pids if is_front(pid, executable(pid))]
            return fronts, [pid for pid in pids if pid not in fronts]

        yield site.port, split
