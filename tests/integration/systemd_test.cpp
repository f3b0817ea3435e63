// SPDX-License-Identifier: MIT
#include "common/sys/socket/bound_socket.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/from_environment.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/notify_socket.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::systemd_test {

using namespace usher::test;
using namespace std::chrono_literals;
using usher::sys::ExitStatus;
using Clock = std::chrono::steady_clock;

namespace {

constexpr ExitStatus success{};

/// False, with a message, in a build without libsystemd.
bool has_systemd()
{
    const bool has = from_environment("USHER_TEST_SYSTEMD") == "1";
    if (!has)
        MESSAGE("skipped: built without libsystemd");
    return has;
}

std::function<void()> notifying(const NotifySocket& socket)
{
    return [path = socket.path()] { ::setenv("NOTIFY_SOCKET", path.c_str(), 1); };
}

/// What comes up to the first message that contains `text`, that one included.
std::vector<std::string> messages_until(NotifySocket& socket, std::string_view text)
{
    std::vector<std::string> messages;
    do
        messages.push_back(socket.next());
    while (messages.back().find(text) == std::string::npos);
    return messages;
}

/// A pool whose workers in other slots than 1 are not ready before somebody opens a FIFO.
class HesitantPool {
public:
    explicit HesitantPool(unsigned max_unavailable = 0)
        : site_{{{"workers", 2},
                 {"reload", {{"max_unavailable", max_unavailable}}},
                 {"command",
                  {"/bin/sh", "-c", R"([ "$USHER_SLOT" = 1 ] || read line <"$0"; exec "$1")",
                   fifo(), demo_program()}}}}
    {
        REQUIRE(::mkfifo(fifo().c_str(), 0600) == 0);
    }

    [[nodiscard]] std::vector<std::string> run() const { return site_.run(); }

    /// Waits for the worker that hesitates, and ends its wait.
    void let_go() const
    {
        CHECK(usher::sys::UniqueFd{::open(fifo().c_str(), O_WRONLY | O_CLOEXEC)});
    }

private:
    [[nodiscard]] std::string fifo() const { return folder_.path() / "fifo"; }

    TempDir folder_;
    OnePool site_;
};

/// Has the next program find `fds` as the service manager would pass them.
std::function<void()> passing(std::vector<int> fds, std::string names)
{
    return [fds = std::move(fds), names = std::move(names)] {
        std::array<int, 8> moved{}; // first out of the way
        for (std::size_t i = 0; i < fds.size(); ++i)
            moved[i] = ::fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
        for (std::size_t i = 0; i < fds.size(); ++i)
            ::dup2(moved[i], 3 + static_cast<int>(i));
        ::setenv("LISTEN_FDS", std::to_string(fds.size()).c_str(), 1);
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
    };
}

std::string write_config(const TempDir& folder, const nlohmann::json& listen)
{
    const nlohmann::json config{
        {"pools", {{{"command", {demo_program()}}, {"workers", 1}, {"listen", listen}}}}};
    return folder.write("usher.json", config.dump());
}

std::string text_of(const std::filesystem::path& file)
{
    std::ifstream in{file};
    REQUIRE(in);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string answer_of(const std::string& unix_path)
{
    HttpClient client{unix_path};
    client.send_get("/");
    return client.read_answer().head.substr(0, 12);
}

} // namespace

TEST_SUITE_BEGIN("systemd");

TEST_CASE("READY comes with the last worker, STOPPING with the stop, and a status with each change")
{
    if (!has_systemd())
        return;
    NotifySocket socket;
    const HesitantPool pool;
    UsherProcess usher{pool.run(), notifying(socket)};
    CHECK(socket.next() == "STATUS=starting: 0 of 2 workers ready, generation 1");
    CHECK(socket.next() == "STATUS=starting: 1 of 2 workers ready, generation 1");
    CHECK(get(usher.port(), "/").ok());
    CHECK_FALSE(socket.has_next());
    pool.let_go();
    CHECK(socket.next() == "READY=1\nSTATUS=2 of 2 workers ready, generation 1");

    CHECK(usher.stop() == success);
    const auto last = messages_until(socket, "STATUS=stopped");
    CHECK(last.front() == "STOPPING=1\nSTATUS=stopping: 2 workers left");
    CHECK(last.back() == "STATUS=stopped");
    for (std::size_t i = 1; i + 1 < last.size(); ++i)
        CHECK_MESSAGE((last[i] == "STATUS=stopping: 1 worker left" ||
                       last[i] == "STATUS=stopping: 0 workers left"),
                      last[i]);
    CHECK_FALSE(socket.has_next());
}

TEST_CASE("a service manager that does not read keeps nobody waiting")
{
    if (!has_systemd())
        return;
    NotifySocket socket;
    UsherProcess usher{run_demo(1), [as_before = notifying(socket)] {
                           as_before();
                           ::setenv("WATCHDOG_USEC", "2000", 1); // 1000 messages a second
                       }};
    usher.wait_until_ready(1);
    const auto end = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < end)
        CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
}

