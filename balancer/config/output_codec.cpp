// SPDX-License-Identifier: MIT
#include "balancer/config/tables.hpp"
#include "balancer/config/units/log_format.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace usher {

namespace {

std::string read_file(const JsonValue& value)
{
    auto path = value.slot_text();
    if (path.empty())
        value.fail("is empty, but must name a file, e.g. \"/var/log/api.log\"");
    return path;
}

void check_output(const JsonValue& value, const OutputConfig& output)
{
    if (output.file.empty() && output.errors.empty() &&
        (value.find("max_size") || value.find("max_files")))
        value.fail("has no \"file\"; add one, e.g. \"file\": \"/var/log/api.log\"");
}

} // namespace

Codec<OutputConfig> output()
{
    using C = OutputConfig;
    const std::string must = "\"stderr\", \"inherit\" or an object";
    const auto object_of_it = object<C>(
        {
            {"file", &C::file, or_empty(Codec<std::string>{read_file, slot_text().write})},
            {"errors", &C::errors, or_empty(Codec<std::string>{read_file, slot_text().write})},
            {"max_size", &C::max_size, byte_size({1'024, 4'294'967'295})},
            {"max_files", &C::max_files, number({1, 1'000})},
            {"on_full", &C::on_full,
             choice<C::OnFull>({{C::OnFull::block, "block"}, {C::OnFull::drop, "drop"}})},
            {"format", &C::format, choice(log_format_names)},
            {"prefix", &C::prefix, boolean()},
        },
        must, check_output);
    const auto read = [=](const JsonValue& value) {
        auto output = object_of_it.read(value);
        if (!output.file.empty())
            output.kind = C::Kind::file;
        return output;
    };
    const auto write = [=](const C& output) {
        auto json = object_of_it.write(output);
        if (output.kind != C::Kind::file && output.errors.empty())
            for (const auto* const key : {"max_size", "max_files"})
                json.erase(key);
        return json;
    };
    return word_or<C>({{C{}, "stderr"}, {C{.kind = C::Kind::inherit}, "inherit"}}, {read, write},
                      must);
}

} // namespace usher
