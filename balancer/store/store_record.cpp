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

/// `batch CHECKSUM LENGTH`, both numbers hexadecimal, and a line feed.  In a record, which begins
/// with a brace and ends with one before its line feed, nothing looks like that.
constexpr std::string_view batch_word = "batch ";
constexpr std::size_t head_size = batch_word.size() + 2 * (number_digits + 1);

std::uint32_t checksum(std::string_view records, std::uint64_t at)
{
    const auto place = fmt::format("{:x} {:x} ", at, records.size());
    boost::crc_32_type crc;
    crc.process_bytes(place.data(), place.size());
    crc.process_bytes(records.data(), records.size());
    return crc.checksum();
}

struct Head {
    std::uint32_t sum = 0;
    std::uint32_t length = 0; ///< of the records
};

std::optional<Head> read_head(std::string_view text)
{
    constexpr auto length_at = batch_word.size() + number_digits + 1;
    Head head;
    if (text.size() < head_size || !text.starts_with(batch_word) || text[length_at - 1] != ' ' ||
        text[head_size - 1] != '\n' ||
        !read_number(text.substr(batch_word.size(), number_digits), head.sum, 16) ||
        !read_number(text.substr(length_at, number_digits), head.length, 16))
        return std::nullopt;
    return head;
}

/// The records of the batch that begins at byte `at`; nothing if there is none, or not all of it.
std::optional<std::string_view> find_batch(std::string_view file, std::size_t at)
{
    const auto head = read_head(file.substr(at));
    if (!head || file.size() - at - head_size < head->length)
        return std::nullopt;
    const auto records = file.substr(at + head_size, head->length);
    if (checksum(records, at) != head->sum)
        return std::nullopt;
    return records;
}

/// Where the next whole batch begins, from byte `at` on; npos if there is none.
std::size_t find_next_batch(std::string_view file, std::size_t at)
{
    do
        at = file.find(batch_word, at);
    while (at != std::string_view::npos && !find_batch(file, at++));
    return at == std::string_view::npos ? at : at - 1;
}

/// True if a crash in the last write may have left `tail`, which is no whole batch: what has not
/// come to the disk is missing at the end, or is zeros, which no record has.  What has been changed
/// otherwise, or moved, is no end of a write; neither is what has the head of another one in it.
bool may_be_torn(std::string_view tail)
{
    constexpr std::string_view begin_of_line = "\nbatch ";
    for (auto at = tail.find(begin_of_line); at != std::string_view::npos;
         at = tail.find(begin_of_line, at + 1))
        if (read_head(tail.substr(at + 1)))
            return false;
    const auto head = read_head(tail);
    return tail.size() < head_size || tail.find('\0') != std::string_view::npos ||
           (head && tail.size() - head_size < head->length);
}

/// False if one of them is no change.
bool decode_records(std::string_view records, const ClockPair& clocks,
                    const std::function<void(const Store::Change&)>& enter)
{
    while (!records.empty()) {
        const auto end = records.find('\n');
        if (end == std::string_view::npos)
            return false;
        const auto change = decode_change(records.substr(0, end), clocks);
        if (!change)
            return false;
        enter(*change);
        records.remove_prefix(end + 1);
    }
    return true;
}

} // namespace

std::string encode_record(const Store::Change& change, const ClockPair& clocks)
{
    if (change.key.empty())
        return fmt::format("{{\"revision\":{}}}\n", change.revision);
    if (!change.entry)
        return fmt::format("{{\"erase\":{},\"revision\":{}}}\n", json_quote(change.key),
                           change.revision);
    const auto& entry = *change.entry;
    std::string expires;
    if (entry.expires)
        expires = fmt::format(
            ",\"expires\":{}",
            milliseconds_of(clocks.wall +
                            std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                *entry.expires - clocks.steady)));
    return fmt::format("{{\"set\":{},\"revision\":{},\"owner\":{}{},\"value\":{}}}\n",
                       json_quote(change.key), entry.revision, json_quote(entry.owner), expires,
                       *entry.value);
}

std::string encode_batch(std::string_view records, std::uint64_t at)
{
    return fmt::format("{}{:08x} {:08x}\n{}", batch_word, checksum(records, at), records.size(),
                       records);
}

StoreVerdict decode_file(std::string_view file, const ClockPair& clocks,
                         const std::function<void(const Store::Change&)>& enter)
{
    StoreVerdict verdict;
    if (file.empty())
        return verdict; // new
    if (!file.starts_with(store_file_header)) {
        verdict.problem = "is not a store that this usher has written";
        return verdict;
    }
    for (std::size_t at = store_file_header.size();;) {
        verdict.good_size = at;
        if (at == file.size())
            return verdict;
        const auto records = find_batch(file, at);
        if (!records) {
            if (const auto next = find_next_batch(file, at + 1); next != std::string_view::npos)
                verdict.problem = fmt::format("is damaged at byte {}, and is whole again from byte "
                                              "{} on",
                                              at, next);
            else if (file.size() - at > largest_store_batch)
                verdict.problem = fmt::format("is damaged at byte {}, with more behind it than one "
                                              "write has",
                                              at);
            else if (!may_be_torn(file.substr(at)))
                verdict.problem = fmt::format(
                    "is damaged at byte {}: not what was written, nor a part of it", at);
            return verdict;
        }
        if (!decode_records(*records, clocks, enter)) {
            verdict.problem = fmt::format("says at byte {} what is no change", at);
            return verdict;
        }
        at += head_size + records->size();
    }
}

} // namespace usher