TEST_CASE("workers that may be unavailable are not waited for")
{
    if (!has_systemd())
        return;
    NotifySocket socket;
    const HesitantPool pool{1};
    UsherProcess usher{pool.run(), notifying(socket)};
    CHECK(socket.next() == "STATUS=starting: 0 of 2 workers ready, generation 1");
    CHECK(socket.next() == "READY=1\nSTATUS=1 of 2 workers ready, generation 1");
    pool.let_go();
    CHECK(socket.next() == "STATUS=2 of 2 workers ready, generation 1");
}

TEST_CASE("a worker's death and its return are a status each")
{
    if (!has_systemd())
        return;
    NotifySocket socket;
    const OnePool site{{}};
    UsherProcess usher{site.run(), notifying(socket)};
    CHECK(messages_until(socket, "READY=1").size() == 2);
    ::kill(usher.worker_pid(1), SIGKILL);
    CHECK(socket.next() == "STATUS=0 of 1 worker ready, generation 1");
    CHECK(socket.next() == "STATUS=1 of 1 worker ready, generation 1");
}

TEST_CASE("a service that cannot start never says READY")
{
    if (!has_systemd())
        return;
    NotifySocket socket;
    const OnePool site{{{"command", {"/bin/false"}}}};
    UsherProcess usher{site.run(), notifying(socket)};
    CHECK(usher.wait() == ExitStatus{.by_signal = false, .code = 1});
    const auto messages = messages_until(socket, "STOPPING=1");
    CHECK(messages.back() == "STOPPING=1\nSTATUS=nothing is left to serve with, giving up");
    for (const auto& message : messages)
        CHECK_MESSAGE(message.find("READY=1") == std::string::npos, message);
}

TEST_CASE("a reload begins with RELOADING and its time, and ends with READY, also when it failed")
{
    if (!has_systemd())
        return;
    NotifySocket socket;
    OnePool site{{}};
    UsherProcess usher{site.run(), notifying(socket)};
    messages_until(socket, "READY=1");

    const auto now = [] {
        return std::chrono::duration_cast<std::chrono::microseconds>(
                   Clock::now().time_since_epoch())
            .count();
    };
    const auto check_announced = [&](long before, unsigned generation) {
        const auto message = socket.next();
        const std::regex pattern{
            R"(RELOADING=1\nMONOTONIC_USEC=(\d+)\nSTATUS=reloading: 1 of 1 worker ready, generation )" +
            std::to_string(generation)};
        std::smatch match;
        REQUIRE_MESSAGE(std::regex_match(message, match, pattern), message);
        CHECK(std::stol(match[1]) >= before);
        CHECK(std::stol(match[1]) <= now());
    };

    auto before = now();
    usher.signal(SIGHUP);
    check_announced(before, 1);
    CHECK(socket.next() == "READY=1\nSTATUS=1 of 1 worker ready, generation 2");

    site.write({{"no_such_key", 1}});
    before = now();
    usher.signal(SIGHUP);
    check_announced(before, 2);
    CHECK(socket.next().starts_with(
        "READY=1\nSTATUS=1 of 1 worker ready, generation 2; reload failed, nothing has changed: " +
        site.file + ": /pools/0/no_such_key: unknown key"));

    site.write({});
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(socket.next().starts_with("RELOADING=1\n"));
    CHECK(socket.next() == "READY=1\nSTATUS=1 of 1 worker ready, generation 3");
}

