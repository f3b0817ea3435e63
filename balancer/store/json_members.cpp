// SPDX-License-Identifier: MIT
#include "balancer/store/json_members.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>

namespace usher {

namespace {

constexpr std::string_view blanks = " \t\r\n";

} // namespace

JsonMembers::JsonMembers(std::string_view object) noexcept : rest_{object}
{
    skip_blanks();
    rest_.remove_prefix(rest_.empty() ? 0 : 1); // {
}

bool JsonMembers::next() noexcept
{
    skip_blanks();
    if (rest_.starts_with(',')) {
        rest_.remove_prefix(1);
        skip_blanks();
    }
    if (!rest_.starts_with('"'))
        return false;
    const auto quoted = take_string();
    name_ = quoted.substr(1, quoted.size() - 2);
    skip_blanks();
    rest_.remove_prefix(rest_.empty() ? 0 : 1); // :
    skip_blanks();
    value_ = take_value();
    return true;
}

void JsonMembers::skip_blanks() noexcept
{
    const auto blank_count = rest_.find_first_not_of(blanks);
    rest_.remove_prefix(blank_count == std::string_view::npos ? rest_.size() : blank_count);
}

std::string_view JsonMembers::take_string() noexcept
{
    const auto is_escaped = [this](std::size_t at) {
        const auto before = rest_.find_last_not_of('\\', at - 1);
        return (at - 1 - before) % 2 != 0;
    };
    auto end = rest_.find('"', 1);
    while (end < rest_.size() && is_escaped(end))
        end = rest_.find('"', end + 1);
    end = std::min(end, rest_.size());
    const auto quoted = rest_.substr(0, end + 1);
    rest_.remove_prefix(quoted.size());
    return quoted;
}

std::string_view JsonMembers::take_value() noexcept
{
    const auto whole = rest_;
    std::size_t depth = 0;
    while (!rest_.empty()) {
        const char c = rest_.front();
        if (depth == 0 && (c == ',' || c == '}' || blanks.find(c) != std::string_view::npos))
            break;
        if (c == '"') {
            static_cast<void>(take_string());
            continue;
        }
        depth += c == '{' || c == '[' ? 1 : 0;
        depth -= c == '}' || c == ']' ? 1 : 0;
        rest_.remove_prefix(1);
    }
    return whole.substr(0, whole.size() - rest_.size());
}

bool is_json(std::string_view text)
{
    // Which takes a zero byte for the end of the text.
    return text.find('\0') == std::string_view::npos && nlohmann::json::accept(text);
}

bool is_json_object(std::string_view text)
{
    const auto start = text.find_first_not_of(blanks);
    return start != std::string_view::npos && text[start] == '{' && is_json(text);
}

bool is_utf8(std::string_view text)
try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
} catch (const nlohmann::json::type_error&) {
    return false;
}

std::optional<std::string> json_text(std::string_view value)
{
    if (!value.starts_with('"'))
        return std::nullopt;
    if (value.find('\\') == std::string_view::npos)
        return std::string{value.substr(1, value.size() - 2)};
    return nlohmann::json::parse(value).get<std::string>();
}

std::string json_quote(std::string_view text)
{
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace usher
