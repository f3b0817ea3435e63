// SPDX-License-Identifier: MIT
#include "tests/support/preload_worker.hpp"

#include "balancer/dialect/preload/preload.hpp"
#include "common/handoff_address.hpp"
#include "common/sys/process/pidfd.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/sys/syscall.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/usher_process.hpp"

#include <fmt/core.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <system_error>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::test {

namespace {

/// What the worker's descriptors are numbered from; above all of ours.
constexpr int first_number = 200;

std::vector<char*> pointers_to(std::vector<std::string>& words)
{
    std::vector<char*> result;
    for (auto& word : words)
        result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

ResolvedPool config_of_pool(std::chrono::milliseconds drain_timeout)
{
    ResolvedPool config;
    config.dialect = Dialect::preload;
    config.drain_timeout = drain_timeout;
    return config;
}

} // namespace

PreloadWorker::PreloadWorker(const std::vector<sys::SocketAddress>& listeners,
                             const std::vector<std::string>& steps,
                             std::chrono::milliseconds drain_timeout)
    : channel_{std::in_place, 64, assign_queues(listeners)},
      board_{Scoreboard::open(channel_->scoreboard().fd())}
{
    auto control = sys::make_channel_pair();
    control_ = std::move(control.parent);
    auto input = make_pipe();
    auto output = make_pipe();

    auto inherited = channel_->worker_ends();
    inherited.insert(inherited.end(), {control.child.get(), channel_->scoreboard().fd()});
    std::map<std::string, std::string> environment;
    add_preload(environment, config_of_pool(drain_timeout), listeners, inherited, first_number);

    std::vector<std::string> variables;
    for (const auto& [name, value] : environment)
        variables.push_back(fmt::format("{}={}", name, value));
    std::vector<std::string> arguments{preload_probe_program()};
    arguments.insert(arguments.end(), steps.begin(), steps.end());
    const auto argv = pointers_to(arguments);
    const auto envp = pointers_to(variables);

    pid_ = ::fork();
    if (pid_ < 0)
        sys::throw_last_error("fork");
    if (pid_ == 0) {
        ::dup2(input.reader.get(), STDIN_FILENO);
        ::dup2(output.writer.get(), STDOUT_FILENO);
        for (std::size_t i = 0; i < inherited.size(); ++i)
            ::dup2(inherited[i], first_number + static_cast<int>(i));
        ::execve(argv.front(), argv.data(), envp.data());
        ::_exit(127);
    }
    pidfd_ = sys::open_pidfd(pid_);
    input_ = std::move(input.writer);
    output_ = std::move(output.reader);
}

PreloadWorker::~PreloadWorker()
{
    std::ignore = sys::send_signal(pidfd_.get(), SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::string PreloadWorker::read_line()
{
    for (;;) {
        const auto end = buffer_.find('\n');
        if (end != std::string::npos) {
            auto line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        const auto more = read_text(output_.get());
        if (more.empty())
            throw std::runtime_error{"the probe has ended after: " + buffer_};
        buffer_ += more;
    }
}

std::string PreloadWorker::result_of(const std::string& step)
{
    const auto line = read_line();
    if (!line.starts_with(step + ": "))
        throw std::runtime_error{"not of \"" + step + "\": " + line};
    return line.substr(step.size() + 2);
}

void PreloadWorker::go() const
{
    if (::write(input_.get(), "\n", 1) != 1)
        sys::throw_last_error("write");
}

sys::UniqueFd PreloadWorker::connect(const TestListener& socket, std::uint16_t index,
                                     wire::HandoffRecord record)
{
    auto client = connect_to(socket.address);
    sys::UniqueFd connection;
    sys::SocketAddress peer;
    wait_readable(socket.fd.get());
    if (const auto error = sys::accept_connection(socket.fd.get(), connection, peer))
        throw std::system_error{error, "accept"};
    record.listener = index;
    if (record.peer.family == wire::AddressFamily::unknown)
        record.peer = to_wire(peer);
    OutgoingPacket packet;
    packet.append(connection.get(), record);
    if (const auto error = channel_->send(packet))
        throw std::system_error{error, "send"};
    return client;
}

std::vector<wire::ControlMessage> PreloadWorker::heard() const
{
    std::vector<wire::ControlMessage> result;
    std::string buffer(wire::max_control_message, '\0');
    sys::FdMessage message;
    while (
        !sys::recv_with_fds(control_.get(), std::as_writable_bytes(std::span{buffer}), message) &&
        message.size > 0)
        result.push_back(wire::decode_control(std::string_view{buffer}.substr(0, message.size)));
    return result;
}

void PreloadWorker::die()
{
    control_.reset();
    channel_.reset();
}

sys::ExitStatus PreloadWorker::wait()
{
    wait_readable(pidfd_.get());
    return sys::reap(pidfd_.get()).value();
}

} // namespace usher::test