TEST_CASE("the watchdog is fed at half its time, by the process it is for")
{
    if (!has_systemd())
        return;
    constexpr auto timeout = 1s;
    NotifySocket socket;
    UsherProcess usher{run_demo(1), [&socket] {
                           notifying(socket)();
                           ::setenv("WATCHDOG_USEC", "1000000", 1);
                           ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
                       }};
    messages_until(socket, "WATCHDOG=1");
    constexpr int beats = 3;
    const auto begin = Clock::now();
    Clock::duration shortest = 1h; // a busy machine may be late, but not each time
    for (int i = 0; i < beats; ++i) {
        const auto before = Clock::now();
        CHECK(messages_until(socket, "WATCHDOG=1").back() == "WATCHDOG=1");
        shortest = std::min(shortest, Clock::now() - before);
    }
    CHECK(Clock::now() - begin > beats * timeout / 4);
    CHECK(shortest < timeout);
    CHECK(usher.stop() == success); // its timer holds nothing up
}

TEST_CASE("a watchdog that is for another process is not fed")
{
    if (!has_systemd())
        return;
    for (const bool is_ours : {true, false}) {
        NotifySocket socket;
        UsherProcess usher{run_demo(1), [&socket, is_ours] {
                               notifying(socket)();
                               const auto pid = is_ours ? ::getpid() : ::getppid();
                               ::setenv("WATCHDOG_USEC", "4000", 1);
                               ::setenv("WATCHDOG_PID", std::to_string(pid).c_str(), 1);
                           }};
        if (is_ours) {
            messages_until(socket, "WATCHDOG=1");
            continue;
        }
        auto messages = messages_until(socket, "READY=1");
        CHECK(usher.command({"reload"}).code == 0); // which takes many times 2 ms
        std::ranges::move(messages_until(socket, "READY=1"), std::back_inserter(messages));
        CHECK(std::ranges::find(messages, "WATCHDOG=1") == messages.end());
    }
}

TEST_CASE("no worker inherits what a service manager tells its master")
{
    UsherProcess usher{run_demo(1), [] {
                           ::setenv("NOTIFY_SOCKET", "/nowhere", 1);
                           ::setenv("WATCHDOG_USEC", "1000000", 1);
                           ::setenv("WATCHDOG_PID", "1", 1);
                           ::setenv("LISTEN_FDS", "1", 1);
                           ::setenv("LISTEN_PID", "1", 1);
                           ::setenv("LISTEN_FDNAMES", "a", 1);
                           ::setenv("LISTENER", "1", 1);
                       }};
    usher.wait_until_ready(1);
    const auto environment = environment_of(usher.worker_pid(1));
    CHECK(environment.contains("LISTENER"));
    for (const char* const name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS",
                                   "LISTEN_PID", "LISTEN_FDNAMES"})
        CHECK_MESSAGE(!environment.contains(name), name);
}

TEST_CASE("a service manager that is not there is said once, and disturbs nothing")
{
    if (!has_systemd())
        return;
    const TempDir folder;
    const auto path = (folder.path() / "gone").string();
    UsherProcess usher{run_demo(2), [&path] { ::setenv("NOTIFY_SOCKET", path.c_str(), 1); }};
    usher.wait_until_ready(2);
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
    CHECK(usher.count("the service manager cannot be told how we are, at " + path) == 1);
}

