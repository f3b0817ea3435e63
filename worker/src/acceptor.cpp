// SPDX-License-Identifier: MIT
#include "usher/worker/acceptor.hpp"

#include <utility>

namespace usher::worker {

Acceptor::Acceptor(boost::asio::io_context& io, const Options& options)
    : io_{&io}, inlet_{detail::Inlet::open(io, options)}
{
}

Acceptor& Acceptor::operator=(Acceptor&& other) noexcept
{
    if (this != &other) {
        close();
        io_ = other.io_;
        inlet_ = std::move(other.inlet_);
    }
    return *this;
}

Acceptor::~Acceptor()
{
    close();
}

void Acceptor::close() noexcept
{
    if (inlet_)
        inlet_->close();
}

} // namespace usher::worker
