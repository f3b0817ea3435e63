// SPDX-License-Identifier: MIT
#include "balancer/config/json/message_text.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/json_text.hpp"
#include "balancer/config/units/limits.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace usher {

namespace {

constexpr std::string_view what = "the message";

bool is_space(char c) noexcept
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// Follows the parser through a message and looks for what parse_json() would refuse, at a fraction
/// of its cost: the master reads messages while connections wait for it.
class Checker final : public nlohmann::json_sax<nlohmann::json> {
public:
    /// The message is an object with a command that Node takes for one of its own.
    [[nodiscard]] bool is_of_node() const noexcept { return is_of_node_; }

    bool null() override { return true; }
    bool boolean(bool /*value*/) override { return true; }
    bool number_integer(number_integer_t /*value*/) override { return true; }
    bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
    bool number_float(number_float_t value, const string_t& /*text*/) override
    {
        return std::isfinite(value);
    }

    bool string(string_t& value) override
    {
        is_of_node_ = is_of_node_ || (in_command_ && value.starts_with("NODE_"));
        return true;
    }

    bool binary(binary_t& /*value*/) override { return false; } // JSON has none

    bool start_object(std::size_t /*size*/) override { return begin(); }
    bool start_array(std::size_t /*size*/) override { return begin(); }

    bool key(string_t& value) override
    {
        in_command_ = begins_.size() == 1 && value == "cmd";
        keys_.push_back(std::move(value));
        return true;
    }

    bool end_object() override
    {
        const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(begins_.back());
        std::sort(first, keys_.end());
        const bool twice = std::adjacent_find(first, keys_.end()) != keys_.end();
        keys_.erase(first, keys_.end());
        begins_.pop_back();
        return !twice;
    }

    bool end_array() override
    {
        begins_.pop_back();
        return true;
    }

    bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*error*/) override
    {
        return false;
    }

private:
    bool begin()
    {
        in_command_ = false;
        begins_.push_back(keys_.size());
        return begins_.size() <= deepest_nesting;
    }

    std::vector<std::string> keys_;   ///< of the objects that are open
    std::vector<std::size_t> begins_; ///< of the keys of each object and array that is open
    bool in_command_ = false;
    bool is_of_node_ = false;
};

} // namespace

std::string message_text(std::string_view json)
{
    if (json.size() > longest_message)
        throw ConfigError{what, "",
                          fmt::format("is longer than {} MiB", longest_message / (1024UL * 1024))};
    Checker checker;
    if (json.find('\0') != std::string_view::npos || !nlohmann::json::sax_parse(json, &checker))
        std::ignore = parse_json(json, what); // knows how to say why not
    if (checker.is_of_node())
        throw ConfigError{what, "/cmd", "begins with NODE_, which is for Node's own messages"};

    std::string result;
    result.reserve(json.size());
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (!in_string && is_space(json[i]))
            continue;
        result += json[i];
        if (json[i] == '"')
            in_string = !in_string;
        else if (json[i] == '\\') // only in strings; what it escapes may be a quote
            result += json[++i];
    }
    return result;
}

} // namespace usher
