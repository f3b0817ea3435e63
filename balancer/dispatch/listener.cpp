// SPDX-License-Identifier: MIT
#include "balancer/dispatch/listener.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/async/closing_thread.hpp"
#include "common/handoff_address.hpp"
#include "common/scoreboard.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/bound_socket.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

Listener::Listener(const asio::any_io_executor& executor, sys::UniqueFd socket, std::uint16_t index,
                   ConnectionSink& sink, Observer& observer)
    : socket_{adopt_fd<asio::posix::stream_descriptor>(executor, std::move(socket))},
      timer_{executor},
      index_{index},
      sink_{sink},
      observer_{observer}
{
}

void Listener::set_backlog(unsigned backlog) noexcept
{
    backlog_ = backlog;
    ::listen(socket_.native_handle(), static_cast<int>(backlog));
}

/// False if it does nothing any more already.
bool Listener::leave_off()
{
    if (std::exchange(stopped_, true))
        return false;
    sink_.forget(*this);
    timer_.cancel();
    return true;
}

std::optional<std::size_t> Listener::waiting() const noexcept
{
    // Asio has no const one.
    auto& socket = const_cast<asio::posix::stream_descriptor&>(socket_);
    return sys::waiting_in_backlog(socket.native_handle());
}

void Listener::stop()
{
    if (!leave_off())
        return;
    // Whoever is in the backlog believes to be connected already; closing would reset them.  One
    // batch more or less is for those whose handshake ends meanwhile; a flood must not keep us
    // here.
    rest_ = std::max(sys::waiting_in_backlog(socket_.native_handle()).value_or(backlog_),
                     AcceptBudget::full_batch);
    hand_off_rest();
}

void Listener::hand_off_rest()
{
    if (!is_open())
        return;
    const auto batch = accept_batch(std::min(rest_, AcceptBudget::full_batch));
    rest_ -= batch.attempts;
    // Out of descriptors: the batch that was handed off has freed as many as it took.
    const bool go_on = batch.end == End::limit || (batch.end == End::failed && batch.accepted > 0);
    if (!go_on || rest_ == 0)
        return close();
    // By way of the event loop: a signal may want an end to this.
    asio::post(socket_.get_executor(),
               in_memory(rest_memory_, [self = shared_from_this()] { self->hand_off_rest(); }));
}

sys::UniqueFd Listener::release()
{
    leave_off();
    return sys::UniqueFd{is_open() ? socket_.release() : -1};
}

void Listener::close()
{
    if (!is_open())
        return;
    leave_off();
    close_socket();
    observer_.on_closed(*this);
}

/// With those who wait at a Unix socket goes what they have sent, and that close may wait for them.
/// Released, not closed: its epoll would remember one of which there is a copy; see SocketFile.
void Listener::close_socket() noexcept
{
    boost::system::error_code ignored;
    if (!is_open() || sys::socket_option(socket_.native_handle(), SO_DOMAIN) != AF_UNIX)
        socket_.close(ignored);
    else
        close_elsewhere(sys::UniqueFd{socket_.release()});
}

void Listener::start()
{
    if (stopped_)
        return;

    // Asio re-arms its edge-triggered epoll for every wait, which makes this level-triggered: a
    // connection that is still queued completes the wait at once.
    socket_.async_wait(
        asio::posix::stream_descriptor::wait_read,
        in_memory(memory_, [self = shared_from_this()](const boost::system::error_code& error) {
            if (!error && !self->stopped_)
                self->on_readable();
        }));
}

void Listener::on_readable()
{
    const auto limit = budget_.limit();
    const auto batch = accept_batch(limit);
    budget_.on_batch(batch.accepted, batch.end == End::drained);

    switch (batch.end) {
    case End::limit:
    case End::drained:
        start();
        break;
    case End::no_room:
        sink_.wait_for_room(*this);
        break;
    case End::failed:
        // Handing off the batch has freed its descriptors, so there may be room again.
        if (batch.accepted > 0)
            start();
        else
            pause(batch.error);
        break;
    }
    if (batch.accepted > 0)
        throttle_.on_success();
}

Listener::Batch Listener::accept_batch(std::size_t limit)
{
    Batch batch;
    wire::HandoffRecord record{.accepted_at = monotonic_nanoseconds(), .listener = index_};
    sys::UniqueFd connection;
    sys::SocketAddress peer;

    for (; batch.attempts < limit; ++batch.attempts) {
        if (!sink_.has_room()) {
            batch.end = End::no_room;
            break;
        }
        batch.error = sys::accept_connection(socket_.native_handle(), connection, peer);
        if (batch.error) {
            if (sys::is_accept_noise(batch.error))
                continue;
            const bool drained = batch.error == std::errc::operation_would_block;
            batch.end = drained ? End::drained : End::failed;
            break;
        }
        record.id = sink_.next_connection_id();
        record.peer = to_wire(peer);
        sink_.give(std::move(connection), record);
        ++batch.accepted;
    }
    sink_.flush();
    return batch;
}

void Listener::pause(std::error_code error)
{
    const auto pause = throttle_.on_failure(AcceptThrottle::Clock::now());
    if (pause.report)
        observer_.on_accept_failure(*this, error, pause.duration);

    timer_.expires_after(pause.duration);
    timer_.async_wait(
        in_memory(memory_, [self = shared_from_this()](const boost::system::error_code& cancelled) {
            if (!cancelled)
                self->start();
        }));
}

} // namespace usher
