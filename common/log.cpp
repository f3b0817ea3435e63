// SPDX-License-Identifier: MIT
#include "common/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

namespace usher::log {

namespace {

constexpr std::array<std::string_view, 5> names{"debug", "info", "warning", "error", "off"};

spdlog::level::level_enum to_spdlog(Level level)
{
    switch (level) {
    case Level::debug:
        return spdlog::level::debug;
    case Level::info:
        return spdlog::level::info;
    case Level::warning:
        return spdlog::level::warn;
    case Level::error:
        return spdlog::level::err;
    case Level::off:
        break;
    }
    return spdlog::level::off;
}

/// Single-threaded like the master: no lock.  Empty until start().
std::unique_ptr<spdlog::logger>& logger()
{
    static std::unique_ptr<spdlog::logger> instance;
    return instance;
}

} // namespace

void start(std::string_view name, Level level)
{
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_st>();
    logger() = std::make_unique<spdlog::logger>(std::string{name}, std::move(sink));
    logger()->set_level(to_spdlog(level));
    logger()->set_pattern("%Y-%m-%d %H:%M:%S.%e %n[%P] %^%l%$: %v");
}

std::string_view name_of(Level level) noexcept
{
    return names[static_cast<std::size_t>(level)];
}

std::optional<Level> level_of(std::string_view name) noexcept
{
    const auto* const found = std::ranges::find(names, name);
    if (found == names.end())
        return std::nullopt;
    return static_cast<Level>(found - names.begin());
}

void set_level(Level level)
{
    if (logger())
        logger()->set_level(to_spdlog(level));
}

void write(Level level, std::string_view text)
{
    if (logger())
        logger()->log(to_spdlog(level), spdlog::string_view_t{text.data(), text.size()});
}

} // namespace usher::log
