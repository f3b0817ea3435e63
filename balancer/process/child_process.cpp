// SPDX-License-Identifier: MIT
#include "balancer/process/child_process.hpp"

#include "balancer/process/child_setup.hpp"
#include "balancer/process/late_reaper.hpp"
#include "balancer/process/orphan_reaper.hpp"
#include "balancer/process/program_path.hpp"
#include "common/async/adopt_fd.hpp"
#include "common/async/back_off.hpp"
#include "common/async/helper_looks.hpp"
#include "common/async/sleep_for.hpp"
#include "common/sys/fd/moved_up.hpp"
#include "common/sys/fd/pipe.hpp"
#include "common/sys/process/blocked_signals.hpp"
#include "common/sys/process/pidfd.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <exception>
#include <map>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asio = boost::asio;
namespace bp = boost::process::v2;

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

std::runtime_error no_answer(const std::string& program)
{
    return std::runtime_error{program +
                              ": cannot be executed in time: its disk, or that of its working "
                              "directory, does not answer"};
}

asio::awaitable<std::string> find_file(const ChildProcess::Command& command,
                                       asio::steady_timer& deadline)
{
    using Question = std::tuple<std::string, std::string, std::string, std::string>;
    static std::map<Question, std::shared_ptr<HelperLooks>> looks;
    std::erase_if(looks, [](const auto& each) { return !each.second->is_looking(); });
    auto path = search_path(command.environment);
    const auto& folder = command.program_folder;
    auto& place = looks[Question{command.program, folder, command.cwd, path}];
    if (!place)
        place = std::make_shared<HelperLooks>();
    const auto looks_there = place;
    auto find = [program = command.program, folder, cwd = command.cwd, path = std::move(path),
                 check = command.check] {
        auto file = find_program(in_folder(program, folder), cwd, path);
        if (check)
            check(file);
        return file;
    };
    auto file = co_await looks_there->look(std::move(find), deadline);
    const bool is_called_off = deadline.expiry() == asio::steady_timer::time_point::min();
    if (!file || is_called_off) // then what it was to be given may be gone already
        throw no_answer(command.program);
    co_return *file;
}

/// Boost.Process's launcher, but for its last step: that one reads in the parent how the exec went,
/// and waits for it.
struct Launcher : bp::posix::default_launcher {
    using default_launcher::build_argv_;
};

/// The child, which writes a SetupFailure to `errors` or closes it by its exec; -1 if there is
/// none.
pid_t launch(const ChildProcess::Command& command, const bp::filesystem::path& file, int errors)
{
    constexpr std::size_t pid_room = 12; // for the longest pid_t and the end
    Launcher launcher;
    const char* const* const arguments = launcher.build_argv_(file, command.arguments);
    std::vector<std::string> pid_variables; // the values are filled in by the child
    std::vector<const char*> environment;
    for (const auto& name : command.pid_variables)
        pid_variables.push_back(name + '=' + std::string(pid_room, '\0'));
    for (const auto& variable : command.environment)
        environment.push_back(variable.c_str());
    for (const auto& variable : pid_variables)
        environment.push_back(variable.c_str());
    environment.push_back(nullptr);

    // Until the child is itself, our handlers would take its signals, and tell us by our own pipe.
    const sys::BlockedSignals blocked;
    const pid_t master = ::getpid();
    const pid_t child = ::fork();
    if (child != 0)
        return child;
    for (auto& variable : pid_variables) {
        char* const end = variable.data() + variable.size();
        std::to_chars(end - pid_room, end - 1, ::getpid());
    }
    auto failure = set_up_child(command, master, errors);
    if (!failure) {
        ::execve(file.c_str(), const_cast<char* const*>(arguments), // NOLINT
                 const_cast<char* const*>(environment.data()));     // NOLINT
        failure = {.error = errno};
    }
    std::ignore = ::write(errors, &*failure, sizeof *failure);
    ::_exit(127);
}

} // namespace

