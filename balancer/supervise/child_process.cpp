// SPDX-License-Identifier: MIT
#include "balancer/supervise/child_process.hpp"

#include "balancer/supervise/program_path.hpp"
#include "common/sys/fd_headroom.hpp"
#include "common/sys/pidfd.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/process.hpp>

#include <array>
#include <cassert>
#include <csignal>
#include <cstring>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asio = boost::asio;
namespace bp = boost::process::v2;

namespace usher {

namespace {

/// What failed between fork() and exec().  Boost.Process brings home nothing but errno, so the
/// step travels in its upper half.
enum class Step : int { exec = 0, process_group, signals, descriptors, cwd };

constexpr int step_shift = 16;

const char* step_name(Step step) noexcept
{
    switch (step) {
    case Step::exec:
        return "cannot be executed";
    case Step::process_group:
        return "setpgid failed";
    case Step::signals:
        return "resetting signals failed";
    case Step::descriptors:
        return "passing descriptors failed";
    case Step::cwd:
        return "changing to its working directory failed";
    }
    return "failed";
}

/// Prepares the child between fork() and exec(): async-signal-safe calls only.
///
/// Stands in for bp::posix::bind_fd, whose on_setup() in Boost 1.81 lacks its return statement
/// and crashes above -O0.
class PrepareChild {
public:
    PrepareChild(const ChildProcess::Command& command, std::vector<const char*> environment)
        : command_{command}, environment_{std::move(environment)}
    {
        assert(command.descriptors.size() <= most_descriptors);
    }

    template <typename Launcher, typename Path>
    bp::error_code on_setup(Launcher& launcher, const Path&, const char* const*) const
    {
        // Without this the launcher would close them; numbers it does not find are harmless.
        for (std::size_t i = 0; i < command_.descriptors.size(); ++i)
            launcher.fd_whitelist.push_back(ChildProcess::first_descriptor + static_cast<int>(i));
        launcher.env = environment_.data();
        return {};
    }

    template <typename Launcher, typename Path>
    bp::error_code on_exec_setup(Launcher&, const Path&, const char* const*) const noexcept
    {
        // Its own group: Ctrl-C in the terminal reaches the master alone, which then drains.
        if (::setpgid(0, 0) < 0)
            return failed(Step::process_group);
        if (!reset_signals())
            return failed(Step::signals);
        if (!pass_descriptors())
            return failed(Step::descriptors);
        if (!command_.cwd.empty() && ::chdir(command_.cwd.c_str()) < 0)
            return failed(Step::cwd);
        return {};
    }

    // In Boost 1.81 the launcher looks for the first signature and calls the second.  Left to
    // itself it calls exit(), which flushes the master's buffers and runs its destructors.
    template <typename Launcher, typename Path, typename Line>
    void on_exec_error(Launcher&, const bp::error_code&, const Path&, const Line&,
                       const bp::error_code&) const noexcept
    {
        ::_exit(127);
    }
    template <typename Launcher, typename Path, typename Line>
    void on_exec_error(Launcher&, const Path&, const Line&, const bp::error_code&) const noexcept
    {
        ::_exit(127);
    }

private:
    static constexpr std::size_t most_descriptors = 8;

    static bp::error_code failed(Step step) noexcept
    {
        errno |= static_cast<int>(step) << step_shift; // what the launcher sends to the parent
        return {errno, boost::system::system_category()};
    }

    /// An ignored signal and a blocked one survive exec().
    static bool reset_signals() noexcept
    {
        struct sigaction by_default {};
        by_default.sa_handler = SIG_DFL;
        for (int number = 1; number < NSIG; ++number)
            ::sigaction(number, &by_default, nullptr); // refuses KILL, STOP and libc's own
        sigset_t none;
        ::sigemptyset(&none);
        return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
    }

    [[nodiscard]] bool pass_descriptors() const noexcept
    {
        const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || ::dup2(null, STDIN_FILENO) < 0)
            return false;

        // First out of the way, or the second may overwrite what the third still needs.
        std::array<int, most_descriptors> moved{};
        const auto count = command_.descriptors.size();
        const int first_free = ChildProcess::first_descriptor + static_cast<int>(count);
        for (std::size_t i = 0; i < count; ++i)
            if ((moved[i] = ::fcntl(command_.descriptors[i], F_DUPFD_CLOEXEC, first_free)) < 0)
                return false;
        for (std::size_t i = 0; i < count; ++i) // dup2() clears close-on-exec
            if (::dup2(moved[i], ChildProcess::first_descriptor + static_cast<int>(i)) < 0)
                return false;

        // Ours are close-on-exec from birth; this is for those we were started with.
        ::close_range(static_cast<unsigned>(first_free), ~0U, CLOSE_RANGE_CLOEXEC);
        return true;
    }

