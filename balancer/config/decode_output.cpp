// SPDX-License-Identifier: MIT
#include "balancer/config/decode_output.hpp"

#include "balancer/config/json/decode_byte_size.hpp"
#include "balancer/config/units/limits.hpp"

namespace usher {

namespace {

std::string decode_file(const JsonValue& value)
{
    auto path = value.text();
    if (path.empty())
        value.fail("is empty, but must name a file, e.g. \"/var/log/api.log\"");
    return path;
}

std::uint64_t decode_size(const JsonValue& value)
{
    return decode_byte_size(value, max_size_range);
}

unsigned decode_max_files(const JsonValue& value)
{
    return value.number(max_files_range);
}

OutputConfig::OnFull decode_on_full(const JsonValue& value)
{
    const auto text = value.text();
    if (text == "block")
        return OutputConfig::OnFull::block;
    if (text == "drop")
        return OutputConfig::OnFull::drop;
    value.refuse("\"block\" or \"drop\"");
}

bool decode_boolean(const JsonValue& value)
{
    return value.boolean();
}

} // namespace

OutputConfig decode_output(const JsonValue& value)
{
    constexpr std::string_view must = "\"stderr\", \"inherit\" or an object";
    OutputConfig output;
    if (value.is_string()) {
        const auto text = value.text();
        if (text != "stderr" && text != "inherit")
            value.refuse(must);
        if (text == "inherit")
            output.kind = OutputConfig::Kind::inherit;
        return output;
    }

    value.read_members(
        {
            {"file", into(output.file, decode_file)},
            {"max_size", into(output.max_size, decode_size)},
            {"max_files", into(output.max_files, decode_max_files)},
            {"on_full", into(output.on_full, decode_on_full)},
            {"prefix", into(output.prefix, decode_boolean)},
        },
        must);
    if (!output.file.empty())
        output.kind = OutputConfig::Kind::file;
    else if (value.find("max_size") || value.find("max_files"))
        value.fail("has no \"file\"; add one, e.g. \"file\": \"/var/log/api.log\"");
    return output;
}

} // namespace usher
