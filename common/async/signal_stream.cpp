// SPDX-License-Identifier: MIT
#include "common/async/signal_stream.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/sys/syscall.hpp"

#include <boost/system/error_code.hpp>

#include <utility>

#include <sys/signalfd.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

sys::UniqueFd open_signals(const sigset_t& signals)
{
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    sys::UniqueFd descriptor{::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC)};
    if (!descriptor)
        sys::throw_last_error("signalfd");
    return descriptor;
}

} // namespace

SignalStream::SignalStream(const asio::any_io_executor& executor, const sigset_t& signals)
    : descriptor_{adopt_fd<asio::posix::stream_descriptor>(executor, open_signals(signals))}
{
}

void SignalStream::keep_receiving(std::function<void(const Signal&)> handler)
{
    descriptor_.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [this, handler = std::move(handler)](const boost::system::error_code& end) mutable {
            if (end || !descriptor_.is_open())
                return;
            signalfd_siginfo info{};
            const auto size = sys::retry_on_eintr(
                [&] { return ::read(descriptor_.native_handle(), &info, sizeof info); });
            if (size == sizeof info)
                handler({.number = static_cast<int>(info.ssi_signo),
                         .is_from_kernel = info.ssi_code == SI_KERNEL,
                         .sender = static_cast<pid_t>(info.ssi_pid)});
            if (descriptor_.is_open())
                keep_receiving(std::move(handler));
        });
}

void SignalStream::close() noexcept
{
    boost::system::error_code ignored;
    descriptor_.close(ignored);
}

} // namespace usher
