// SPDX-License-Identifier: MIT
#include "balancer/config/json/json_text.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace usher {

namespace {

using nlohmann::json;

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

/// Follows the parser through a text and refuses what the parser would let pass, at little cost:
/// the master reads messages while connections wait for it.
class Checker final : public nlohmann::json_sax<json> {
public:
    Checker(std::string_view text, std::string_view file) : text_{text}, file_{file} {}

    /// Throws ConfigError.
    void check()
    {
        // The library takes a zero byte for the end and would pass over what follows.
        if (const std::size_t at = text_.find('\0'); at != std::string_view::npos)
            throw ConfigError{file_, "",
                              line_and_column(text_, at) + ": is a zero byte, not JSON; remove it"};
        json::sax_parse(text_, this);
    }

    /// The text is an object with a command that Node takes for one of its own.
    [[nodiscard]] bool is_of_node() const noexcept { return is_of_node_; }

    bool null() override { return pass(); }
    bool boolean(bool /*value*/) override { return pass(); }
    bool number_integer(number_integer_t /*value*/) override { return pass(); }
    bool number_unsigned(number_unsigned_t /*value*/) override { return pass(); }
    bool number_float(number_float_t /*value*/, const string_t& /*text*/) override
    {
        return pass();
    }
    bool string(string_t& value) override
    {
        is_of_node_ |= open_.size() == 1 && !open_.back().is_array && keys_.back() == "cmd" &&
                       value.starts_with("NODE_");
        return pass();
    }
    bool binary(binary_t& /*value*/) override { return false; } // JSON has none
    bool start_object(std::size_t /*size*/) override { return begin(false); }
    bool start_array(std::size_t /*size*/) override { return begin(true); }

    bool key(string_t& value) override
    {
        keys_.push_back(std::move(value));
        return true;
    }

    bool end_object() override
    {
        const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(open_.back().first_key);
        std::sort(first, keys_.end());
        const auto twice = std::adjacent_find(first, keys_.end());
        if (twice != keys_.end()) {
            std::swap(*twice, keys_.back()); // where pointer() looks
            throw ConfigError{file_, pointer(), "appears twice; remove one"};
        }
        keys_.erase(first, keys_.end());
        open_.pop_back();
        return pass();
    }

    bool end_array() override
    {
        open_.pop_back();
        return pass();
    }

    bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                     const json::exception& error) override
    {
        const auto* const syntax = dynamic_cast<const json::parse_error*>(&error);
        if (syntax == nullptr)
            throw ConfigError{file_, pointer(), "is a number too large to read; use a smaller one"};
        // The library counts the byte it stopped at as read.
        const std::size_t at = std::min(std::max<std::size_t>(syntax->byte, 1) - 1, text_.size());
        const std::string_view rest = text_.substr(at);
        const auto problem = rest.starts_with("//") || rest.starts_with("/*")
                                 ? "is a comment, but JSON has no comments; remove it"
                                 : "is not JSON: " + shorten(error.what());
        throw ConfigError{file_, "", fmt::format("{}: {}", line_and_column(text_, at), problem)};
    }

private:
    struct Container {
        bool is_array;
        std::size_t first_key; ///< of its own in `keys_`
        std::size_t index = 0; ///< of the element the parser is at
    };

    bool begin(bool is_array)
    {
        if (open_.size() == deepest_nesting)
            throw ConfigError{
                file_, "",
                fmt::format("is nested deeper than {} levels; make it flatter", deepest_nesting)};
        open_.push_back({.is_array = is_array, .first_key = keys_.size()});
        return true;
    }

    /// The parser has read a value.
    bool pass()
    {
        if (!open_.empty())
            ++open_.back().index;
        return true;
    }

    /// Where the parser is.
    [[nodiscard]] std::string pointer() const
    {
        json::json_pointer pointer;
        for (std::size_t i = 0; i < open_.size(); ++i) {
            const auto end = i + 1 < open_.size() ? open_[i + 1].first_key : keys_.size();
            if (open_[i].is_array)
                pointer /= open_[i].index;
            else
                pointer /= keys_[end - 1];
        }
        return pointer.to_string();
    }

    std::string_view text_;
    std::string_view file_;
    std::vector<std::string> keys_; ///< of the objects that are open
    std::vector<Container> open_;
    bool is_of_node_ = false;
};

} // namespace

json parse_json(std::string_view text, std::string_view file)
{
    Checker{text, file}.check();
    return json::parse(text);
}

std::string message_text(std::string_view text)
{
    constexpr std::string_view what = "the message";
    if (text.size() > longest_message)
        throw ConfigError{what, "",
                          fmt::format("is longer than {} MiB", longest_message / (1024UL * 1024))};
    Checker checker{text, what};
    checker.check();
    if (checker.is_of_node())
        throw ConfigError{what, "/cmd", "begins with NODE_, which is for Node's own messages"};

    std::string result{text};
    std::ranges::replace_if(
        result, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return result;
}

} // namespace usher
