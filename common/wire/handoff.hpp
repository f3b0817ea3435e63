// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// The hand-off packet: what travels from the master to a worker with the descriptors.
///
///     offset size
///        0     2   version      1
///        2     2   count        records in this packet, 1..64; as many descriptors ride along
///        4     2   record size  80 in version 1; a reader skips what it does not know
///        6     2   reserved     0
///        8    ...  `count` records, the n-th for the n-th descriptor
///
/// A record, all numbers little-endian:
///
///        0     8   id           of the connection, unique while the master lives
///        8     8   accepted at  CLOCK_MONOTONIC, nanoseconds
///       16     2   listener     index in the pool's list of listeners
///       18     2   flags        bits 0-1: how often it was reclaimed from a dead worker
///                               bit 2: the master's own, a readiness probe; its id is 0
///       20     4   reserved     0
///       24    28   peer         an address, below
///       52    28   local        an address; family 0: ask getsockname(2)
///
/// An address:
///
///        0     2   family       0 unknown, 1 Unix (no address follows), 4 IPv4, 6 IPv6
///        2     2   port
///        4     4   scope id     IPv6 only
///        8    16   address      network order; IPv4 in the first 4 bytes
///       24     4   reserved     0
namespace usher::wire {

inline constexpr std::uint16_t handoff_version = 1;
inline constexpr std::size_t handoff_header_size = 8;
inline constexpr std::size_t handoff_record_size = 80;
inline constexpr std::size_t max_handoff_records = 64;
inline constexpr std::size_t max_handoff_packet =
    handoff_header_size + max_handoff_records * handoff_record_size;

enum class AddressFamily : std::uint16_t { unknown = 0, unix_domain = 1, ipv4 = 4, ipv6 = 6 };

struct Address {
    AddressFamily family = AddressFamily::unknown;
    std::uint16_t port = 0;
    std::uint32_t scope_id = 0;
    std::array<std::uint8_t, 16> bytes{};

    friend bool operator==(const Address&, const Address&) = default;
};

struct HandoffRecord {
    std::uint64_t id = 0;
    std::uint64_t accepted_at = 0;
    std::uint16_t listener = 0;
    std::uint16_t flags = 0;
    Address peer;
    Address local;

    /// How often the connection was taken back from a dead worker, 0..3.
    [[nodiscard]] unsigned reclaims() const noexcept { return flags & 3U; }
    void set_reclaims(unsigned count) noexcept
    {
        flags = static_cast<std::uint16_t>((flags & ~3U) | (count & 3U));
    }

    /// True if no client is behind it, but the master, which wants to know whether the worker
    /// answers.
    [[nodiscard]] bool is_probe() const noexcept { return (flags & probe_flag) != 0; }
    void set_probe() noexcept { flags |= probe_flag; }

    friend bool operator==(const HandoffRecord&, const HandoffRecord&) = default;

private:
    static constexpr std::uint16_t probe_flag = 4;
};

/// What the first bytes of a packet say.
struct HandoffHeader {
    std::uint16_t count = 0;
    std::uint16_t record_size = 0;
};

/// Writes the header of a packet of `count` records.
void encode_header(std::span<std::byte, handoff_header_size> out, std::uint16_t count) noexcept;

void encode_record(std::span<std::byte, handoff_record_size> out,
                   const HandoffRecord& record) noexcept;

[[nodiscard]] HandoffRecord
decode_record(std::span<const std::byte, handoff_record_size> in) noexcept;

/// Reads the header at the start of `packet`; nothing if it is not one of ours: too short,
/// another version, no or too many records, a record shorter than version 1's.
[[nodiscard]] std::optional<HandoffHeader>
decode_header(std::span<const std::byte> packet) noexcept;

/// A whole packet, checked: `count` records really are there.
struct HandoffPacket {
    /// Nothing if `bytes` are not exactly one well-formed packet.  `bytes` must outlive it.
    [[nodiscard]] static std::optional<HandoffPacket>
    parse(std::span<const std::byte> bytes) noexcept;

    [[nodiscard]] std::size_t count() const noexcept { return header.count; }

    /// The record of the `index`-th descriptor, `index` < count().
    [[nodiscard]] HandoffRecord record(std::size_t index) const noexcept;

    HandoffHeader header;
    std::span<const std::byte> records;
};

} // namespace usher::wire
