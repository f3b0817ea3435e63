// SPDX-License-Identifier: MIT
#include "common/async/inbound_socket.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/condition.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/spawn.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher {

namespace {

using namespace std::chrono_literals;

/// Messages that threads are taking, by who has sent them.  More of that user's are not heard until
/// one has come back: who sends such ones again and again must not have all our threads.
constexpr unsigned most_under_way = 16;
std::map<uid_t, unsigned> under_way;
Condition changed; ///< one has come back, or a socket that waits for that is closed

/// What a thread has taken.
struct Taken {
    std::error_code error;
    std::vector<std::byte> bytes;
    sys::FdMessage message;
};

Taken take_one(sys::UniqueFd socket, std::size_t most)
{
    Taken taken;
    taken.bytes.resize(most);
    taken.error = sys::recv_without_fds(socket.get(), taken.bytes, taken.message);
    return taken;
}

} // namespace

InboundSocket::InboundSocket(const asio::any_io_executor& executor, sys::UniqueFd socket,
                             Senders senders)
    : socket_{adopt_fd<asio::posix::stream_descriptor>(executor, std::move(socket))},
      is_guarded_{senders == Senders::others}
{
    if (!is_guarded_)
        return;
    // Else a read skips what was sent out of band, and drops its descriptors without a word.
    const int on = 1;
    ::setsockopt(fd(), SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    ::setsockopt(fd(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

void InboundSocket::refuse_descriptors() noexcept
{
    if (is_guarded_ && sys::refuse_fds(fd()))
        is_guarded_ = false;
}

void InboundSocket::keep_receiving(std::span<std::byte> buffer, Handler handler)
{
    socket_.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [this, buffer, handler = std::move(handler)](const boost::system::error_code& end) mutable {
            if (end || !is_open())
                return;
            Message message;
            const auto error = receive(buffer, message);
            if (has_found_)
                return spawn(socket_.get_executor(), take(buffer, std::move(handler)));
            const bool nothing = error == std::errc::operation_would_block;
            if ((nothing || handler(error, message)) && is_open())
                keep_receiving(buffer, std::move(handler));
        });
}

std::error_code InboundSocket::receive(std::span<std::byte> buffer, Message& message)
{
    message = {};
    has_found_ = false;
    if (is_taking_) // what we copied then could be the last
        return std::make_error_code(std::errc::operation_would_block);
    std::error_code error;
    if (is_guarded_) {
        error = sys::recv_without_fds(fd(), buffer, arrived_, MSG_PEEK);
        has_found_ = !error && arrived_.fds_dropped;
        if (has_found_)
            return std::make_error_code(std::errc::operation_would_block);
        // Of a stream no more than was seen.
        if (!error)
            error = sys::recv_without_fds(fd(), buffer.first(arrived_.size), arrived_);
    } else {
        error = sys::recv_with_fds(fd(), buffer, arrived_);
    }
    if (error)
        return error;
    message = {.size = arrived_.size,
               .descriptors =
                   std::max<std::size_t>(arrived_.fds.size(), arrived_.fds_dropped ? 1 : 0),
               .is_cut = arrived_.is_cut,
               .sender = arrived_.sender.uid};
    if (!close_elsewhere(arrived_.fds))
        return std::make_error_code(std::errc::too_many_files_open);
    return {};
}

asio::awaitable<void> InboundSocket::take(std::span<std::byte> buffer, Handler handler)
{
    is_taking_ = true;
    auto& threads = under_way[arrived_.sender.uid];
    std::optional<Taken> taken;
    while (!taken && is_open()) {
        if (threads >= most_under_way) {
            co_await changed.wait();
            continue;
        }
        try {
            if (sys::UniqueFd copy{::fcntl(fd(), F_DUPFD_CLOEXEC, 0)}) {
                ++threads;
                const auto leave = [](unsigned* count) { --*count; };
                const std::unique_ptr<unsigned, decltype(leave)> place{&threads, leave};
                auto work = [copy = std::move(copy), size = buffer.size()]() mutable {
                    return take_one(std::move(copy), size);
                };
                taken = co_await on_helper_thread(std::move(work));
                changed.notify_all(); // but not where there was no thread: that changes nothing
            }
        } catch (const boost::system::system_error&) {
            co_return;                       // the loop is to end
        } catch (const std::system_error&) { // NOLINT(bugprone-empty-catch)
            // There is no thread now.
        }
        if (!taken) // nor does an event tell when there is one, or a descriptor
            co_await changed.wait(std::chrono::steady_clock::now() + 100ms);
    }
    is_taking_ = false;
    if (!is_open())
        co_return;
    const auto size = std::min(taken->message.size, buffer.size());
    std::copy_n(taken->bytes.begin(), size, buffer.begin());
    const Message message{.size = size,
                          .descriptors = 1,
                          .is_cut = taken->message.is_cut,
                          .sender = taken->message.sender.uid};
    const bool nothing = taken->error == std::errc::operation_would_block;
    if ((nothing || handler(taken->error, message)) && is_open())
        keep_receiving(buffer, std::move(handler));
}

void InboundSocket::close() noexcept
{
    if (!is_open())
        return;
    boost::system::error_code ignored;
    if (!is_guarded_) {
        socket_.close(ignored);
        return;
    }
    if (is_taking_)
        changed.notify_all();
    // Whatever is sent later is refused; a child that inherits it closes it empty, or not last.
    ::shutdown(fd(), SHUT_RDWR);
    std::array<std::byte, 1> byte;
    const auto error = sys::recv_without_fds(fd(), byte, arrived_, MSG_PEEK);
    const bool is_empty = error || sys::is_end(fd(), arrived_);
    if (is_empty && !is_taking_)
        socket_.close(ignored);
    else
        drain_elsewhere(sys::UniqueFd{socket_.release()});
}

} // namespace usher
