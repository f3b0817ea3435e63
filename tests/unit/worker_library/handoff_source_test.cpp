// SPDX-License-Identifier: MIT
#include "worker/src/handoff_source.hpp"

#include "common/sys/socket/channel_pair.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <system_error>
#include <vector>

namespace usher::handoff_source_test {

using namespace usher::test;
using namespace usher::worker;

namespace {

struct Fixture : NoFdLeak {
    sys::ChannelPair channel = sys::make_channel_pair();
    HandoffSource source;
    IncomingConnection connection;
    std::vector<sys::UniqueFd> clients;

    std::error_code take() { return source.take(channel.child.get(), connection); }

    /// Sends a packet that speaks of `records` connections and carries `fds`.
    void send(std::uint16_t records, std::size_t fds)
    {
        std::vector<std::byte> packet(wire::handoff_header_size +
                                      records * wire::handoff_record_size);
        const std::span out{packet};
        wire::encode_header(out.first<wire::handoff_header_size>(), records);
        for (std::size_t i = 0; i < records; ++i)
            wire::encode_record(
                out.subspan(wire::handoff_header_size + i * wire::handoff_record_size)
                    .first<wire::handoff_record_size>(),
                {.id = i + 1});
        send_raw(packet, fds);
    }

    void send_raw(std::span<const std::byte> packet, std::size_t fds)
    {
        std::vector<sys::UniqueFd> servers;
        std::vector<int> numbers;
        for (std::size_t i = 0; i < fds; ++i) {
            auto pair = make_connection();
            clients.push_back(std::move(pair.client));
            numbers.push_back(pair.server.get());
            servers.push_back(std::move(pair.server));
        }
        REQUIRE_FALSE(sys::send_with_fds(channel.parent.get(), packet, numbers));
    }

    bool see_clients_the_end() const
    {
        for (const auto& client : clients)
            if (!is_readable(client.get()) || !sees_end(client.get()))
                return false;
        return true;
    }
};

} // namespace

TEST_SUITE_BEGIN("handoff_source");

TEST_CASE_FIXTURE(Fixture, "the connections of a packet come one after the other")
{
    send(2, 2);
    REQUIRE_FALSE(take());
    CHECK(connection.record.id == 1);
    write_text(clients[0].get(), "first");
    CHECK(read_text(connection.fd.get()) == "first");
    CHECK(source.has_buffered());

    REQUIRE_FALSE(take());
    CHECK(connection.record.id == 2);
    write_text(clients[1].get(), "second");
    CHECK(read_text(connection.fd.get()) == "second");
    CHECK_FALSE(source.has_buffered());

    CHECK(take() == std::errc::operation_would_block);
}

TEST_CASE_FIXTURE(Fixture, "a full packet comes whole")
{
    send(wire::max_handoff_records, wire::max_handoff_records);
    for (std::uint64_t id = 1; id <= wire::max_handoff_records; ++id) {
        REQUIRE_FALSE(take());
        CHECK(connection.record.id == id);
    }
    CHECK(take() == std::errc::operation_would_block);
}

TEST_CASE_FIXTURE(Fixture, "a master that is gone reads as closed")
{
    channel.parent.reset();
    CHECK(take() == sys::MessageError::peer_closed);
}

TEST_CASE_FIXTURE(Fixture, "what is buffered can be dropped and closes")
{
    send(3, 3);
    REQUIRE_FALSE(take());
    source.drop_buffered();
    CHECK_FALSE(source.has_buffered());
    CHECK(sees_end(clients[1].get()));
    CHECK(sees_end(clients[2].get()));
    CHECK_FALSE(is_readable(clients[0].get()));
}

TEST_CASE_FIXTURE(
    Fixture, "a packet that is none is an error, closes what came with it, and is the only one")
{
    SUBCASE("garbage")
    {
        send_raw(bytes("garbage"), 2);
    }
    SUBCASE("fewer descriptors than records")
    {
        send(3, 2);
    }
    SUBCASE("more descriptors than records")
    {
        send(1, 2);
    }
    SUBCASE("longer than the longest packet")
    {
        send_raw(std::vector<std::byte>(wire::max_handoff_packet + 1), 1);
    }
    CHECK(take());
    CHECK_FALSE(source.has_buffered());
    CHECK(see_clients_the_end());

    clients.clear();
    send(1, 1);
    CHECK_FALSE(take());
}

TEST_CASE_FIXTURE(Fixture, "without room for a packet's descriptors it stays where it is")
{
    send(3, 3);
    {
        const ScopedFdLimit limit{2};
        HandoffSource limited; // asks for the limit once
        CHECK(limited.take(channel.child.get(), connection) == std::errc::too_many_files_open);
    }
    for (std::uint64_t id = 1; id <= 3; ++id) {
        REQUIRE_FALSE(take());
        CHECK(connection.record.id == id);
    }
}

TEST_SUITE_END();

} // namespace usher::handoff_source_test