asio::awaitable<std::unique_ptr<ChildProcess>> ChildProcess::start(Command command,
                                                                   asio::steady_timer& deadline)
{
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    if (command.descriptors.size() > most_descriptors)
        throw std::runtime_error{
            fmt::format("it would need {} descriptors, {} are possible: it has "
                        "too many listeners",
                        command.descriptors.size(), most_descriptors)};
    LateReaper::of(executor).reap_ended();
    const auto file = co_await find_file(command, deadline);

    std::unique_ptr<ChildProcess> child;
    asio::posix::stream_descriptor errors{executor};
    try {
        auto pipe = sys::make_pipe_to_read();
        // Neither does our end stay.
        errors = adopt_fd<asio::posix::stream_descriptor>(executor,
                                                          sys::moved_up(std::move(pipe.reader)));
        // Above the numbers that the child's own descriptors get.
        const int first_free = first_descriptor + static_cast<int>(command.descriptors.size());
        const sys::UniqueFd writer{::fcntl(pipe.writer.get(), F_DUPFD_CLOEXEC, first_free)};
        pipe.writer.reset();
        const pid_t pid = writer ? launch(command, file, writer.get()) : -1;
        if (pid < 0)
            sys::throw_last_error(writer ? "fork" : "fcntl");
        child.reset(new ChildProcess{executor, pid, command.cgroup});
    } catch (const std::exception& e) {
        throw std::runtime_error{file + ": cannot be started: " + e.what()};
    }

    const auto first =
        co_await (errors.async_wait(asio::posix::stream_descriptor::wait_read, as_result) ||
                  deadline.async_wait(as_result));
    SetupFailure failure;
    const bool is_late = first.index() == 1;
    boost::system::error_code end;
    if (!is_late)
        errors.read_some(asio::buffer(&failure, sizeof failure), end);
    if (end == asio::error::eof)
        co_return child;

    // A tracer sees its end first, and no event says when it has (ptrace(2)).  It may also hang
    // where SIGKILL does not reach it, for as long as somebody else likes.
    child->kill_group();
    const auto patience = std::chrono::steady_clock::now() + 5s;
    for (BackOff pause{1ms, 100ms}; !child->reap() && std::chrono::steady_clock::now() < patience;)
        co_await sleep_for(pause.next());
    throw is_late ? no_answer(file) : std::runtime_error{describe(failure, command, file)};
}

ChildProcess::ChildProcess(const asio::any_io_executor& executor, pid_t pid,
                           std::shared_ptr<sys::Cgroup> cgroup)
    : pid_{pid}, cgroup_{std::move(cgroup)}, pidfd_{executor}
{
    try {
        if (cgroup_)
            cgroup_->close_entrance();
        pidfd_ = adopt_fd<asio::posix::stream_descriptor>(executor, sys::open_pidfd(pid_));
        OrphanReaper::on_own_child(pid_);
    } catch (...) {
        ::kill(pid_, SIGKILL);
        LateReaper::of(executor).take(pid_, std::move(pidfd_), std::move(cgroup_));
        throw;
    }
}

ChildProcess::~ChildProcess()
{
    give_up();
}

void ChildProcess::give_up() noexcept
{
    if (reaped_)
        return;
    kill_group();
    reaped_ = true;
    boost::system::error_code ignored;
    pidfd_.cancel(ignored); // nobody here waits any more
    LateReaper::of(pidfd_.get_executor()).take(pid_, std::move(pidfd_), std::move(cgroup_));
}

void ChildProcess::signal(int signal) noexcept
{
    if (!reaped_)
        std::ignore = sys::send_signal(pidfd_.native_handle(), signal);
}

void ChildProcess::signal_group(int signal) noexcept
{
    // While the child is not reaped, nobody else can get its number, as process or as group.
    if (!reaped_)
        std::ignore = ::kill(-pid_, signal);
}

bool ChildProcess::has_ended() noexcept
{
    return reaped_ || sys::has_ended(pidfd_.native_handle());
}

void ChildProcess::kill_group() noexcept
{
    if (reaped_) // as with signal_group()
        return;
    if (::kill(-pid_, SIGKILL) < 0) // a child that has just been forked leads none yet
        ::kill(pid_, SIGKILL);
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
    if (reaped_) {
        OrphanReaper::on_own_child_reaped(pid_);
        LateReaper::remove(pidfd_.get_executor(), cgroup_);
    }
    return status;
}

} // namespace usher
