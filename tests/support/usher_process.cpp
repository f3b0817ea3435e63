// SPDX-License-Identifier: MIT
#include "tests/support/usher_process.hpp"

#include "common/sys/process/pidfd.hpp"
#include "common/sys/syscall.hpp"
#include "tests/support/from_environment.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::test {

namespace {

using Clock = std::chrono::steady_clock;

std::size_t occurrences(std::string_view text, std::string_view part)
{
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

/// fork() with new namespaces for the child.
pid_t fork_into(int namespaces)
{
    if (namespaces == 0)
        return ::fork();
    return static_cast<pid_t>(
        ::syscall(SYS_clone, SIGCHLD | namespaces, nullptr, nullptr, nullptr, nullptr));
}

/// Waits until `fd` is readable; false at `deadline`.
bool readable_by(int fd, Clock::time_point deadline)
{
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    return left > 0 && ::poll(&entry, 1, static_cast<int>(left)) > 0;
}

} // namespace

std::string usher_program()
{
    return from_environment("USHER_TEST_USHER");
}

std::string demo_program()
{
    return from_environment("USHER_TEST_DEMO");
}

std::string hello_program()
{
    return from_environment("USHER_TEST_HELLO");
}

std::string hello_c_program()
{
    return from_environment("USHER_TEST_HELLO_C");
}

std::string python_program()
{
    return from_environment("USHER_TEST_PYTHON");
}

std::string faulty_worker_program()
{
    return from_environment("USHER_TEST_FAULTY_WORKER");
}

std::string accept_only_worker_program()
{
    return from_environment("USHER_TEST_ACCEPT_ONLY_WORKER");
}

std::string chatty_worker_program()
{
    return from_environment("USHER_TEST_CHATTY_WORKER");
}

std::string static_sleeper_program()
{
    return from_environment("USHER_TEST_STATIC_SLEEPER");
}

std::string preload_probe_program()
{
    return from_environment("USHER_TEST_PRELOAD_PROBE");
}

std::string preload_library()
{
    return from_environment("USHER_TEST_PRELOAD_LIBRARY");
}

std::string source_folder()
{
    return from_environment("USHER_TEST_SOURCE");
}

namespace {

/// A configuration says it, or the arguments do, or there are no connections.  Else turns shall be
/// strict: tests want to know who answers, also where the machine has no time for a worker.
bool has_own_turns(const std::vector<std::string>& arguments)
{
    const auto end = std::ranges::find(arguments, "--");
    return std::any_of(arguments.begin(), end, [](const std::string& word) {
        return word == "--config" || word == "--move-after" || word == "none";
    });
}

} // namespace

UsherProcess::UsherProcess(const std::vector<std::string>& arguments,
                           const std::function<void()>& in_child, const std::string& control,
                           int namespaces)
{
    // A master that becomes another user must be able to make its control socket there.
    std::filesystem::permissions(folder_.path(),
                                 std::filesystem::perms::all | std::filesystem::perms::sticky_bit);

    const auto program = usher_program();
    auto all = arguments;
    if (!all.empty() && all.front() == "run") {
        if (!has_own_turns(all))
            all.insert(all.begin() + 1, {"--move-after", "0s"});
        all.insert(all.begin() + 1, {"--control", control.empty() ? control_path() : control});
    }
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const auto& argument : all)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);

    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0)
        sys::throw_last_error("pipe2");
    log_pipe_.reset(ends[0]);
    const sys::UniqueFd writer{ends[1]};
    ::fcntl(log_pipe_.get(), F_SETPIPE_SZ, 1 << 20);

    pid_ = fork_into(namespaces);
    if (pid_ == 0) {
        ::dup2(writer.get(), STDOUT_FILENO);
        ::dup2(writer.get(), STDERR_FILENO);
        if (in_child)
            in_child();
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    if (pid_ < 0)
        sys::throw_last_error("fork");
    pidfd_ = sys::open_pidfd(pid_);
}

UsherProcess::~UsherProcess()
{
    if (status_)
        return;
    // Workers end by themselves once their master is gone, but not all test workers are good ones:
    // a second signal makes the master see to it.  Another one, because equal signals merge.
    ::kill(pid_, SIGTERM);
    ::kill(pid_, SIGINT);
    if (!readable_by(pidfd_.get(), Clock::now() + std::chrono::seconds{10})) {
        std::fprintf(stderr, "usher did not end on two signals; its log:\n%s\n", log().c_str());
        ::kill(pid_, SIGKILL);
    }
    ::waitpid(pid_, nullptr, 0);
}

