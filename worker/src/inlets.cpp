// SPDX-License-Identifier: MIT
#include "inlets.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/handoff_address.hpp"
#include "common/wire/environment.hpp"
#include "handoff_source.hpp"
#include "usher/worker/detail/leased_executor.hpp"

#include <boost/asio/error.hpp>

#include <csignal>
#include <stdexcept>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher::worker {

namespace {

Endpoint to_endpoint(const sys::SocketAddress& address)
{
    return {address.data(), address.size()};
}

/// The family says which protocol: TCP, or that of a Unix stream.  Where the record does not know,
/// the socket does.
asio::generic::stream_protocol protocol_of(int fd, const wire::Address& peer)
{
    switch (peer.family) {
    case wire::AddressFamily::ipv4:
        return {AF_INET, IPPROTO_TCP};
    case wire::AddressFamily::ipv6:
        return {AF_INET6, IPPROTO_TCP};
    case wire::AddressFamily::unix_domain:
        return {AF_UNIX, 0};
    case wire::AddressFamily::unknown:
        break;
    }
    int family = AF_UNIX;
    socklen_t size = sizeof family;
    ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
    return {family, family == AF_UNIX ? 0 : IPPROTO_TCP};
}

boost::system::error_code to_asio(std::error_code error)
{
    if (error == std::errc::operation_would_block)
        return asio::error::would_block;
    if (error == std::errc::too_many_files_open)
        return asio::error::no_descriptors;
    if (error == sys::MessageError::peer_closed)
        return asio::error::eof;
    return {error.value(), boost::system::system_category()};
}

} // namespace

CountingInlet::CountingInlet(asio::io_context& io, sys::UniqueFd socket,
                             std::unique_ptr<Source> source, Scoreboard scoreboard)
    : io_{io},
      descriptor_{adopt_fd<asio::posix::stream_descriptor>(io, std::move(socket))},
      source_{std::move(source)},
      scoreboard_{std::make_shared<Scoreboard>(std::move(scoreboard))},
      leases_{std::make_shared<detail::LeaseBook>(
          [board = scoreboard_] { board->page().closed.fetch_add(1, std::memory_order_release); })}
{
}

boost::system::error_code CountingInlet::take(Connection& connection)
{
    if (!descriptor_.is_open())
        return asio::error::operation_aborted;

    IncomingConnection incoming;
    if (const auto error = source_->take(descriptor_.native_handle(), incoming)) {
        if (error == sys::MessageError::peer_closed)
            on_end();
        return to_asio(error);
    }

    // From here on it counts: whatever happens to it, the lease reports its end.
    scoreboard_->page().accepted.fetch_add(1, std::memory_order_relaxed);
    const detail::LeasedExecutor executor{io_.get_executor(), leases_->issue()};
    Socket socket{executor};
    boost::system::error_code error;
    socket.assign(protocol_of(incoming.fd.get(), incoming.record.peer), incoming.fd.get(), error);
    if (error)
        return error; // incoming closes it
    std::ignore = incoming.fd.release();

    connection.socket = std::move(socket);
    connection.peer = to_endpoint(from_wire(incoming.record.peer));
    connection.id = incoming.record.id;
    connection.listener = incoming.record.listener;
    connection.accepted_at = std::chrono::steady_clock::time_point{
        std::chrono::nanoseconds{incoming.record.accepted_at}};
    if (incoming.record.local.family != wire::AddressFamily::unknown)
        connection.known_local = to_endpoint(from_wire(incoming.record.local));
    return {};
}

std::uint64_t CountingInlet::open_connections() const noexcept
{
    const auto& page = scoreboard_->page();
    const auto closed = page.closed.load(std::memory_order_acquire);
    return page.accepted.load(std::memory_order_relaxed) - closed;
}

void CountingInlet::set_load(std::uint64_t load) noexcept
{
    scoreboard_->page().load.store(load, std::memory_order_relaxed);
}

void CountingInlet::close() noexcept
{
    boost::system::error_code ignored;
    descriptor_.close(ignored);
    source_->drop_buffered();
}

HandoffInlet::HandoffInlet(asio::io_context& io, Inheritance inheritance)
    : CountingInlet{io, std::move(inheritance.handoff), std::make_unique<HandoffSource>(),
                    std::move(inheritance.scoreboard)},
      identity_{std::move(inheritance.identity)},
      control_{std::make_shared<ControlLink>(io, std::move(inheritance.control))},
      heartbeat_{std::make_shared<Heartbeat>(io, scoreboard())}
{
    // The master reads what workers write.  One that outlives its master must not die of a log
    // line before it has finished its connections.
    struct sigaction current {};
    if (::sigaction(SIGPIPE, nullptr, &current) == 0 && current.sa_handler == SIG_DFL)
        ::signal(SIGPIPE, SIG_IGN);
    control_->send(wire::encode(wire::Hello{.protocol = wire::env::protocol_version,
                                            .max_batch = wire::max_handoff_records}));
    control_->start([draining = draining_] { *draining = true; });
    heartbeat_->start();
}

void HandoffInlet::ready()
{
    control_->send(wire::encode(wire::Ready{}));
}

Endpoint HandoffInlet::listening_on() const
{
    throw std::logic_error{"a worker under usher has no listener of its own"};
}

void HandoffInlet::on_end() noexcept
{
    // Nothing of ours may keep the event loop running once the application has finished.
    *draining_ = true;
    control_->close();
    heartbeat_->stop();
}

void HandoffInlet::close() noexcept
{
    on_end();
    CountingInlet::close();
}

ListenInlet::ListenInlet(asio::io_context& io, FallbackListener listener)
    : CountingInlet{io, std::move(listener.socket), std::make_unique<ListenSource>(),
                    Scoreboard::make_private()},
      address_{to_endpoint(listener.address)}
{
}

namespace detail {

std::shared_ptr<Inlet> open_inlet(asio::io_context& io, const Options& options)
{
    if (auto inheritance = take_inheritance())
        return std::make_shared<HandoffInlet>(io, std::move(*inheritance));
    return std::make_shared<ListenInlet>(io, open_fallback_listener(options));
}

} // namespace detail

} // namespace usher::worker
