// SPDX-License-Identifier: MIT
//
// Whatever the master's end of a bus may send, and in whatever pieces: the scanner takes for JSON
// what is JSON and nothing else, what it finds is what is there, and the copy of the store is what
// a plain map would be.
#include "common/wire/json_depth.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>

extern "C" {
#include "worker/c/bus/bus_line.h"
#include "worker/c/bus/store_copy.h"
}

using namespace usher::fuzz;
using nlohmann::json;

namespace {

uw_text of(std::string_view text)
{
    return {text.data(), text.size()};
}

std::string from(uw_text text)
{
    return text.size > 0 ? std::string{text.at, text.size} : std::string{};
}

/// False where the other parser goes its own ways: a byte order mark, a zero byte, which it takes
/// for the end, numbers that no double holds, and any depth.
bool is_spoken_alike(std::string_view text)
{
    for (std::size_t i = 1; i < text.size(); ++i)
        if ((text[i] == 'e' || text[i] == 'E') && text[i - 1] >= '0' && text[i - 1] <= '9')
            return false;
    return !text.starts_with('\xef') && text.find('\0') == std::string_view::npos &&
           text.size() < 300 && usher::wire::json_depth(text) <= uw_json_depth;
}

void check_scanner(std::string_view text)
{
    const bool is_alike = is_spoken_alike(text);
    if (is_alike)
        require(uw_json_is_value(of(text)) == json::accept(text));

    uw_json_members members{of(text), false};
    uw_json_member member{};
    json object = json::object();
    int result = 0;
    while ((result = uw_json_next_member(&members, &member)) > 0) {
        require(uw_json_is_value(member.value));
        std::string name{member.name.at - 1, member.name.size + 2};
        name.resize(uw_json_unquote(of(name), name.data()));
        if (is_alike)
            object[name] = json::parse(from(member.value));
    }
    if (result == 0 && is_alike)
        require(object == json::parse(text));
}

/// The copy, and what it should be.
struct Model {
    uw_copy copy{};
    std::map<std::string, std::pair<std::string, std::uint64_t>> present;
    std::map<std::string, std::pair<std::string, std::uint64_t>> incoming;
    std::map<std::string, std::uint64_t> gone; ///< while a copy comes

    Model() = default;
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;
    ~Model() { uw_copy_free(&copy); }

    void set(const std::string& key, const uw_line& line)
    {
        const bool told = uw_copy_set(&copy, of(key), line.data, line.revision) > 0;
        auto& map = copy.is_incoming ? incoming : present;
        const auto found = map.find(key);
        bool is_newer = found == map.end() || found->second.second < line.revision;
        if (copy.is_incoming && gone.contains(key))
            is_newer = gone[key] < line.revision;
        is_newer = is_newer && (copy.is_whole || copy.is_incoming);
        require(told == (is_newer && !copy.is_incoming));
        if (is_newer) {
            map[key] = {from(line.data), line.revision};
            gone.erase(key);
        }
    }

    void erase(const std::string& key, std::uint64_t revision)
    {
        const bool told = uw_copy_erase(&copy, of(key), revision) > 0;
        auto& map = copy.is_incoming ? incoming : present;
        const auto found = map.find(key);
        const bool was_there = found != map.end() && found->second.second < revision;
        require(told == (was_there && !copy.is_incoming));
        if (was_there)
            map.erase(found);
        if (copy.is_incoming && !map.contains(key) && revision > gone[key])
            gone[key] = revision;
    }

    /// What is told brings the old one to the new one.
    void end(std::uint64_t revision)
    {
        const bool was_whole = copy.is_whole;
        if (!uw_copy_end(&copy, revision))
            return;
        bool is_gone = false;
        while (const auto* const entry = uw_copy_next_difference(&copy, &is_gone)) {
            const std::string key{uw_key_of(entry), entry->key_size};
            if (is_gone)
                require(present.erase(key) == 1);
            else
                present[key] = {std::string{uw_value_of(entry), entry->value_size},
                                entry->revision};
        }
        if (was_whole)
            for (const auto& [key, value] : incoming)
                require(present.at(key).second == value.second);
        require(!was_whole || present.size() == incoming.size());
        present = std::exchange(incoming, {});
        gone.clear();
    }

    void check() const
    {
        require(copy.present.count == present.size());
        for (const auto& [key, value] : present) {
            const auto* const entry = uw_copy_find(&copy, of(key));
            require(entry != nullptr && entry->revision == value.second &&
                    std::string(uw_value_of(entry), entry->value_size) == value.first);
        }
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    Model model;
    std::string_view rest = text_of(data, size);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        // Of its own memory, so that a byte read behind it shows.
        const auto bytes = std::make_unique<char[]>(end);
        std::copy_n(rest.data(), end, bytes.get());
        const std::string_view text{bytes.get(), end};
        rest.remove_prefix(std::min(end + 1, rest.size()));

        check_scanner(text);
        uw_line line{};
        if (uw_read_line(of(text), &line) <= 0)
            continue;
        std::string key = from(line.key);
        if (!key.empty())
            key.resize(uw_json_unquote(of(key), key.data()));
        if (line.kind == uw_line_snapshot) {
            uw_copy_begin(&model.copy);
            model.incoming.clear();
            model.gone.clear();
        } else if (line.kind == USHER_BUS_SET) {
            model.set(key, line);
        } else if (line.kind == USHER_BUS_ERASED) {
            model.erase(key, line.revision);
        } else if (line.kind == USHER_BUS_SYNCED) {
            model.end(line.revision);
        }
        model.check();
    }
    return 0;
}
