// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <utility>

namespace usher {

/// Calls `read()` whenever `socket` of `owner` can be read, until that returns false or the socket
/// is closed; keeps the owner until then.  One call a turn of the event loop, so that who chatters
/// shares the loop fairly.
template <typename Owner, typename Read>
void keep_reading(boost::asio::posix::stream_descriptor& socket, std::shared_ptr<Owner> owner,
                  Read read)
{
    socket.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [&socket, owner = std::move(owner),
                       read = std::move(read)](const boost::system::error_code& error) mutable {
                          if (!error && socket.is_open() && read() && socket.is_open())
                              keep_reading(socket, std::move(owner), std::move(read));
                      });
}

} // namespace usher
