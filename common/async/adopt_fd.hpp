// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <boost/system/error_code.hpp>

#include <system_error>
#include <tuple>
#include <utility>

namespace usher {

/// Makes an Asio socket, acceptor or descriptor that owns `fd`; a socket is told its protocol last.
///
///     socket_{adopt_fd<asio::posix::stream_descriptor>(executor, std::move(fd))}
///
/// Throws std::system_error when Asio cannot watch it: no memory, or fs.epoll.max_user_watches is
/// reached, which all processes of a user share (epoll_ctl(2)); `fd` is closed then.  The object's
/// own constructor takes a bare number, which nobody closes when it throws.
template <typename Object, typename Where, typename... Protocol>
[[nodiscard]] Object adopt_fd(Where&& where, sys::UniqueFd fd, const Protocol&... protocol)
{
    Object object{std::forward<Where>(where)};
    boost::system::error_code error;
    object.assign(protocol..., fd.get(), error);
    if (error)
        throw std::system_error{error, "epoll_ctl"};
    std::ignore = fd.release();
    return object;
}

} // namespace usher
