// SPDX-License-Identifier: MIT
#include "balancer/config/tables.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace usher {

namespace {

/// A string that is not empty; `example` is one.
Codec<std::string> some_text(const std::string& must)
{
    return text([](std::string_view text) { return !text.empty(); }, must, must);
}

} // namespace

Codec<WatchConfig> watch()
{
    using C = WatchConfig;
    const auto path = some_text("the path of a file or folder, e.g. \"src\"");
    const auto paths = array(path, "an array of paths, e.g. [\"src\"]");
    const auto patterns =
        array(some_text("a pattern, e.g. \"*.log\""), "an array of patterns, e.g. [\"*.log\"]");
    const auto check = [](const JsonValue& value, const C& watch) {
        if (watch.paths.empty())
            value.fail("has no \"paths\"; add some, e.g. \"paths\": [\"src\"]");
    };
    const std::string must = "a path, an array of paths or an object with \"paths\"";
    const auto object_of_it = object<C>(
        {
            {"paths", &C::paths, paths},
            {"ignore", &C::ignore, patterns},
            {"delay", &C::delay, positive_duration()},
        },
        must, check);
    const auto all = array(path, must);
    const auto read = [=](const JsonValue& value) {
        if (value.is_string())
            return C{.paths = {path.read(value)}};
        return value.is_object() ? object_of_it.read(value) : C{.paths = all.read(value)};
    };
    return {read, [=](const C& watch) {
                return watch.paths.empty() ? Json::array() : object_of_it.write(watch);
            }};
}

} // namespace usher
