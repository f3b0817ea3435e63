// SPDX-License-Identifier: MIT
#include "balancer/config/json/json_text.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace usher {

namespace {

using nlohmann::json;

/// Follows the parser through the document and refuses what the parser would let pass.
class Tracker {
public:
    explicit Tracker(std::string_view file) : file_{file} {}

    void operator()(json::parse_event_t event, const json& parsed)
    {
        using Event = json::parse_event_t;
        switch (event) {
        case Event::object_start:
            enter({.is_array = false});
            break;
        case Event::array_start:
            enter({.is_array = true});
            break;
        case Event::object_end:
        case Event::array_end:
            open_.pop_back();
            pass_element();
            break;
        case Event::key:
            pass_key(parsed.get_ref<const std::string&>());
            break;
        case Event::value:
            pass_element();
            break;
        }
    }

    /// Where the parser is.
    [[nodiscard]] std::string pointer() const
    {
        json::json_pointer pointer;
        for (const Container& container : open_)
            pointer /= container.is_array ? std::to_string(container.index) : container.key;
        return pointer.to_string();
    }

private:
    struct Container {
        bool is_array;
        std::size_t index = 0;
        std::string key;
        std::set<std::string> keys;
    };

    void enter(Container container)
    {
        if (open_.size() == deepest_nesting)
            throw ConfigError{
                file_, "",
                fmt::format("is nested deeper than {} levels; make it flatter", deepest_nesting)};
        open_.push_back(std::move(container));
    }

    void pass_element()
    {
        if (!open_.empty())
            ++open_.back().index;
    }

    void pass_key(const std::string& key)
    {
        open_.back().key = key;
        if (!open_.back().keys.insert(key).second)
            throw ConfigError{file_, pointer(), "appears twice; remove one"};
    }

    std::string_view file_;
    std::vector<Container> open_;
};

/// What the library says, without the name of its exception, the position, the rule it was in
/// and the text it had read.
std::string shorten(std::string_view message)
{
    const auto skip = [&message](std::string_view mark) {
        const std::size_t found = message.find(mark);
        if (found != std::string_view::npos)
            message.remove_prefix(found + mark.size());
    };
    skip("parse error");
    skip(": ");
    skip(" - ");

    std::string reason{message.substr(0, message.find("; last read: '"))};
    constexpr std::string_view quoted = "'; expected "; // the quote closes what was read
    const std::size_t expected = message.rfind(quoted);
    if (expected != std::string_view::npos && expected >= reason.size())
        reason += message.substr(expected + 1);
    return reason;
}

std::string line_and_column(std::string_view text, std::size_t at)
{
    const std::string_view before = text.substr(0, at);
    const std::size_t line_start = before.rfind('\n') + 1; // npos + 1 is 0
    return fmt::format("line {}, column {}", std::ranges::count(before, '\n') + 1,
                       at - line_start + 1);
}

[[noreturn]] void refuse_syntax(std::string_view text, std::string_view file,
                                const json::parse_error& error)
{
    // The library counts the byte it stopped at as read.
    const std::size_t at = std::min(std::max<std::size_t>(error.byte, 1) - 1, text.size());
    const std::string_view rest = text.substr(at);
    const auto problem = rest.starts_with("//") || rest.starts_with("/*")
                             ? "is a comment, but JSON has no comments; remove it"
                             : "is not JSON: " + shorten(error.what());
    throw ConfigError{file, "", fmt::format("{}: {}", line_and_column(text, at), problem)};
}

} // namespace

json parse_json(std::string_view text, std::string_view file)
{
    // The library takes a zero byte for the end and would pass over what follows.
    if (const std::size_t at = text.find('\0'); at != std::string_view::npos)
        throw ConfigError{file, "",
                          line_and_column(text, at) + ": is a zero byte, not JSON; remove it"};

    Tracker tracker{file};
    try {
        return json::parse(text, [&](int, json::parse_event_t event, const json& parsed) {
            tracker(event, parsed);
            return true; // keep it
        });
    } catch (const json::parse_error& error) {
        refuse_syntax(text, file, error);
    } catch (const json::out_of_range&) {
        throw ConfigError{file, tracker.pointer(),
                          "is a number too large to read; use a smaller one"};
    }
}

} // namespace usher
