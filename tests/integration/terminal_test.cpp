// SPDX-License-Identifier: MIT
// A master that was started by hand, in a real shell on a terminal: what becomes of it when the
// terminal is closed, and when it writes there from the background.
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <array>
#include <csignal>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::terminal_test {

using namespace usher::test;

namespace {

/// An interactive shell on a terminal of its own.
class Shell {
public:
    Shell()
    {
        int terminal = -1;
        pid_ = ::forkpty(&terminal, nullptr, nullptr, nullptr);
        if (pid_ < 0)
            throw std::runtime_error{"no terminal"};
        if (pid_ == 0) {
            ::setenv("HISTFILE", "/dev/null", 1);
            ::execlp("bash", "bash", "--noprofile", "--norc", "-i", nullptr);
            ::_exit(127);
        }
        terminal_.reset(terminal);
        ::fcntl(terminal, F_SETFD, FD_CLOEXEC);
        ::fcntl(terminal, F_SETFL, O_NONBLOCK);
    }
    Shell(const Shell&) = delete;
    Shell& operator=(const Shell&) = delete;

    ~Shell()
    {
        close_terminal();
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    void type(const std::string& text) const
    {
        REQUIRE(::write(terminal_.get(), text.data(), text.size()) ==
                static_cast<ssize_t>(text.size()));
    }

    /// All that has been shown so far.
    const std::string& shown()
    {
        std::array<char, 4096> part;
        for (ssize_t size = 0; (size = ::read(terminal_.get(), part.data(), part.size())) > 0;)
            shown_.append(part.data(), static_cast<std::size_t>(size));
        return shown_;
    }

    void close_terminal() { terminal_.reset(); }

private:
    pid_t pid_ = -1;
    sys::UniqueFd terminal_;
    std::string shown_;
};

/// A master that some shell starts.
class Site {
public:
    ~Site()
    {
        if (pid() > 0)
            ::kill(pid(), SIGKILL);
    }

    /// What is typed to start it.
    [[nodiscard]] std::string command() const
    {
        return usher_program() + " run --listen 127.0.0.1:0 --workers 2 --control " +
               (folder_.path() / "control").string() + " -- " + demo_program();
    }
    [[nodiscard]] std::string log_path() const { return folder_.path() / "log"; }

