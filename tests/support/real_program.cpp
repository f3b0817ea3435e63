// SPDX-License-Identifier: MIT
#include "tests/support/real_program.hpp"

#include "tests/support/bombard.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/sockets.hpp"

#include <filesystem>
#include <stdexcept>

namespace usher::test {

namespace {

constexpr std::size_t large_size = 24UL * 1024 * 1024; // more than sockets take at once

using Words = std::vector<std::string>;

std::string check(bool good, const std::string& text)
{
    if (!good)
        throw std::runtime_error{"an unexpected answer: " + text};
    return text;
}

/// A request that is answered late, or whose answer is larger than what is read before finish().
class PendingRequest final : public InFlight {
public:
    PendingRequest(std::uint16_t port, std::string_view target, std::size_t size)
        : client_{port}, size_{size}
    {
        client_.send_get(target);
    }

    void finish() override
    {
        const auto answer = client_.read_answer();
        check(answer.ok() && answer.body.size() == size_, answer.head);
    }

private:
    HttpClient client_;
    std::size_t size_;
};

/// A connection of redis that stays open until finish().
class OpenSession final : public InFlight {
public:
    explicit OpenSession(std::uint16_t port) : client_{port} { finish(); }

    void finish() override
    {
        client_.send("PING\r\n");
        const auto line = client_.read_line();
        check(line.starts_with("+PONG"), line);
    }

private:
    HttpClient client_;
};

auto request(std::string target, std::size_t size)
{
    return [target = std::move(target), size](std::uint16_t port) -> std::unique_ptr<InFlight> {
        return std::make_unique<PendingRequest>(port, target, size);
    };
}

std::string ask_header(std::uint16_t port)
{
    const auto answer = get(port, "/");
    return check(answer.ok() && !answer.header("X-Slot").empty(), answer.header("X-Slot"));
}

std::string ask_file(std::uint16_t port)
{
    const auto answer = get(port, "/slot");
    return check(answer.ok() && !answer.body.empty(), answer.body);
}

std::string ask_redis(std::uint16_t port)
{
    const HttpClient client{port};
    write_text(client.fd(), "INFO server\r\n");
    std::string text;
    constexpr std::string_view mark = "process_id:";
    for (;;) {
        const auto at = text.find(mark);
        if (at != std::string::npos && text.find('\r', at) != std::string::npos)
            return text.substr(at + mark.size(), text.find('\r', at) - at - mark.size());
        const auto more = read_text(client.fd());
        check(!more.empty(), text);
        text += more;
    }
}

void write_large(const TempDir& folder)
{
    std::ignore = folder.write("large", std::string(large_size, 'x'));
}

Words node(const TempDir& folder)
{
    return {"node", folder.write("app.js", R"(
        const http = require('http');
        http.createServer((request, response) => {
            response.setHeader('X-Slot', process.env.USHER_SLOT);
            setTimeout(() => response.end('hello\n'), request.url == '/slow' ? 1000 : 0);
        }).listen(3000);
    )")};
}

Words python(const TempDir& folder)
{
    write_large(folder);
    // A folder of its own for each worker: how else would it say which one it is?
    return {"/bin/sh", "-c",
            "mkdir $0/$USHER_SLOT 2>/dev/null && echo $USHER_SLOT > $0/$USHER_SLOT/slot && "
            "ln -s $0/large $0/$USHER_SLOT/large; "
            "exec /usr/bin/python3 -m http.server 8000 --directory $0/$USHER_SLOT 2>/dev/null",
            folder.path()};
}

Words gunicorn(const TempDir& folder)
{
    std::ignore = folder.write("app.py", R"(
import os, time
def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        time.sleep(1)
    start_response('200 OK', [('X-Slot', os.environ['USHER_SLOT']), ('Content-Length', '6')])
    return [b'hello\n']
)");
    return {"/usr/bin/gunicorn", "--chdir", folder.path(), "-b", ":8000", "-w", "1", "app"};
}

Words nginx(const TempDir& folder)
{
    write_large(folder);
    std::ignore = folder.write("nginx.template", R"(
        daemon off;
        master_process off;
        pid FOLDER/nginx-SLOT.pid;
        error_log stderr error;
        events { worker_connections 512; }
        http {
            access_log off;
            client_body_temp_path FOLDER/body-SLOT;
            proxy_temp_path FOLDER/proxy-SLOT;
            fastcgi_temp_path FOLDER/fastcgi-SLOT;
            uwsgi_temp_path FOLDER/uwsgi-SLOT;
            scgi_temp_path FOLDER/scgi-SLOT;
            server {
                listen 8080 backlog=300;
                listen [::]:8080;
                root FOLDER;
                location = / { add_header X-Slot SLOT; return 200 "hello\n"; }
            }
        }
    )");
    return {
        "/bin/sh", "-c",
        "sed \"s|FOLDER|$0|;s|SLOT|$USHER_SLOT|\" $0/nginx.template > $0/nginx-$USHER_SLOT.conf "
        "&& exec /usr/sbin/nginx -e stderr -p $0 -c $0/nginx-$USHER_SLOT.conf",
        folder.path()};
}

Words redis(const TempDir& folder)
{
    return {"/usr/bin/redis-server", "--save", "", "--dir", folder.path(), "--loglevel", "warning"};
}

} // namespace

const std::vector<RealProgram>& real_programs()
{
    static const std::vector<RealProgram> programs{
        {.name = "node",
         .command = node,
         .ask = ask_header,
         .begin = request("/slow", 6),
         .bombard = bombard},
        {.name = "python3 -m http.server",
         .command = python,
         .ask = ask_file,
         .begin = request("/large", large_size),
         .bombard = bombard},
        {.name = "gunicorn",
         .command = gunicorn,
         .ask = ask_header,
         .begin = request("/slow", 6),
         .bombard = bombard},
        {.name = "nginx",
         .command = nginx,
         .ask = ask_header,
         .begin = request("/large", large_size),
         .bombard = bombard,
         .stop_signal = "QUIT"},
        {.name = "redis-server",
         .command = redis,
         .ask = ask_redis,
         .begin = [](std::uint16_t port) -> std::unique_ptr<InFlight> {
             return std::make_unique<OpenSession>(port);
         },
         .bombard = bombard_redis},
    };
    return programs;
}

} // namespace usher::test
