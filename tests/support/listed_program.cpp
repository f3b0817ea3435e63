// SPDX-License-Identifier: MIT
#include "tests/support/listed_program.hpp"

#include "tests/support/from_environment.hpp"
#include "tests/support/node_programs.hpp"
#include "tests/support/usher_process.hpp"

#include <cstdlib>
#include <filesystem>

#include <unistd.h>

namespace usher::test {

namespace {

using Files = std::vector<ListedProgram::File>;
using Speech = ListedProgram::Speech;
using KeepAlive = ListedProgram::KeepAlive;

// A server that ends idle connections by itself, and finishes the others, is told at once.
constexpr auto told_at_once = R"("drain_timeout": "0s", "stop_grace": "30s")";
constexpr auto told_at_once_by_quit =
    R"("stop_signal": "QUIT", "drain_timeout": "0s", "stop_grace": "30s")";

// What all of these do: say in a header which worker they are.

Files node_http()
{
    return {{"app.js", R"(
        require('node:http').createServer((request, response) => {
            response.setHeader('X-Slot', process.env.USHER_SLOT);
            response.end('hello\n');
        }).listen(3000);
    )"}};
}

Files node_cluster()
{
    return {{"server.js", R"(
        const cluster = require('cluster'), http = require('http');
        if (cluster.isPrimary)
            for (let i = 0; i < 4; i++) cluster.fork();
        else
            http.createServer((request, response) => {
                response.setHeader('X-Slot', process.env.USHER_SLOT);
                response.end('hello\n');
            }).listen(8000);
    )"}};
}

// These note each request when they begin with it, and take a while for /slow.

Files node_with_end()
{
    return {{"app.js", R"(
        const fs = require('node:fs');
        const server = require('node:http').createServer((request, response) => {
            fs.appendFileSync('begun', request.url + '\n');
            response.setHeader('X-Slot', process.env.USHER_SLOT);
            const time = request.url.startsWith('/slow') ? 500 : 0;
            setTimeout(() => response.end('hello\n'), time);
        });
        let ends = false;
        server.prependListener('request', (request, response) => {
            if (ends) response.setHeader('Connection', 'close');
        });
        process.on('SIGTERM', () => {
            ends = true;
            setTimeout(() => server.close(), 2000);
        });
        server.listen(3000);
    )"}};
}

Files node_cluster_with_end()
{
    return {{"server.js", R"(
        const cluster = require('cluster'), fs = require('fs'), http = require('http');
        if (cluster.isPrimary) {
            for (let i = 0; i < 4; i++) cluster.fork();
        } else {
            const server = http.createServer((request, response) => {
                fs.appendFileSync('begun', request.url + '\n');
                if (!server.listening) response.setHeader('Connection', 'close');
                response.setHeader('X-Slot', process.env.USHER_SLOT);
                const time = request.url.startsWith('/slow') ? 500 : 0;
                setTimeout(() => response.end('hello\n'), time);
            });
            server.listen(8000);
        }
    )"}};
}

Files express()
{
    return {{"app.js", R"(
        const app = require('express')();
        app.get('/', (request, response) => {
            response.set('X-Slot', process.env.USHER_SLOT).send('hello\n');
        });
        app.listen(3000);
    )"}};
}

Files bun_serve()
{
    return {{"serve.js", R"(
        Bun.serve({
            port: 3000,
            fetch() {
                return new Response('hello\n', {headers: {'X-Slot': process.env.USHER_SLOT}});
            },
        });
    )"}};
}

Files deno_serve()
{
    return {{"app.ts", R"(
        Deno.serve({port: 8000}, () =>
            new Response('hello\n', {headers: {'X-Slot': Deno.env.get('USHER_SLOT')!}}));
    )"}};
}

Files wsgi()
{
    return {{"app.py", R"(
import os, time
begun = os.open('begun', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
def app(environ, start_response):
    os.write(begun, f"{environ['RAW_URI']}\n".encode())
    if environ['PATH_INFO'] == '/slow':
        time.sleep(0.5)
    start_response('200 OK', [('X-Slot', os.environ['USHER_SLOT']), ('Content-Length', '6')])
    return [b'hello\n']
)"}};
}

Files asgi()
{
    return {{"app.py", R"(
import asyncio, os
begun = os.open('begun', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
async def app(scope, receive, send):
    assert scope['type'] == 'http'
    os.write(begun, scope['raw_path'] + b'?' + scope['query_string'] + b'\n')
    if scope['path'] == '/slow':
        await asyncio.sleep(0.5)
    await send({'type': 'http.response.start', 'status': 200,
                'headers': [(b'X-Slot', os.environb[b'USHER_SLOT']), (b'Content-Length', b'6')]})
    await send({'type': 'http.response.body', 'body': b'hello\n'})
)"}};
}

Files nginx()
{
    const std::string config = R"(
        pid nginx.pid;
        events {}
        http {
            log_format url $request_uri;
            access_log begun url;
            server {
                listen 8080;
                add_header X-Slot $pid;
                location / { return 200 "hello\n"; }
                location /slow { limit_rate 200; return 200 "LONG"; }
            }
        }
    )";
    const std::string mark = "LONG";
    auto text = config;
    text.replace(text.find(mark), mark.size(), 300, '.'); // 200 of them in the first second
    return {{"nginx.conf", text}};
}

Files php()
{
    return {{"index.php", "<?php header('X-Slot: ' . getenv('USHER_SLOT')); "
                          "header('Content-Length: 6'); echo \"hello\\n\";"}};
}

Files rack()
{
    return {{"config.ru", R"(
            run ->(env) {
                line = "#{env['PATH_INFO']}?#{env['QUERY_STRING']}\n"
                File.write('begun', line, mode: 'a')
                sleep 0.5 if env['PATH_INFO'] == '/slow'
                [200, {'X-Slot' => ENV['USHER_SLOT']}, ["hello\n"]]
            }
        )"}};
}

std::string source(const std::string& path)
{
    return source_folder() + "/" + path;
}

std::string folder_of(const std::string& program)
{
    return std::filesystem::path{program}.parent_path();
}

} // namespace

const std::vector<ListedProgram>& listed_programs()
{
    static const std::vector<ListedProgram> programs{
        {.name = "`hello`, C++",
         .command = "hello",
         .dialect = "native",
         .port = 8000,
         .keep_alive = KeepAlive::told},
        {.name = "`hello`, C",
         .command = "hello-c",
         .dialect = "native",
         .port = 8000,
         .keep_alive = KeepAlive::unused},
        {.name = "`hello`, Python",
         .command = "python3 hello_asyncio.py",
         .dialect = "native",
         .port = 8000,
         .links = {{"hello_asyncio.py", source("worker/examples/hello_asyncio.py")}},
         .keep_alive = KeepAlive::told},
        {.name = "Node",
         .command = "node app.js",
         .dialect = "preload",
         .port = 3000,
         .files = node_http(),
         .keep_alive = KeepAlive::cut},
        {.name = "Node with `cluster`",
         .command = "node server.js",
         .dialect = "node",
         .port = 8000,
         .files = node_cluster(),
         .keep_alive = KeepAlive::cut},
        {.name = "Node, [with an end of its own](#draining)",
         .command = "node app.js",
         .dialect = "preload",
         .port = 3000,
         .files = node_with_end(),
         .for_reload = told_at_once,
         .keep_alive = KeepAlive::idle},
        {.name = "Node with `cluster`, likewise",
         .command = "node server.js",
         .dialect = "node",
         .port = 8000,
         .files = node_cluster_with_end(),
         .keep_alive = KeepAlive::idle},
        {.name = "Express",
         .command = "node app.js",
         .dialect = "preload",
         .port = 3000,
         .files = express(),
         .links = {{"node_modules", source("tests/node/node_modules")}},
         .keep_alive = KeepAlive::cut},
        {.name = "Bun, `Bun.serve`",
         .command = "bun serve.js",
         .dialect = "preload",
         .port = 3000,
         .files = bun_serve()},
        {.name = "Bun, `node:http`",
         .command = "bun app.js",
         .dialect = "preload",
         .port = 3000,
         .files = node_http()},
        {.name = "Deno",
         .command = "deno run --allow-all app.ts",
         .dialect = "preload",
         .port = 8000,
         .files = deno_serve()},
        {.name = "`http.server` of Python",
         .command = "python3 -m http.server",
         .dialect = "preload",
         .port = 8000,
         .speech = Speech::mute_http,
         .keep_alive = KeepAlive::unused},
        {.name = "gunicorn, sync",
         .command = "gunicorn -w 1 app:app",
         .dialect = "preload",
         .port = 8000,
         .files = wsgi(),
         .for_reload = told_at_once,
         .keep_alive = KeepAlive::unused},
        {.name = "gunicorn, gthread",
         .command = "gunicorn -w 1 --threads 4 app:app",
         .dialect = "preload",
         .port = 8000,
         .files = wsgi(),
         .for_reload = told_at_once,
         .keep_alive = KeepAlive::idle},
        {.name = "uvicorn",
         .command = "uvicorn app:app",
         .dialect = "preload",
         .port = 8000,
         .files = asgi(),
         .for_reload = R"("stop_grace": "30s")",
         .keep_alive = KeepAlive::idle},
        {.name = "nginx",
         .command = "nginx -p . -c nginx.conf -g 'daemon off;'",
         .dialect = "preload",
         .port = 8080,
         .files = nginx(),
         .for_reload = told_at_once_by_quit,
         .keep_alive = KeepAlive::idle},
        {.name = "nginx, one process",
         .command = "nginx -p . -c nginx.conf -g 'daemon off; master_process off;'",
         .dialect = "preload",
         .port = 8080,
         .files = nginx(),
         .keep_alive = KeepAlive::cut},
        {.name = "Redis",
         .command = "redis-server --save ''",
         .dialect = "preload",
         .port = 6379,
         .speech = Speech::redis},
        {.name = "PHP",
         .command = "php -S 0.0.0.0:3000",
         .dialect = "preload",
         .port = 3000,
         .files = php(),
         .keep_alive = KeepAlive::unused},
        {.name = "Puma",
         .command = "puma",
         .dialect = "preload",
         .port = 9292,
         .files = rack(),
         .for_reload = told_at_once,
         .keep_alive = KeepAlive::idle},
    };
    return programs;
}

std::vector<std::string> words_of(const ListedProgram& program)
{
    std::vector<std::string> words;
    bool is_quoted = false;
    bool in_word = false;
    for (const char c : program.command) {
        if (c == '\'')
            is_quoted = !is_quoted;
        if (c == ' ' && !is_quoted) {
            in_word = false;
            continue;
        }
        if (!in_word)
            words.emplace_back();
        in_word = true;
        if (c != '\'')
            words.back() += c;
    }
    return words;
}

void lay_out(const ListedProgram& program, const TempDir& folder)
{
    for (const auto& file : program.files)
        std::ignore = folder.write(file.name, file.text);
    for (const auto& link : program.links)
        std::filesystem::create_symlink(link.target, folder.path() / link.name);
}

void enter(const TempDir& folder)
{
    std::string path;
    for (const auto& program :
         {hello_program(), hello_c_program(), node_program(), bun_program(), deno_program()})
        path += folder_of(program) + ":";
    // Debian keeps nginx where only root looks.
    path += "/usr/sbin:" + from_environment("PATH");
    ::setenv("PATH", path.c_str(), 1);
    // What Deno keeps is to go with the folder, and it shall ask nobody for a newer one.
    ::setenv("DENO_DIR", folder.path().c_str(), 1);
    ::setenv("DENO_NO_UPDATE_CHECK", "1", 1);
    if (::chdir(folder.path().c_str()) != 0)
        ::_exit(127);
}

} // namespace usher::test