    [[nodiscard]] std::string log() const
    {
        std::ifstream file{log_path()};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    void wait_for(const std::string& pattern) const
    {
        const std::regex wanted{pattern};
        REQUIRE_MESSAGE(eventually([&] { return std::regex_search(log(), wanted); }, 20s), pattern,
                        " in ", log());
    }
    void wait_until_ready() const
    {
        for (const int slot : {1, 2})
            wait_for(fmt::format(R"(worker {} \(pid \d+\): ready)", slot));
    }

    [[nodiscard]] pid_t pid() const { return static_cast<pid_t>(number(R"(master pid (\d+))")); }
    [[nodiscard]] std::uint16_t port() const
    {
        return static_cast<std::uint16_t>(number(R"(listening on 127\.0\.0\.1:(\d+))"));
    }
    [[nodiscard]] bool is_alive() const { return ::kill(pid(), 0) == 0; }

    /// Whoever was told to stay serves on, and ends when it is told to.
    void check_stays() const
    {
        CHECK(get(port(), "/").ok());
        ::kill(pid(), SIGTERM);
        wait_for("stopped");
        CHECK(eventually([&] { return !is_alive(); }));
    }

private:
    [[nodiscard]] long number(const char* pattern) const
    {
        const auto text = log();
        std::smatch found;
        return std::regex_search(text, found, std::regex{pattern}) ? std::stol(found.str(1)) : 0;
    }

    TempDir folder_;
};

} // namespace

TEST_SUITE_BEGIN("terminal");

TEST_CASE("who closes the terminal ends the master that stands there, as by TERM")
{
    Site site;
    Shell shell;
    shell.type(site.command() + " 2>" + site.log_path() + "\n");
    site.wait_until_ready();
    HttpClient open{site.port()};
    open.send_get("/slow?ms=300");
    CHECK(get(site.port(), "/").ok());
    CHECK(get(site.port(), "/").ok()); // each worker has had one: so it has been taken
    shell.close_terminal();
    CHECK(open.read_answer().ok());
    site.wait_for("SIGHUP: the terminal is gone");
    site.wait_for("stopped");
    CHECK(eventually([&] { return !site.is_alive(); }));
    CHECK(site.log().find("stopping now") == std::string::npos);
}

TEST_CASE("so it does one that is the first on its terminal, as of ssh -t, and writes there")
{
    int terminal = -1;
    int end = -1;
    REQUIRE(::openpty(&terminal, &end, nullptr, nullptr, nullptr) == 0);
    sys::UniqueFd owned_terminal{terminal};
    sys::UniqueFd owned_end{end};
    UsherProcess usher{run_demo(2), [terminal, end] {
                           ::setsid();
                           ::ioctl(end, TIOCSCTTY, 0);
                           ::dup2(end, STDOUT_FILENO);
                           ::close(terminal);
                           ::close(end);
                       }};
    usher.wait_until_ready(2);
    owned_end.reset();
    owned_terminal.reset();
    usher.wait_for("SIGHUP: the terminal is gone");
    CHECK(usher.wait() == sys::ExitStatus{});
    CHECK(usher.count("reload started") == 0);
}

TEST_CASE("HUP from elsewhere reloads one on a terminal as well")
{
    Site site;
    Shell shell;
    shell.type(site.command() + " 2>" + site.log_path() + "\n");
    site.wait_until_ready();
    ::kill(site.pid(), SIGHUP);
    site.wait_for("reload done");
    site.check_stays();
}

TEST_CASE("in the background, or under nohup, it outlives the terminal")
{
    for (const bool in_background : {true, false}) {
        CAPTURE(in_background);
        Site site;
        Shell shell;
        shell.type((in_background ? "" : "nohup ") + site.command() + " 2>" + site.log_path() +
                   (in_background ? " &\n" : " >/dev/null\n"));
        site.wait_until_ready();
        shell.close_terminal();
        if (in_background) // the shell's HUP
            site.wait_for("reload done");
        site.check_stays();
    }
}

TEST_CASE("a job that was put into the background outlives the terminal, too")
{
    Site site;
    Shell shell;
    shell.type(site.command() + " 2>" + site.log_path() + "\n");
    site.wait_until_ready();
    shell.type("\x1a");
    CHECK(eventually([&] { return state_of(site.pid()) == 'T'; }));
    CHECK(eventually([&] { return shell.shown().find("Stopped") != std::string::npos; }));
    shell.type("bg\n");
    CHECK(eventually([&] { return state_of(site.pid()) == 'S'; }));
    shell.close_terminal();
    site.wait_for("reload done");
    site.check_stays();
}

TEST_CASE("where a background that writes is stopped, it writes on, and keeps its workers")
{
    Site site;
    Shell shell;
    shell.type("stty tostop\n");
    shell.type(site.command() + " &\n");
    const auto shows = [&](const char* pattern) {
        const std::regex wanted{pattern};
        return eventually([&] { return std::regex_search(shell.shown(), wanted); }, 20s);
    };
    CHECK(shows(R"(worker 1 \(pid \d+\): ready)"));
    CHECK(shows(R"(worker 2 \(pid \d+\): ready)"));
    std::smatch pid;
    REQUIRE(std::regex_search(shell.shown(), pid, std::regex{R"(master pid (\d+))"}));
    const auto master = static_cast<pid_t>(std::stol(pid.str(1)));
    ::kill(master, SIGHUP);
    CHECK(shows("reload done"));
    CHECK(eventually([&] { return children_of(master).size() == 2; })); // old ones have left
    CHECK(shell.shown().find("scaled") == std::string::npos);
    ::kill(master, SIGTERM);
    CHECK(shows("stopped"));
    CHECK(eventually([&] { return ::kill(master, 0) != 0; }));
}

TEST_SUITE_END();

} // namespace usher::terminal_test
