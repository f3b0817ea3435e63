// SPDX-License-Identifier: MIT
#include "tests/support/fake_master.hpp"

#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "common/wire/environment.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/sockets.hpp"

#include <cstdlib>
#include <span>
#include <string>
#include <system_error>
#include <tuple>

#include <sys/stat.h>
#include <unistd.h>

namespace usher::test {

namespace {

namespace env = wire::env;

ino_t inode_of(int fd)
{
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

void set_variable(const char* name, const std::string& value)
{
    ::setenv(name, value.c_str(), 1);
}

} // namespace

FakeMaster::FakeMaster() : board_{Scoreboard::open(channel_->scoreboard().fd())}
{
    auto control = sys::make_channel_pair();
    control_ = std::move(control.parent);

    inherit(env::handoff_fd, duplicate(channel_->worker_ends().front()));
    inherit(env::control_fd, std::move(control.child));
    inherit(env::scoreboard_fd, duplicate(channel_->scoreboard().fd()));
    set_variable(env::protocol, std::to_string(env::protocol_version));
    set_variable(env::worker_id, "7");
    set_variable(env::slot, "2");
    set_variable(env::generation, "3");
    set_variable(env::pool, "api");
}

FakeMaster::~FakeMaster()
{
    for (const char* const name :
         {env::protocol, env::handoff_fd, env::control_fd, env::scoreboard_fd, env::worker_id,
          env::slot, env::generation, env::pool})
        ::unsetenv(name);
    for (const auto& [fd, inode] : inherited_)
        if (inode_of(fd) == inode)
            ::close(fd);
}

void FakeMaster::inherit(const char* name, sys::UniqueFd fd)
{
    inherited_.push_back({.fd = fd.get(), .inode = inode_of(fd.get())});
    set_variable(name, std::to_string(fd.get()));
    std::ignore = fd.release(); // the Acceptor adopts the number
}

void FakeMaster::hand_off(std::vector<std::pair<sys::UniqueFd, wire::HandoffRecord>> connections)
{
    const auto given = std::move(connections); // closed here
    OutgoingPacket packet;
    for (const auto& [fd, record] : given)
        packet.append(fd.get(), record);
    if (const auto error = channel_->send(packet))
        throw std::system_error{error, "send"};
}

std::vector<wire::ControlMessage> FakeMaster::heard() const
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

void FakeMaster::say(std::string_view packet) const
{
    if (const auto error = sys::send_with_fds(control_.get(), bytes(packet), {}))
        throw std::system_error{error, "send"};
}

void FakeMaster::die()
{
    control_.reset();
    channel_.reset();
}

} // namespace usher::test
