// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/inbox_socket.hpp"

#include "balancer/dialect/notify/inbox_folder.hpp"
#include "common/sys/socket/bound_socket.hpp"

#include <cstddef>
#include <stdexcept>
#include <system_error>

#include <sys/socket.h>
#include <sys/un.h>

namespace usher {

namespace {

/// Never destroyed: a helper thread may be stuck in it.
InboxFolder& folder()
{
    static auto& one = *new InboxFolder;
    return one;
}

sys::UniqueFd make_abstract_socket(std::string& address)
{
    // Nothing but the family: the kernel chooses a name that nobody has.
    const sockaddr_un unnamed{.sun_family = AF_UNIX, .sun_path = {}};
    sys::SocketAddress name{reinterpret_cast<const sockaddr*>(&unnamed), sizeof unnamed.sun_family};
    sys::UniqueFd fd;
    auto error = sys::open_bound_socket(name, {.type = SOCK_DGRAM}, fd);
    if (!error)
        error = sys::read_bound_address(fd.get(), name);
    if (error)
        throw std::system_error{error, "a socket for NOTIFY_SOCKET"};
    address.assign(reinterpret_cast<const sockaddr_un*>(name.data())->sun_path,
                   name.size() - offsetof(sockaddr_un, sun_path));
    address.front() = '@'; // for the zero byte that such names begin with
    return fd;
}

} // namespace

InboxSocket open_inbox(uid_t user)
{
    InboxSocket result;
    try {
        result.fd = folder().make_socket(user, result.file);
        result.address = result.file.path();
    } catch (const std::runtime_error& error) {
        result.file = {};
        result.trouble = error.what();
        result.fd = make_abstract_socket(result.address);
    }
    return result;
}

void remove_inbox_folder() noexcept
{
    folder().remove();
}

} // namespace usher
