// SPDX-License-Identifier: MIT
#include "tests/support/fake_worker.hpp"

#include <span>
#include <stdexcept>
#include <utility>

namespace usher::test {

std::error_code FakeWorker::receive()
{
    if (const auto error = sys::recv_with_fds(channel.worker_ends().front(), buffer_, message_))
        return error;
    if (message_.size == 0)
        return std::make_error_code(std::errc::not_connected);

    const auto packet = wire::HandoffPacket::parse(std::span{buffer_}.first(message_.size));
    if (!packet || packet->count() != message_.fds.size())
        throw std::runtime_error{"no hand-off packet"};
    for (std::size_t i = 0; i < packet->count(); ++i)
        taken.push_back({.fd = std::move(message_.fds[i]), .record = packet->record(i)});
    message_.fds.clear();
    return {};
}

std::vector<std::uint64_t> FakeWorker::take_all()
{
    const auto before = taken.size();
    while (!receive()) {
    }
    page().accepted.fetch_add(taken.size() - before);

    std::vector<std::uint64_t> ids;
    for (auto i = before; i < taken.size(); ++i)
        ids.push_back(taken[i].record.id);
    return ids;
}

std::error_code hand_off(HandoffChannel& channel, int fd, const wire::HandoffRecord& record)
{
    OutgoingPacket packet;
    packet.append(fd, record);
    return channel.send(packet);
}

} // namespace usher::test