    const ChildProcess::Command& command_;
    std::vector<const char*> environment_;
};

[[noreturn]] void throw_spawn_error(int value, const std::string& path, const std::string& cwd)
{
    const auto step = static_cast<Step>(value >> step_shift);
    const int reason = value & ((1 << step_shift) - 1);
    throw SpawnError{(step == Step::cwd ? cwd : path) + ": " + step_name(step) + ": " +
                     (step == Step::exec ? explain_exec_error(reason) : std::strerror(reason))};
}

/// Holds the numbers that the child's own descriptors get, as far as they are free, so that the
/// launcher's pipe, over which exec() failures come, does not get one of them.
class ReservedNumbers {
public:
    /// Throws SpawnError if fewer descriptors are left than a launch takes: Boost.Process 1.81
    /// leaks its own when it runs out of them halfway.
    ReservedNumbers(int first_free, const std::string& path)
    {
        constexpr std::size_t for_a_launch = 8; // two pipe ends, an event loop's three, pidfds
        for (;;) {
            sys::UniqueFd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
            if (!fd || !sys::has_fd_headroom(fd.get(), for_a_launch))
                throw SpawnError{path + ": cannot be started: Too many open files"};
            if (fd.get() >= first_free)
                return;
            held_.push_back(std::move(fd));
        }
    }

private:
    std::vector<sys::UniqueFd> held_;
};

/// Ends and reaps a child that nobody will own: the launcher forgets the one whose exec() failed.
void discard(pid_t child) noexcept
{
    if (child <= 0)
        return;
    ::kill(child, SIGKILL);
    std::ignore = sys::retry_on_eintr([child] { return ::waitpid(child, nullptr, 0); });
}

pid_t launch(const ChildProcess::Command& command)
{
    const auto path = find_program(command.program, command.cwd);

    std::vector<const char*> environment;
    for (const auto& variable : command.environment)
        environment.push_back(variable.c_str());
    environment.push_back(nullptr);

    // The launcher tells the io_context it is given of the fork, and that one then rebuilds its
    // epoll in the child.  An empty one has nothing to rebuild.
    asio::io_context nobodys_context;
    const ReservedNumbers reserved{
        ChildProcess::first_descriptor + static_cast<int>(command.descriptors.size()), path};
    const pid_t self = ::getpid();
    bp::default_process_launcher launcher;
    bp::error_code error;
    try {
        auto process = launcher(nobodys_context.get_executor(), error, path, command.arguments,
                                PrepareChild{command, std::move(environment)});
        // Only the launch is the library's: its own wait flattens exit codes and signals, and its
        // destructor kills by number.  The pidfd does both better.
        if (!error)
            process.detach();
    } catch (const std::exception& e) {
        // Whatever is thrown between fork() and exec() must not make a second master of the child.
        if (::getpid() != self)
            ::_exit(127);
        discard(launcher.pid);
        throw SpawnError{path + ": cannot be started: " + e.what()};
    }
    if (error) {
        discard(launcher.pid);
        throw_spawn_error(error.value(), path, command.cwd);
    }
    return launcher.pid;
}

} // namespace

ChildProcess::ChildProcess(const asio::any_io_executor& executor, const Command& command)
    : pid_{launch(command)}, pidfd_{executor}
{
    try {
        auto pidfd = sys::open_pidfd(pid_);
        pidfd_.assign(pidfd.get());
        std::ignore = pidfd.release();
    } catch (...) {
        discard(pid_); // nobody could see its end
        throw;
    }
}

ChildProcess::~ChildProcess()
{
    if (reaped_)
        return;
    kill_group();
    std::ignore = sys::retry_on_eintr([this] { return ::waitpid(pid_, nullptr, 0); });
}

void ChildProcess::signal(int signal) noexcept
{
    if (!reaped_)
        std::ignore = sys::send_signal(pidfd_.native_handle(), signal);
}

void ChildProcess::kill_group() noexcept
{
    // While the child is not reaped, nobody else can get its number, as process or as group.
    if (!reaped_)
        ::kill(-pid_, SIGKILL);
}

void ChildProcess::async_wait(std::function<void()> handler)
{
    pidfd_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [handler = std::move(handler)](const boost::system::error_code& error) {
                          if (!error)
                              handler();
                      });
}

std::optional<sys::ExitStatus> ChildProcess::reap() noexcept
{
    if (reaped_ || !sys::has_ended(pidfd_.native_handle()))
        return std::nullopt;

    kill_group();
    const auto status = sys::reap(pidfd_.native_handle());
    reaped_ = status.has_value();
    return status;
}

} // namespace usher
