// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/relayable.hpp"

#include "balancer/dialect/node/channel/lone_surrogates.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"
#include "balancer/dialect/node/channel/v8_command.hpp"
#include "balancer/dialect/node/channel/v8_reader.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace usher::node {

namespace {

using Json = nlohmann::json;
using namespace std::string_view_literals;

constexpr auto prefix = "NODE_"sv;

/// Follows the parser, builds nothing, and finds the command of the message.
class CommandSearch {
public:
    [[nodiscard]] bool has_found() const noexcept { return found_; }

    bool null() { return true; }
    bool boolean(bool /*value*/) { return true; }
    bool number_integer(std::int64_t /*value*/) { return true; }
    bool number_unsigned(std::uint64_t /*value*/) { return true; }
    bool number_float(double /*value*/, const std::string& /*text*/) { return true; }
    bool binary(const Json::binary_t& /*value*/) { return true; }

    bool string(const std::string& text)
    {
        if (is_command_ && depth_ == 1)
            found_ = text.starts_with(prefix) && text.size() > prefix.size();
        return true;
    }

    bool key(const std::string& key)
    {
        if (depth_ == 1) {
            is_command_ = key == "cmd";
            found_ = found_ && !is_command_; // of several the last one counts
        }
        return true;
    }

    bool start_object(std::size_t /*size*/) { return enter(); }
    bool end_object() { return leave(); }
    bool start_array(std::size_t /*size*/) { return enter(); }
    bool end_array() { return leave(); }

    bool parse_error(const auto&... /*where, what*/) { return false; }

private:
    bool enter() noexcept
    {
        ++depth_;
        return true;
    }

    bool leave() noexcept
    {
        --depth_;
        return true;
    }

    std::size_t depth_ = 0;
    bool is_command_ = false; ///< the last key of the message itself
    bool found_ = false;
};

bool is_relayable_json(std::string_view text)
{
    const auto contains = [&](std::string_view part) {
        return text.find(part) != std::string_view::npos;
    };
    // All of one so long is not read, as that would take the loop too long.  Thus Node writes it.
    if (text.size() > longest_internal)
        return !contains(R"("cmd":"NODE_)");
    const bool has_escapes = contains("\\u");
    if (!has_escapes && !contains(prefix))
        return true;
    const auto is_valid_without_command = [](std::string_view whole) {
        CommandSearch search;
        return Json::sax_parse(whole, &search) && !search.has_found();
    };
    // With half a character it is not valid, and nothing behind that has been looked at.
    return is_valid_without_command(text) ||
           (has_escapes && is_valid_without_command(replace_lone_surrogates(text)));
}

bool is_relayable_v8(std::string_view payload)
{
    // Most have no such text in either of the ways in which texts are written, and need not be
    // understood.
    if (payload.find(prefix) == std::string_view::npos &&
        payload.find("N\0O\0D\0E\0_\0"sv) == std::string_view::npos)
        return true;
    const auto value = v8::value_in(payload);
    return value && v8::is_without_command(*value);
}

} // namespace

bool is_relayable(NodeConfig::Serialization serialization, std::string_view payload)
{
    return serialization == NodeConfig::Serialization::json ? is_relayable_json(payload)
                                                            : is_relayable_v8(payload);
}

} // namespace usher::node
