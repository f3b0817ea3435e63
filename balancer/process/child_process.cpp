// SPDX-License-Identifier: MIT
#include "balancer/process/child_process.hpp"

#include "balancer/process/cgroup_removal.hpp"
#include "balancer/process/child_setup.hpp"
#include "balancer/process/own_children.hpp"
#include "balancer/process/pid_variable.hpp"
#include "balancer/process/program_path.hpp"
#include "balancer/process/setup_failure.hpp"
#include "common/sys/fd/fd_headroom.hpp"
#include "common/sys/process/blocked_signals.hpp"
#include "common/sys/process/pidfd.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/process.hpp>

#include <cerrno>
#include <csignal>
#include <deque>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asio = boost::asio;
namespace bp = boost::process::v2;

namespace usher {

namespace {

/// Has the launcher prepare the child.
///
/// Stands in for bp::posix::bind_fd, whose on_setup() in Boost 1.81 lacks its return statement
/// and crashes above -O0.
class PrepareChild {
public:
    PrepareChild(const ChildProcess::Command& command) : command_{command}, master_{::getpid()}
    {
        for (const auto& name : command.pid_variables)
            pid_variables_.emplace_back(name);
        for (const auto& variable : command.environment)
            environment_.push_back(variable.c_str());
        for (const auto& variable : pid_variables_)
            environment_.push_back(variable.text());
        environment_.push_back(nullptr);
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
        for (const auto& variable : pid_variables_)
            variable.fill_in(::getpid());
        const auto failure = set_up_child(command_, master_);
        if (!failure)
            return {};
        errno = failure->packed(); // what the launcher sends to the parent
        return {errno, boost::system::system_category()};
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
    const ChildProcess::Command& command_;
    pid_t master_;
    std::deque<PidVariable> pid_variables_;
    std::vector<const char*> environment_;
};

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

    // The launcher tells the io_context it is given of the fork, and that one then rebuilds its
    // epoll in the child.  An empty one has nothing to rebuild.
    asio::io_context nobodys_context;
    const ReservedNumbers reserved{
        ChildProcess::first_descriptor + static_cast<int>(command.descriptors.size()), path};
    const pid_t self = ::getpid();
    // Until the child is itself, our handlers would take its signals, and tell us by our own pipe.
    const sys::BlockedSignals blocked;
    bp::default_process_launcher launcher;
    bp::error_code error;
    try {
        auto process = launcher(nobodys_context.get_executor(), error, path, command.arguments,
                                PrepareChild{command});
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
        throw SpawnError{describe(SetupFailure::unpack(error.value()), command, path)};
    }
    return launcher.pid;
}

} // namespace

ChildProcess::ChildProcess(const asio::any_io_executor& executor, const Command& command)
    : pid_{launch(command)}, cgroup_{command.cgroup}, pidfd_{executor}
{
    try {
        if (cgroup_)
            cgroup_->close_entrance();
        auto pidfd = sys::open_pidfd(pid_);
        pidfd_.assign(pidfd.get());
        std::ignore = pidfd.release();
        OwnChildren::of_process().add(pid_);
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
    OwnChildren::of_process().remove(pid_);
}

void ChildProcess::signal(int signal) noexcept
{
    if (!reaped_)
        std::ignore = sys::send_signal(pidfd_.native_handle(), signal);
}

void ChildProcess::kill_group() noexcept
{
    // While the child is not reaped, nobody else can get its number, as process or as group.
    if (reaped_)
        return;
    ::kill(-pid_, SIGKILL);
    if (cgroup_) // also reaches those who have left the group
        std::ignore = cgroup_->kill();
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
    if (reaped_)
        OwnChildren::of_process().remove(pid_);
    if (reaped_ && cgroup_)
        remove_when_empty(pidfd_.get_executor(), std::move(cgroup_));
    return status;
}

} // namespace usher
