// SPDX-License-Identifier: MIT
#include "balancer/config/json/json_text.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace usher {

namespace {

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

/// Whether a text may have comments as in JavaScript.
enum class Comments { refused, ignored };

/// What stands before a place in a text that the library has read until there.
struct Before {
    char last = '\0';                             ///< no blank, and in no comment
    std::size_t last_at = 0;                      ///< where that is
    std::size_t comment = std::string_view::npos; ///< the start of one that has no end
};

Before look_before(std::string_view text, std::size_t end)
{
    Before before;
    std::size_t at = 0;
    const auto pass_comment = [&](std::string_view closing) {
        const auto close = text.find(closing, at + 2);
        if (close == std::string_view::npos)
            before.comment = at;
        at = close == std::string_view::npos ? end : close + closing.size();
    };
    while (at < end) {
        const auto rest = text.substr(at);
        if (rest.starts_with("//")) {
            pass_comment("\n");
        } else if (rest.starts_with("/*")) {
            pass_comment("*/");
        } else {
            const char c = text[at];
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
                before.last = c;
                before.last_at = at;
            }
            ++at;
            for (; c == '"' && at < end && text[at] != '"'; ++at)
                if (text[at] == '\\')
                    ++at;
            at += c == '"' ? 1 : 0;
        }
    }
    return before;
}

/// The characters of a text, which counts those that were read.
struct Counted {
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    const char* at;
    std::size_t* count;

    reference operator*() const noexcept { return *at; }
    Counted& operator++() noexcept
    {
        ++at;
        ++*count;
        return *this;
    }
    friend bool operator==(const Counted& a, const Counted& b) noexcept { return a.at == b.at; }
    friend bool operator!=(const Counted& a, const Counted& b) noexcept { return a.at != b.at; }
};

constexpr auto json_format = nlohmann::detail::input_format_t::json;
constexpr bool whole_text = true;

/// Follows the parser through a text and refuses what the parser would let pass, at little cost:
/// the master reads messages while connections wait for it.
class Checker final : public nlohmann::json_sax<nlohmann::json> {
public:
    Checker(std::string_view text, std::string_view file, Comments comments)
        : text_{text}, file_{file}, comments_{comments}
    {
    }

    /// Throws ConfigError.
    void check()
    {
        // The library takes a zero byte for the end and would pass over what follows.
        if (const std::size_t at = text_.find('\0'); at != std::string_view::npos)
            throw ConfigError{file_, "",
                              line_and_column(text_, at) + ": is a zero byte, not JSON; remove it"};
        nlohmann::json::sax_parse(text_, this, json_format, whole_text,
                                  comments_ == Comments::ignored);
    }

    /// How much of the text stands before the end of the string at `pointer`; nothing if there is
    /// none.
    [[nodiscard]] std::optional<std::size_t> find_string(std::string_view pointer)
    {
        std::size_t read = 0;
        wanted_ = pointer;
        read_ = &read;
        const auto* const end = text_.data() + text_.size();
        nlohmann::json::sax_parse(Counted{text_.data(), &read}, Counted{end, &read}, this,
                                  json_format, whole_text, comments_ == Comments::ignored);
        return found_;
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
        if (read_ != nullptr && !found_ && pointer() == wanted_)
            found_ = *read_;
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
                     const nlohmann::json::exception& error) override
    {
        const auto* const syntax = dynamic_cast<const nlohmann::json::parse_error*>(&error);
        if (syntax == nullptr)
            throw ConfigError{file_, pointer(), "is a number too large to read; use a smaller one"};
        // The library counts the byte it stopped at as read.
        const std::size_t at = std::min(std::max<std::size_t>(syntax->byte, 1) - 1, text_.size());
        refuse_syntax(at, shorten(error.what()));
    }

private:
    struct Container {
        bool is_array;
        std::size_t first_key; ///< of its own in `keys_`
        std::size_t index = 0; ///< of the element the parser is at
    };

    [[noreturn]] void fail(std::size_t at, std::string_view problem) const
    {
        throw ConfigError{file_, "", fmt::format("{}: {}", line_and_column(text_, at), problem)};
    }

    /// Says what is wrong at the place where the library has stopped, or before it.
    [[noreturn]] void refuse_syntax(std::size_t at, const std::string& reason) const
    {
        const std::string_view rest = text_.substr(at);
        if (comments_ == Comments::refused && (rest.starts_with("//") || rest.starts_with("/*")))
            fail(at, "is a comment, but JSON has no comments; remove it");
        const auto before = look_before(text_, at);
        if (comments_ == Comments::ignored && before.comment != std::string_view::npos)
            fail(before.comment, "is a comment without an end; add */ behind it");
        if (before.last == ',' && (rest.starts_with('}') || rest.starts_with(']')))
            fail(before.last_at,
                 fmt::format("is a comma before {}, which is one too many; remove it", rest[0]));
        fail(at, "is not JSON: " + reason);
    }

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
        nlohmann::json::json_pointer pointer;
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
    Comments comments_;
    std::vector<std::string> keys_; ///< of the objects that are open
    std::vector<Container> open_;
    bool is_of_node_ = false;
    std::string_view wanted_;
    const std::size_t* read_ = nullptr; ///< set if a string is wanted
    std::optional<std::size_t> found_;
};

} // namespace

nlohmann::json parse_json(std::string_view text, std::string_view file)
{
    Checker{text, file, Comments::ignored}.check();
    return nlohmann::json::parse(text, nullptr, true, true);
}

std::optional<std::size_t> line_of_string(std::string_view text, std::string_view pointer)
{
    const auto end = Checker{text, {}, Comments::ignored}.find_string(pointer);
    if (!end)
        return std::nullopt;
    return static_cast<std::size_t>(std::ranges::count(text.substr(0, *end), '\n')) + 1;
}

std::string message_text(std::string_view text)
{
    constexpr std::string_view what = "the message";
    if (text.size() > longest_message)
        throw ConfigError{what, "",
                          fmt::format("is longer than {} MiB", longest_message / (1024UL * 1024))};
    Checker checker{text, what, Comments::refused};
    checker.check();
    if (checker.is_of_node())
        throw ConfigError{what, "/cmd", "begins with NODE_, which is for Node's own messages"};

    std::string result{text};
    std::ranges::replace_if(
        result, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return result;
}

} // namespace usher
