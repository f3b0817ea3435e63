// SPDX-License-Identifier: MIT
#include "balancer/store/store_record.hpp"

#include "balancer/store/json_members.hpp"

#include <fmt/core.h>

#include <boost/crc.hpp>

#include <charconv>
#include <memory>
#include <optional>
#include <system_error>

namespace usher {

namespace {

constexpr std::size_t number_digits = 8;

/// In milliseconds, the year 2255: a clock in nanoseconds has no later times.
constexpr std::int64_t latest_expiry = 9'000'000'000'000;

std::uint32_t checksum(std::string_view text)
{
    boost::crc_32_type crc;
    crc.process_bytes(text.data(), text.size());
    return crc.checksum();
}

template <typename Number>
bool read_number(std::string_view text, Number& number, int base = 10)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc{} && end == text.data() + text.size();
}

std::int64_t milliseconds_of(std::chrono::system_clock::time_point time)
{
    return std::chrono::ceil<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::optional<Store::Change> decode_change(std::string_view json, const ClockPair& clocks)
{
    if (!is_json_object(json))
        return std::nullopt;
    Store::Change change;
    Store::Entry entry;
    bool is_good = true;
    JsonMembers members{json};
    while (members.next()) {
        const auto name = members.name();
        const auto value = members.value();
        if (name == "set" || name == "erase") {
            const auto key = json_text(value);
            is_good = is_good && key.has_value();
            change.key = key.value_or("");
        } else if (name == "revision") {
            is_good = is_good && read_number(value, change.revision);
        } else if (name == "owner") {
            const auto owner = json_text(value);
            is_good = is_good && owner.has_value();
            entry.owner = owner.value_or("");
        } else if (name == "expires") {
            std::int64_t expires = 0;
            if (!read_number(value, expires) || expires < 0 || expires > latest_expiry)
                return std::nullopt;
            entry.expires =
                clocks.steady + std::chrono::milliseconds{expires - milliseconds_of(clocks.wall)};
        } else if (name == "value") {
            entry.value = std::make_shared<const std::string>(value);
        }
    }
    if (!is_good || change.revision == 0 || (change.key.empty() && entry.value))
        return std::nullopt;
    entry.revision = change.revision;
    if (entry.value)
        change.entry = std::move(entry);
    return change;
}

/// `CHECKSUM LENGTH `, both hexadecimal, of what follows before the line feed.
struct RecordHead {
    std::uint32_t checksum = 0;
    std::uint32_t length = 0;

    static constexpr std::size_t size = 2 * (number_digits + 1);
};

bool read_head(std::string_view text, RecordHead& head)
{
    return text.size() >= RecordHead::size && text[number_digits] == ' ' &&
           text[RecordHead::size - 1] == ' ' &&
           read_number(text.substr(0, number_digits), head.checksum, 16) &&
           read_number(text.substr(number_digits + 1, number_digits), head.length, 16);
}

/// A line without its line feed.
std::optional<Store::Change> decode_record(std::string_view line, const ClockPair& clocks)
{
    RecordHead head;
    if (!read_head(line, head))
        return std::nullopt;
    const auto json = line.substr(RecordHead::size);
    if (json.size() != head.length || checksum(json) != head.checksum)
        return std::nullopt;
    return decode_change(json, clocks);
}

/// Whether anything is behind the record with which `text` begins and that is damaged, as far as
/// its line feed or its length tell.
bool has_more(std::string_view text, std::size_t line_feed)
{
    RecordHead head;
    return line_feed + 1 < text.size() ||
           (read_head(text, head) && RecordHead::size + head.length + 1 < text.size());
}

} // namespace

std::string encode_record(const Store::Change& change, const ClockPair& clocks)
{
    std::string json;
    if (change.key.empty()) {
        json = fmt::format("{{\"revision\":{}}}", change.revision);
    } else if (!change.entry) {
        json = fmt::format("{{\"erase\":{},\"revision\":{}}}", json_quote(change.key),
                           change.revision);
    } else {
        const auto& entry = *change.entry;
        std::string expires;
        if (entry.expires)
            expires = fmt::format(
                ",\"expires\":{}",
                milliseconds_of(clocks.wall +
                                std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                    *entry.expires - clocks.steady)));
        json = fmt::format("{{\"set\":{},\"revision\":{},\"owner\":{}{},\"value\":{}}}",
                           json_quote(change.key), entry.revision, json_quote(entry.owner), expires,
                           *entry.value);
    }
    return fmt::format("{:08x} {:08x} {}\n", checksum(json), json.size(), json);
}

StoreRecords decode_records(std::string_view file, const ClockPair& clocks)
{
    StoreRecords records;
    if (store_file_header.starts_with(file) && file.size() < store_file_header.size())
        return records; // new, or not written to the end of its first line
    if (!file.starts_with(store_file_header)) {
        records.problem = "is not a store that usher has written";
        return records;
    }
    std::size_t at = store_file_header.size();
    for (;;) {
        records.good_size = at;
        const auto end = file.find('\n', at);
        if (end == std::string_view::npos)
            return records;
        auto change = decode_record(file.substr(at, end - at), clocks);
        if (!change) {
            if (has_more(file.substr(at), end - at))
                records.problem = fmt::format("is damaged at byte {}, and more follows", at);
            return records;
        }
        records.changes.push_back(*std::move(change));
        at = end + 1;
    }
}

} // namespace usher