TEST_CASE("sockets are taken over by name and by address; what is for nobody is closed with a word")
{
    if (!has_systemd())
        return;
    const TempDir folder;
    const auto named = listen_on(loopback(0));
    auto addressed = listen_on(loopback(0));
    const auto strange = listen_on(loopback(0));
    REQUIRE(::fcntl(named.fd.get(), F_SETFL, 0) == 0); // as systemd leaves it

    // Who connected before there was an usher is served by it.
    HttpClient early{named.address.port()};
    early.send_get("/whoami");

    const auto file = write_config(folder, {{{"address", "127.0.0.1:0"}, {"name", "web"}},
                                            "127.0.0.1:" + std::to_string(addressed.address.port()),
                                            "127.0.0.1:0"});
    UsherProcess usher{
        {"run", "--config", file},
        passing({strange.fd.get(), named.fd.get(), addressed.fd.get()}, "odd:web:usher.socket")};
    usher.wait_until_ready(1);

    CHECK(nlohmann::json::parse(early.read_answer().body).at("listener") == 0);
    CHECK(usher.port(0) == named.address.port());
    CHECK(usher.port(1) == addressed.address.port());
    for (const std::size_t listener : {0U, 1U, 2U})
        CHECK(nlohmann::json::parse(get(usher.port(listener), "/whoami").body).at("listener") ==
              listener);
    CHECK(usher.count(strange.address.to_string() + " (\"odd\"), which usher was started with, is "
                                                    "for no listener and is closed") == 1);

    CHECK(is_non_blocking(named.fd.get())); // one open file, in three processes
    const auto ours = descriptors_of(usher.pid());
    CHECK(std::ranges::none_of(ours, [&](const auto& entry) {
        return entry.second == descriptors_of(::getpid()).at(strange.fd.get());
    }));
    const auto flags = text_of("/proc/" + std::to_string(usher.pid()) + "/fdinfo/4");
    CHECK(flags.find("flags:\t02") != std::string::npos); // O_CLOEXEC
    const auto workers = descriptors_of(usher.worker_pid(1));
    CHECK(std::ranges::none_of(workers, [&](const auto& entry) {
        return entry.second == descriptors_of(::getpid()).at(named.fd.get());
    }));
    CHECK(usher.stop() == success);
}

TEST_CASE("a socket of systemd's for a port is taken for 0.0.0.0, or is in the way and named")
{
    if (!has_systemd())
        return;
    const TempDir folder;
    constexpr std::array<std::uint8_t, 16> any{};
    usher::sys::UniqueFd fd;
    REQUIRE_FALSE(usher::sys::open_bound_socket(usher::sys::SocketAddress::ipv6(any, 0, 0),
                                                {.backlog = 16}, fd));
    const auto port = address_of(fd.get()).port();
    const auto text = std::to_string(port);
    {
        const auto file = write_config(folder, "0.0.0.0:" + text);
        UsherProcess usher{{"run", "--config", file}, passing({fd.get()}, "usher.socket")};
        usher.wait_until_ready(1);
        CHECK(get(port, "/").ok());
        CHECK(usher.command({"reload"}).code == 0);
        CHECK(get(port, "/").ok());
        CHECK(usher.stop() == success);
    }
    const auto file = write_config(folder, "127.0.0.1:" + text);
    UsherProcess usher{{"run", "--config", file}, passing({fd.get()}, "usher.socket")};
    CHECK(usher.wait() == ExitStatus{.by_signal = false, .code = 2});
    CHECK(usher.count("127.0.0.1:" + text + ": the socket [::]:" + text +
                      " (\"usher.socket\"), which usher was started with, is in the way") == 1);
}

TEST_CASE("the file of a Unix socket that was passed is not usher's to remove")
{
    if (!has_systemd())
        return;
    const TempDir folder;
    const auto path = (folder.path() / "s").string();
    const auto listener = listen_on(usher::sys::SocketAddress::unix_path(path));
    const auto file = write_config(folder, {{{"address", "unix:" + path}, {"mode", "0600"}}});
    std::filesystem::permissions(path, std::filesystem::perms{0666});
    {
        UsherProcess usher{{"run", "--config", file}, passing({listener.fd.get()}, "usher.socket")};
        usher.wait_until_ready(1);
        CHECK(answer_of(path) == "HTTP/1.1 200");
        CHECK(usher.stop() == success);
    }
    CHECK(std::filesystem::exists(path));
    CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms{0666});

    // It listens still, for the next one.
    UsherProcess usher{{"run", "--config", file}, passing({listener.fd.get()}, "usher.socket")};
    CHECK(answer_of(path) == "HTTP/1.1 200");
}