UsherProcess::CommandResult UsherProcess::command(std::vector<std::string> arguments) const
{
    arguments.insert(arguments.begin() + 1, {"--control", control_path()});
    UsherProcess client{arguments};
    const auto status = client.wait();
    return {.code = status.by_signal ? -status.code : status.code, .output = client.log()};
}

void UsherProcess::signal(int number) const
{
    if (const auto error = sys::send_signal(pidfd_.get(), number))
        throw std::system_error{error, "pidfd_send_signal"};
}

bool UsherProcess::read_more(Clock::time_point deadline)
{
    if (!readable_by(log_pipe_.get(), deadline))
        return false;
    std::array<char, 4096> buffer;
    const auto size = ::read(log_pipe_.get(), buffer.data(), buffer.size());
    if (size <= 0)
        return false;
    log_.append(buffer.data(), static_cast<std::size_t>(size));
    return true;
}

std::string UsherProcess::log()
{
    while (read_more(Clock::now() + std::chrono::milliseconds{2})) {
    }
    return log_;
}

std::string UsherProcess::wait_for(std::string_view text, Milliseconds limit)
{
    const auto deadline = Clock::now() + limit;
    wait_for_count(text, 1, limit);
    const auto at = log_.find(text);
    while (log_.find('\n', at) == std::string::npos && read_more(deadline)) {
    }
    const auto start = log_.rfind('\n', at) + 1;
    return log_.substr(start, log_.find('\n', at) - start);
}

void UsherProcess::wait_for_count(std::string_view text, std::size_t count, Milliseconds limit)
{
    const auto deadline = Clock::now() + limit;
    std::size_t seen = 0;
    for (std::size_t from = 0;;) {
        for (auto at = log_.find(text, from); at != std::string::npos; at = log_.find(text, from)) {
            ++seen;
            from = at + 1;
        }
        if (seen >= count)
            return;
        // The beginning of one more may be there already.
        from = std::max(from, log_.size() - std::min(log_.size(), text.size() - 1));
        if (!read_more(deadline))
            throw std::runtime_error{"no \"" + std::string{text} + "\" in the log:\n" + log_};
    }
}

std::size_t UsherProcess::count(std::string_view text)
{
    return occurrences(log(), text);
}

void UsherProcess::wait_until_ready(std::size_t workers)
{
    wait_for_count(": ready after", workers);
}

std::uint16_t UsherProcess::port(std::size_t index)
{
    wait_for("listening on");
    wait_for(": started");
    const std::regex pattern{R"(listening on \S+:(\d+)\n)"};
    const auto deadline = Clock::now() + Milliseconds{60'000};
    do {
        auto match = std::sregex_iterator{log_.begin(), log_.end(), pattern};
        for (std::size_t i = 0; i < index && match != std::sregex_iterator{}; ++i)
            ++match;
        if (match != std::sregex_iterator{})
            return static_cast<std::uint16_t>(std::stoi((*match)[1]));
    } while (read_more(deadline));
    throw std::runtime_error{"too few listeners in the log:\n" + log_};
}

pid_t UsherProcess::worker_pid(unsigned slot)
{
    const auto text = log();
    const std::regex pattern{"worker " + std::to_string(slot) + R"( \(pid (\d+)\): started)"};
    pid_t latest = -1;
    for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end; ++match)
        latest = std::stoi((*match)[1]);
    if (latest < 0) // for kill(2) that is everybody
        throw std::logic_error{"no worker was started in slot " + std::to_string(slot)};
    return latest;
}

sys::ExitStatus UsherProcess::wait(Milliseconds limit)
{
    const auto deadline = Clock::now() + limit;
    while (!status_) {
        // A full pipe would stop the process that is waited for.
        std::array<pollfd, 2> entries{
            pollfd{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
            pollfd{.fd = log_pipe_.get(), .events = POLLIN, .revents = 0}};
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0 || ::poll(entries.data(), entries.size(), static_cast<int>(left)) == 0)
            throw std::runtime_error{"usher did not end; its log:\n" + log_};
        if (entries[1].revents != 0)
            read_more(Clock::now() + std::chrono::milliseconds{2});
        if (entries[0].revents != 0)
            status_ = sys::reap(pidfd_.get());
    }
    std::ignore = log(); // what it wrote last
    return *status_;
}

sys::ExitStatus UsherProcess::stop()
{
    signal(SIGTERM);
    return wait();
}

std::vector<std::string> run_demo(unsigned workers, const std::vector<std::string>& switches)
{
    std::vector<std::string> arguments{
        "run", "--listen",    "127.0.0.1:0", "--workers", std::to_string(workers),
        "--",  demo_program()};
    arguments.insert(arguments.end(), switches.begin(), switches.end());
    return arguments;
}

} // namespace usher::test
