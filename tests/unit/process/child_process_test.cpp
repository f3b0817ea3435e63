// SPDX-License-Identifier: MIT
#include "balancer/process/child_process.hpp"

#include "balancer/process/late_reaper.hpp"
#include "common/async/helper_thread.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::child_process_test {

using namespace usher::test;

namespace {

namespace fs = std::filesystem;

using Command = ChildProcess::Command;
using sys::ExitStatus;

Command program(std::string path)
{
    Command command;
    command.program = std::move(path);
    command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    return command;
}

Command shell(std::string script)
{
    auto command = program("/bin/sh");
    command.arguments = {"-c", std::move(script)};
    return command;
}

/// True if this process has a child, running or dead.
bool has_children()
{
    return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

bool is_gone(pid_t pid)
{
    return eventually([pid] {
        const char state = state_of(pid);
        return state == 0 || state == 'Z' || state == 'X'; // it is not ours to reap
    });
}

struct Fixture : NoFdLeak {
    boost::asio::io_context io;
    boost::asio::steady_timer timer{io}; ///< makes Asio open its own descriptors now

    Fixture() { REQUIRE_FALSE(has_children()); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture()
    {
        CHECK(eventually([this] { return !has_children_left(); }));
    }

    /// After what was given up has had its chance to be reaped.
    bool has_children_left()
    {
        LateReaper::of(io.get_executor()).reap_ended();
        return has_children();
    }

    ExitStatus wait(ChildProcess& child)
    {
        bool ended = false;
        child.async_wait([&ended] { ended = true; });
        REQUIRE(run_until(io, [&ended] { return ended; }));
        const auto status = child.reap();
        REQUIRE(status);
        return *status;
    }

    ExitStatus run(const Command& command)
    {
        const auto owner = start(io, command);
        auto& child = *owner;
        return wait(child);
    }

    /// What `script` writes to descriptor 3.
    std::string output_of(const std::string& script,
                          const std::function<void(Command&)>& change = {})
    {
        auto command = shell(script);
        auto pipe = make_pipe();
        command.descriptors = {pipe.writer.get()};
        if (change)
            change(command);
        CHECK(run(command) == ExitStatus{});

        pipe.writer.reset();
        std::string text;
        for (auto part = read_text(pipe.reader.get()); !part.empty();
             part = read_text(pipe.reader.get()))
            text += part;
        return text;
    }

    /// Why `command` cannot be started; checks that nothing is left of the attempt.
    std::string error_of(const Command& command)
    {
        const NoFdLeak guard;
        try {
            wait(*start(io, command));
            return "started";
        } catch (const std::runtime_error& error) {
            CHECK_FALSE(has_children());
            return error.what();
        }
    }
};

/// Gives the numbers 3, 4 and 5 to the writers of three pipes, and takes them back at the end.
class LowNumbers {
public:
    LowNumbers()
    {
        std::array<sys::UniqueFd, count> writers;
        for (std::size_t i = 0; i < count; ++i) {
            if (is_open(number(i)))
                saved_[i] = duplicate(number(i), out_of_the_way);
            const auto pipe = make_pipe();
            readers_[i] = duplicate(pipe.reader.get(), out_of_the_way);
            writers[i] = duplicate(pipe.writer.get(), out_of_the_way);
        }
        for (std::size_t i = 0; i < count; ++i)
            writers_[i].reset(::dup3(writers[i].get(), number(i), O_CLOEXEC));
    }
    LowNumbers(const LowNumbers&) = delete;
    LowNumbers& operator=(const LowNumbers&) = delete;
    ~LowNumbers()
    {
        release();
        for (std::size_t i = 0; i < count; ++i)
            if (saved_[i])
                ::dup3(saved_[i].get(), number(i), O_CLOEXEC);
    }

    /// Leaves the numbers free.
    void release()
    {
        for (auto& writer : writers_)
            writer.reset();
    }

    /// The other end of what has the number `fd`.
    [[nodiscard]] int reader_of(int fd) const
    {
        return readers_[static_cast<std::size_t>(fd - ChildProcess::first_descriptor)].get();
    }

private:
    static constexpr std::size_t count = 3;
    static constexpr int out_of_the_way = 100;

    static int number(std::size_t index)
    {
        return ChildProcess::first_descriptor + static_cast<int>(index);
    }

    std::array<sys::UniqueFd, count> saved_;
    std::array<sys::UniqueFd, count> readers_;
    std::array<sys::UniqueFd, count> writers_;
};

/// What children do first, before anything of ours: the moment in which one is not yet itself.
void (*first_in_child)() = nullptr;
[[maybe_unused]] const int atfork = ::pthread_atfork(nullptr, nullptr, [] {
    if (first_in_child != nullptr)
        first_in_child();
});

/// Has children begin with `action`, for a scope.
class FirstInChild {
public:
    explicit FirstInChild(void (*action)()) { first_in_child = action; }
    FirstInChild(const FirstInChild&) = delete;
    FirstInChild& operator=(const FirstInChild&) = delete;
    ~FirstInChild() { first_in_child = nullptr; }
};

/// Standard input closed for one scope.
class ClosedInput {
public:
    ClosedInput() : saved_{duplicate(STDIN_FILENO, 100)} { ::close(STDIN_FILENO); }
    ClosedInput(const ClosedInput&) = delete;
    ClosedInput& operator=(const ClosedInput&) = delete;
    ~ClosedInput() { ::dup2(saved_.get(), STDIN_FILENO); }

private:
    sys::UniqueFd saved_;
};

} // namespace

TEST_SUITE_BEGIN("child_process");

TEST_CASE_FIXTURE(Fixture, "a child's exit code is its status")
{
    CHECK(run(shell("exit 9")) == ExitStatus{.by_signal = false, .code = 9});
}

TEST_CASE_FIXTURE(Fixture, "a child that is killed has the signal as its status")
{
    CHECK(run(shell("kill -9 $$")) == ExitStatus{.by_signal = true, .code = SIGKILL});
}

TEST_CASE_FIXTURE(Fixture, "a child that still runs cannot be reaped")
{
    const auto owner = start(io, shell("sleep 100"));
    auto& child = *owner;
    CHECK_FALSE(child.reap());
}

TEST_CASE_FIXTURE(Fixture, "a child is reaped once")
{
    const auto owner = start(io, shell("exit 9"));
    auto& child = *owner;
    CHECK(wait(child).code == 9);
    CHECK_FALSE(child.reap());
    child.signal(SIGTERM); // hits nobody any more
    child.kill_group();
}

TEST_CASE_FIXTURE(Fixture, "a signal reaches the child")
{
    auto pipe = make_pipe();
    auto command = shell("trap 'exit 3' TERM; echo ready >&3; exec 3>&-; sleep 100 & wait");
    command.descriptors = {pipe.writer.get()};
    const auto owner = start(io, command);
    auto& child = *owner;
    REQUIRE(read_text(pipe.reader.get()) == "ready\n");

    child.signal(SIGTERM);
    CHECK(wait(child) == ExitStatus{.by_signal = false, .code = 3});
}

TEST_CASE_FIXTURE(Fixture, "a program without a slash is found by PATH")
{
    auto command = shell("exit 7");
    command.program = "sh";
    CHECK(run(command).code == 7);
}

TEST_CASE_FIXTURE(Fixture, "PATH is the child's, and its relative folders are seen from there")
{
    const TempDir folder;
    const auto make = [&folder](const char* place, int code) {
        fs::create_directory(folder.path() / place);
        const auto file = folder.write(std::string{place} + "/tool",
                                       "#!/bin/sh\nexit " + std::to_string(code) + "\n");
        fs::permissions(file, fs::perms::owner_all);
        return (folder.path() / place).string();
    };
    const auto one = make("one", 1);
    const auto two = make("two", 2);
    auto command = program("tool");
    command.environment = {"PATH=" + one + ":" + two};
    CHECK(run(command).code == 1);
    command.environment = {"PATHS=" + one, "PATH=/nowhere:" + two};
    CHECK(run(command).code == 2);
    command.environment = {"PATH=/nowhere"};
    CHECK(error_of(command) == "tool: no such program in PATH (a program in this folder is "
                               "./tool)");

    command.cwd = folder.path().string();
    command.environment = {"PATH=two"};
    CHECK(run(command).code == 2);
    command.cwd = one;
    command.environment = {"PATH=/nowhere:"}; // an empty folder is the working directory
    CHECK(run(command).code == 1);

    auto common = program("sh");
    common.arguments = {"-c", "exit 7"};
    common.environment = {};
    CHECK(run(common).code == 7); // there are folders that everybody has
}

TEST_CASE_FIXTURE(Fixture, "the given descriptors are 3, 4, 5 of the child")
{
    const auto first = make_pipe();
    const auto second = make_pipe();
    const auto third = make_pipe();
    auto command = shell("echo a >&3; echo b >&4; echo c >&5");
    command.descriptors = {first.writer.get(), second.writer.get(), third.writer.get()};

    CHECK(run(command) == ExitStatus{});
    CHECK(read_text(first.reader.get()) == "a\n");
    CHECK(read_text(second.reader.get()) == "b\n");
    CHECK(read_text(third.reader.get()) == "c\n");
}

TEST_CASE("they are also where the originals are numbered 3, 4, 5 in another order")
{
    const NoFdLeak guard;
    const LowNumbers low;
    boost::asio::io_context io;
    auto command = shell("echo a >&3; echo b >&4; echo c >&5");
    command.descriptors = {5, 3, 4};
    {
        const auto owner = start(io, command);
        auto& child = *owner;
        bool ended = false;
        child.async_wait([&ended] { ended = true; });
        REQUIRE(run_until(io, [&ended] { return ended; }));
        CHECK(child.reap() == ExitStatus{});
    }
    CHECK(read_text(low.reader_of(5)) == "a\n");
    CHECK(read_text(low.reader_of(3)) == "b\n");
    CHECK(read_text(low.reader_of(4)) == "c\n");
}

TEST_CASE("a failed exec is told also where 3, 4 and 5 are free here")
{
    const NoFdLeak guard;
    const TempDir folder;
    const auto file = folder.write("text", "exit 0\n");
    fs::permissions(file, fs::perms::owner_all);

    LowNumbers low;
    boost::asio::io_context io;
    const auto null = open_null();
    auto command = program(file.string());
    command.descriptors = {null.get(), null.get(), null.get()};
    low.release();
    CHECK_THROWS_AS(static_cast<void>(start(io, command)), std::runtime_error);
}

TEST_CASE_FIXTURE(Fixture, "a child has the descriptors 0 to 5 and no other")
{
    const auto pipe = make_pipe();
    const auto null = open_null();
    const sys::UniqueFd inheritable{::fcntl(null.get(), F_DUPFD, 50)}; // not close-on-exec
    auto command = shell("echo ready >&3; kill -STOP $$");
    command.descriptors = {pipe.writer.get(), null.get(), null.get()};

    const auto owner = start(io, command);
    const auto& child = *owner;
    REQUIRE(read_text(pipe.reader.get()) == "ready\n");
    REQUIRE(eventually([&child] { return state_of(child.pid()) == 'T'; }));
    std::vector<int> numbers;
    for (const auto& [number, target] : descriptors_of(child.pid()))
        numbers.push_back(number);
    CHECK((numbers == std::vector{0, 1, 2, 3, 4, 5}));
}

TEST_CASE_FIXTURE(Fixture, "standard input is /dev/null")
{
    CHECK(output_of("readlink /proc/self/fd/0 >&3") == "/dev/null\n");
}

TEST_CASE_FIXTURE(Fixture, "standard input is /dev/null even if ours is closed")
{
    const ClosedInput closed;
    CHECK(output_of("readlink /proc/$$/fd/0 >&3; true") == "/dev/null\n");
}

TEST_CASE_FIXTURE(Fixture, "a child leads a process group of its own")
{
    const auto owner = start(io, shell("sleep 100"));
    const auto& child = *owner;
    CHECK(::getpgid(child.pid()) == child.pid());
    CHECK(child.pid() != ::getpgrp());
}

TEST_CASE_FIXTURE(Fixture, "ignored and blocked signals are not passed on")
{
    struct Restore {
        sighandler_t pipe = ::signal(SIGPIPE, SIG_IGN);
        sigset_t mask{};
        ~Restore()
        {
            ::signal(SIGPIPE, pipe);
            ::sigprocmask(SIG_SETMASK, &mask, nullptr);
        }
    } restore;
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    REQUIRE(::sigprocmask(SIG_BLOCK, &term, &restore.mask) == 0);

    CHECK(output_of("grep -E '^Sig(Blk|Ign)' /proc/self/status >&3") ==
          "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE_FIXTURE(
    Fixture, "a signal for the group between fork and exec counts once, and is not the child's")
{
    // Asio's handler writes to a pipe, which the child shares until its exec.
    boost::asio::signal_set signals{io, SIGINT};
    int heard = 0;
    signals.async_wait([&heard](const boost::system::error_code& error, int) { heard += !error; });

    const FirstInChild action{[] { ::raise(SIGINT); }};
    CHECK(run(shell("exit 5")) == ExitStatus{.by_signal = false, .code = 5});
    run_ready(io);
    CHECK(heard == 0);
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    CHECK(::sigismember(&blocked, SIGINT) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a child starts in its folder, and a relative program is found there")
{
    const TempDir folder;
    const auto path = fs::canonical(folder.path()).string();
    CHECK(output_of("pwd -P >&3", [&path](Command& command) { command.cwd = path; }) ==
          path + "\n");

    fs::permissions(folder.write("here", "#!/bin/sh\nexit 5\n"), fs::perms::owner_all);
    auto command = program("./here");
    command.cwd = path;
    CHECK(run(command).code == 5);
}

TEST_CASE_FIXTURE(Fixture, "a child has the given environment and no other variable")
{
    CHECK(output_of("tr '\\0' '\\n' < /proc/$$/environ >&3", [](Command& command) {
              command.environment = {"PATH=/usr/bin:/bin", "A=1", "B=two words"};
          }) == "PATH=/usr/bin:/bin\nA=1\nB=two words\n");
}

TEST_CASE_FIXTURE(Fixture, "a variable may have the child's own number as its value")
{
    const auto own = output_of(R"(echo $A $B $$ >&3)", [](Command& command) {
        command.pid_variables = {"A", "B"};
    });
    const auto pid = own.substr(own.rfind(' ') + 1, own.size() - own.rfind(' ') - 2);
    CHECK(own == pid + " " + pid + " " + pid + "\n");
}

TEST_CASE_FIXTURE(Fixture, "the arguments arrive as they are")
{
    CHECK(output_of("printf '<%s>' \"$@\" >&3", [](Command& command) {
              command.arguments.insert(command.arguments.end(), {"sh", "a b", "", "$HOME", "ü"});
          }) == "<a b><><$HOME><ü>");
}

TEST_CASE_FIXTURE(Fixture, "each way to fail has its sentence and leaves nothing behind")
{
    const TempDir folder;
    const auto in_folder = [&folder](const char* name) { return (folder.path() / name).string(); };
    const auto executable = [&folder](const char* name, const char* text) {
        const auto file = folder.write(name, text);
        fs::permissions(file, fs::perms::owner_all);
        return file.string();
    };

    SUBCASE("a missing file")
    {
        CHECK(error_of(program(in_folder("missing"))) == in_folder("missing") + ": no such file");
    }
    SUBCASE("a file that is not executable")
    {
        const auto file = folder.write("plain", "#!/bin/sh\n").string();
        CHECK(error_of(program(file)) == file + ": is not executable (chmod +x makes it so)");
    }
    SUBCASE("a folder")
    {
        CHECK(error_of(program(folder.path().string())) ==
              folder.path().string() + ": is a folder, not a program");
    }
    SUBCASE("a FIFO")
    {
        const auto fifo = in_folder("fifo");
        REQUIRE(::mkfifo(fifo.c_str(), 0700) == 0);
        CHECK(error_of(program(fifo)) == fifo + ": is not a file that can be executed");
    }
    SUBCASE("text without a #! line")
    {
        const auto file = executable("text", "exit 0\n");
        CHECK(error_of(program(file)) ==
              file + ": cannot be executed: neither a program of this machine nor a script with a "
                     "#! line");
    }
    SUBCASE("an interpreter that is missing")
    {
        const auto file = executable("script", "#!/nowhere/interpreter\n");
        CHECK(error_of(program(file)) ==
              file + ": cannot be executed: the interpreter or loader it names does not exist");
    }
    SUBCASE("a working directory that is missing")
    {
        auto command = shell("exit 0");
        command.cwd = in_folder("missing");
        CHECK(error_of(command) ==
              in_folder("missing") +
                  ": changing to its working directory failed: No such file or directory");
    }
    SUBCASE("a relative program whose working directory is missing")
    {
        auto command = program("./app");
        command.cwd = in_folder("missing");
        CHECK(error_of(command) ==
              in_folder("missing") +
                  ": changing to its working directory failed: No such file or directory");
    }
    SUBCASE("a program that is not in PATH")
    {
        CHECK(error_of(program("no-such-program-anywhere")) ==
              "no-such-program-anywhere: no such program in PATH (a program in this folder is "
              "./no-such-program-anywhere)");
    }
    SUBCASE("a descriptor that is not open")
    {
        auto command = shell("exit 0");
        command.descriptors = {999};
        CHECK(error_of(command) == "/bin/sh: passing descriptors failed: Bad file descriptor");
    }
}

TEST_CASE_FIXTURE(Fixture,
                  "however few descriptors are left, a child is started or nothing is left")
{
    std::string first_error;
    for (std::size_t spare = 0;; ++spare) {
        const NoFdLeak guard;
        try {
            std::unique_ptr<ChildProcess> child;
            {
                const ScopedFdLimit limit{spare};
                child = start(io, shell("exit 0"));
            }
            wait(*child);
            break;
        } catch (const std::exception& error) {
            CHECK_FALSE(has_children());
            if (first_error.empty())
                first_error = error.what();
        }
        REQUIRE(spare < 50);
    }
    CHECK(first_error.starts_with("/bin/sh: cannot be "));
    CHECK(first_error.find("raise the limit (ulimit -n, LimitNOFILE= of systemd)") !=
          std::string::npos);
    CHECK(first_error.find("Too many open files") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a child that hangs before its exec is given up at the deadline")
{
    const FirstInChild action{[] { ::pause(); }};
    boost::asio::steady_timer deadline{io, std::chrono::milliseconds{50}};
    CHECK_THROWS_WITH_AS(static_cast<void>(start(io, shell("exit 0"), deadline)),
                         "/bin/sh: cannot be executed in time: its disk, or that of its working "
                         "directory, does not answer",
                         std::runtime_error);
}

TEST_CASE_FIXTURE(Fixture,
                  "a start that is called off starts nothing, and no other is refused for it")
{
    std::promise<void> answer;
    auto command = shell("exit 0");
    command.check = [told = answer.get_future().share()](const std::string&) { told.wait(); };
    boost::asio::steady_timer deadline{io, boost::asio::steady_timer::time_point::min()};
    CHECK_THROWS_AS(static_cast<void>(start(io, command, deadline)), std::runtime_error);
    CHECK_FALSE(has_children());

    CHECK(run(shell("exit 3")) == ExitStatus{.by_signal = false, .code = 3});
    answer.set_value();
    CHECK(eventually([] { return !HelperThreads::any_left(); }));
}

namespace {

/// In the child: has somebody trace it, so that nobody reaps it until that one is told to end by
/// `tracer[0]`, or 20 s have passed.
void be_traced(const std::array<int, 2>& tracer)
{
    first_in_child = nullptr;
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    if (::fork() == 0) {
        const pid_t traced = ::getppid();
        siginfo_t info{};
        pollfd told{.fd = tracer[1], .events = POLLIN, .revents = 0};
        // Nobody else sees its end before the event loop that waits for it says so.
        if (::ptrace(PTRACE_SEIZE, traced, nullptr, nullptr) == 0 &&
            ::waitid(P_PID, static_cast<id_t>(traced), &info, WEXITED | WNOWAIT) == 0 &&
            ::write(tracer[1], "t", 1) == 1)
            ::poll(&told, 1, 20'000);
        ::_exit(0);
    }
    ::pause();
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "a child that SIGKILL does not end is given up, and reaped when it ends")
{
    static std::array<int, 2> tracer{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, tracer.data()) == 0);
    const sys::UniqueFd ours{tracer[0]};
    const sys::UniqueFd theirs{tracer[1]};
    const FirstInChild action{[] { be_traced(tracer); }};
    const auto begin = std::chrono::steady_clock::now();
    boost::asio::steady_timer deadline{io, std::chrono::milliseconds{200}};
    CHECK_THROWS_AS(static_cast<void>(start(io, shell("exit 0"), deadline)), std::runtime_error);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{5} + slack);
    first_in_child = nullptr;
    char word = 0;
    if (::recv(ours.get(), &word, 1, MSG_DONTWAIT) == 1 && word == 't')
        CHECK(has_children_left());
    else
        MESSAGE("not run: this system does not allow to trace");
    std::ignore = ::write(ours.get(), "g", 1);
    CHECK(eventually([&] { // no event tells, but the next start asks
        CHECK(run(shell("exit 3")).code == 3);
        return !has_children();
    }));
}

TEST_CASE_FIXTURE(Fixture, "a child that is given up while somebody traces it holds nobody up")
{
    static std::array<int, 2> tracer{}; // ours, and the one that traces
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, tracer.data()) == 0);
    const sys::UniqueFd ours{tracer[0]};
    const sys::UniqueFd theirs{tracer[1]};
    const FirstInChild action{[] { be_traced(tracer); }};
    boost::asio::posix::stream_descriptor end{io, ours.get()};
    int turns_left = 10; // of the loop, while the end is there and cannot be seen
    std::function<void()> turn = [&] {
        timer.expires_after(std::chrono::milliseconds{10});
        timer.async_wait([&](const boost::system::error_code& cancelled) {
            if (cancelled)
                return;
            if (--turns_left > 0)
                turn();
            else
                std::ignore = ::write(ours.get(), "g", 1);
        });
    };
    end.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                   [&](const boost::system::error_code& cancelled) {
                       if (!cancelled)
                           turn();
                   });
    boost::asio::steady_timer deadline{io, std::chrono::milliseconds{200}};
    CHECK_THROWS_AS(static_cast<void>(start(io, shell("exit 0"), deadline)), std::runtime_error);
    std::ignore = end.release();
    timer.cancel();
    io.poll();
    char word = 0;
    if (::recv(ours.get(), &word, 1, MSG_DONTWAIT) == 1 && word == 't')
        CHECK(turns_left == 0);
    else
        MESSAGE("not run: this system does not allow to trace");
}

TEST_CASE_FIXTURE(Fixture, "what is left of the child's group is gone after reap()")
{
    const auto pipe = make_pipe();
    auto command = shell("sleep 100 & echo $! >&3; exit 4");
    command.descriptors = {pipe.writer.get()};
    const auto owner = start(io, command);
    auto& child = *owner;
    const pid_t grandchild = std::stoi(read_text(pipe.reader.get()));

    CHECK(wait(child).code == 4);
    CHECK(is_gone(grandchild));
}

TEST_CASE_FIXTURE(Fixture, "the destructor kills the group, and the child is reaped")
{
    const auto pipe = make_pipe();
    pid_t pid = -1;
    pid_t grandchild = -1;
    {
        auto command = shell("trap '' TERM; sleep 100 & echo $! >&3; wait");
        command.descriptors = {pipe.writer.get()};
        const auto owner = start(io, command);
        const auto& child = *owner;
        pid = child.pid();
        grandchild = std::stoi(read_text(pipe.reader.get()));
    }
    CHECK(eventually([this] { return !has_children_left(); }));
    CHECK(::kill(pid, 0) < 0);
    CHECK(is_gone(grandchild));
}

TEST_CASE_FIXTURE(Fixture, "a child is started while our own output is being written")
{
    // The launcher forks: nothing of what is buffered here may be written twice.
    const TempDir folder;
    const auto path = folder.path() / "out";
    {
        std::FILE* const file = std::fopen(path.c_str(), "we");
        REQUIRE(file != nullptr);
        std::fputs("once\n", file);
        CHECK(error_of(shell("exit 0")) == "started");
        auto command = shell("exit 0");
        command.cwd = "/nowhere";
        CHECK(error_of(command).starts_with("/nowhere: "));
        std::fclose(file);
    }
    CHECK(fs::file_size(path) == 5);
}

TEST_SUITE_END();

} // namespace usher::child_process_test
