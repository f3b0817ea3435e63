// SPDX-License-Identifier: MIT
#include "usher/worker/detail/inlet.hpp"

#include "common/sys/fd/unique_fd.hpp"
#include "usher/worker/detail/leased_executor.hpp"
#include "worker/c/foreign_loop.h"

#include <boost/asio/error.hpp>
#include <boost/asio/recycling_allocator.hpp>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher::worker::detail {

namespace {

std::shared_ptr<usher_worker> open_worker(const Options& options)
{
    usher_options given = USHER_OPTIONS_INIT;
    given.fallback = options.fallback.c_str();
    given.backlog = options.backlog;
    given.reuse_port = options.reuse_port ? 1 : 0;
    if (usher_worker* const worker = ::usher_open(&given))
        return {worker, &::usher_close};

    // A sentence of the library's own, or one that ends with what the system says.
    const std::error_code error{errno, std::system_category()};
    const std::string reason = ::usher_error();
    const std::string ending = ": " + error.message();
    if (reason.ends_with(ending))
        throw std::system_error{error, reason.substr(0, reason.size() - ending.size())};
    throw std::runtime_error{reason};
}

/// A share in an open connection: the last one counts its end, and so does this if there is no
/// memory.
Lease make_lease(const std::shared_ptr<usher_worker>& worker)
{
    // Mostly takes the memory that the one before has had.
    return {worker.get(), [worker](usher_worker* same) { ::usher_done(same); },
            asio::recycling_allocator<void>{}};
}

/// The family says which protocol: TCP, or that of a Unix stream.  Where the record does not know,
/// the socket does.
asio::generic::stream_protocol protocol_of(int fd, const usher_connection& record)
{
    int family = record.peer.ss_family;
    if (record.peer_size == 0) {
        family = AF_UNIX;
        socklen_t size = sizeof family;
        ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
    }
    return {family, family == AF_UNIX ? 0 : IPPROTO_TCP};
}

/// The worker closes it.
void let_go(asio::posix::stream_descriptor& descriptor)
{
    if (descriptor.is_open())
        descriptor.release();
}

} // namespace

std::shared_ptr<Inlet> Inlet::open(asio::io_context& io, const Options& options)
{
    auto inlet = std::make_shared<Inlet>(io, options);
    inlet->source_.assign(::uw_take_source(inlet->worker_.get()));
    if (inlet->identity_) {
        inlet->events_.assign(::usher_fd(inlet->worker_.get()));
        inlet->wait_for_events();
    }
    return inlet;
}

Inlet::Inlet(asio::io_context& io, const Options& options)
    : io_{io}, worker_{open_worker(options)}, source_{io}, events_{io}
{
    usher_identity known = USHER_IDENTITY_INIT;
    if (::usher_get_identity(worker_.get(), &known) == 0)
        identity_ = {
            .pool = known.pool, .slot = known.slot, .id = known.id, .generation = known.generation};
}

void Inlet::wait_for_events()
{
    events_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           if (error || !self->events_.is_open())
                               return;
                           ::usher_poll(self->worker_.get());
                           self->wait_for_events();
                       });
}

bool Inlet::has_buffered() const noexcept
{
    return ::uw_has_buffered(worker_.get());
}

boost::system::error_code Inlet::take(Connection& connection)
{
    if (!source_.is_open())
        return asio::error::operation_aborted;

    usher_connection record = USHER_CONNECTION_INIT;
    sys::UniqueFd fd{::uw_next(worker_.get(), &record)};
    if (!fd && errno == ESHUTDOWN) {
        // Nothing of ours may keep the event loop running once the application has finished.
        let_go(events_);
        return asio::error::eof;
    }
    if (!fd)
        return {errno, boost::system::system_category()};

    // From here on it counts: whatever happens to it, the lease reports its end.
    const LeasedExecutor executor{io_.get_executor(), make_lease(worker_)};
    Socket socket{executor};
    boost::system::error_code error;
    socket.assign(protocol_of(fd.get(), record), fd.get(), error);
    if (error)
        return error;
    std::ignore = fd.release();

    connection.socket = std::move(socket);
    connection.peer = Endpoint{&record.peer, record.peer_size};
    connection.id = record.id;
    connection.listener = record.listener;
    connection.accepted_at =
        std::chrono::steady_clock::time_point{std::chrono::nanoseconds{record.accepted_at}};
    if (record.local_size != 0)
        connection.known_local = Endpoint{&record.local, record.local_size};
    return {};
}

Endpoint Inlet::listening_on()
{
    if (identity_)
        throw std::logic_error{"a worker under usher has no listener of its own"};
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(source_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
        throw std::system_error{errno, std::system_category()};
    return {&address, size};
}

void Inlet::close() noexcept
{
    let_go(source_);
    let_go(events_);
    ::uw_shut(worker_.get());
}

} // namespace usher::worker::detail