TEST_CASE("a reload keeps what was passed, and opens by itself what was given up in between")
{
    if (!has_systemd())
        return;
    const TempDir folder;
    const auto path = (folder.path() / "s").string();
    const auto listener = listen_on(usher::sys::SocketAddress::unix_path(path));
    const nlohmann::json both{"127.0.0.1:0", "unix:" + path};
    UsherProcess usher{{"run", "--config", write_config(folder, both)},
                       passing({listener.fd.get()}, "usher.socket")};
    usher.wait_until_ready(1);
    std::ignore = write_config(folder, both);
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(answer_of(path) == "HTTP/1.1 200");

    std::ignore = write_config(folder, "127.0.0.1:0");
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(std::filesystem::remove(path)); // not before: it is not usher's
    std::ignore = write_config(folder, both);
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(answer_of(path) == "HTTP/1.1 200");
    CHECK(usher.stop() == success);
    CHECK_FALSE(std::filesystem::exists(path)); // this one was
}

TEST_CASE("a reload says when the file of a socket that was passed is gone, and goes on")
{
    if (!has_systemd())
        return;
    const TempDir folder;
    const auto path = (folder.path() / "s").string();
    const auto listener = listen_on(usher::sys::SocketAddress::unix_path(path));
    UsherProcess usher{{"run", "--config", write_config(folder, "unix:" + path)},
                       passing({listener.fd.get()}, "usher.socket")};
    usher.wait_until_ready(1);
    const auto line = "unix:" + path + ": there is no socket's file";
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.count(line) == 0);
    CHECK(std::filesystem::remove(path));
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for_count(line, 1);
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a descriptor that does not listen is refused in one sentence")
{
    if (!has_systemd())
        return;
    const auto connection = make_connection();
    UsherProcess usher{run_demo(1), passing({connection.server.get()}, "web")};
    CHECK(usher.wait() == ExitStatus{.by_signal = false, .code = 1});
    CHECK(usher.count("usher: descriptor 3 (\"web\"), which usher was started with, is not a "
                      "listening TCP or Unix stream socket") == 1);
}

TEST_CASE("sockets announced to another process are not taken for ours")
{
    const auto connection = make_connection();
    UsherProcess usher{run_demo(1), [&connection] {
                           passing({connection.server.get()}, "web")();
                           ::setenv("LISTEN_PID", "1", 1);
                       }};
    usher.wait_until_ready(1);
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("a build without libsystemd says so where it is missed")
{
    const bool is_built_in = from_environment("USHER_TEST_SYSTEMD") == "1";
    NotifySocket socket;
    UsherProcess usher{run_demo(1), notifying(socket)};
    usher.wait_until_ready(1);
    CHECK(usher.count("NOTIFY_SOCKET is set, but this usher was built without libsystemd") ==
          (is_built_in ? 0 : 1));
    CHECK(socket.has_next() == is_built_in);
}

TEST_CASE("the units of the documentation are those of the examples, and systemd takes them")
{
    const std::filesystem::path docs{source_folder() + "/docs"};
    const TempDir folder;
    std::string files;
    for (const std::string name : {"usher.service", "usher.socket"}) {
        auto unit = text_of(docs / "examples" / name);
        CHECK_MESSAGE(text_of(docs / "operations.md").find("```ini\n" + unit + "```") !=
                          std::string::npos,
                      name);
        // systemd looks whether the programs are there.
        unit = std::regex_replace(unit, std::regex{"/usr/local/bin/usher"}, usher_program());
        files += " '" + folder.write(name, unit).string() + "'";
    }
    if (std::system("command -v systemd-analyze >/dev/null") != 0) {
        MESSAGE("skipped: no systemd-analyze here");
        return;
    }
    const auto said = folder.path() / "said";
    CHECK(std::system(
              ("systemd-analyze verify --man=no" + files + " 2>'" + said.string() + "'").c_str()) ==
          0);
    // It speaks of the other units of this machine as well.
    CHECK_MESSAGE(text_of(said).find("usher.s") == std::string::npos, text_of(said));
}

TEST_SUITE_END();

} // namespace usher::systemd_test
