// SPDX-License-Identifier: MIT
#include "balancer/admin/status_text.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <string_view>

namespace usher {

namespace {

using Json = nlohmann::ordered_json;

std::string uptime_text(std::uint64_t milliseconds)
{
    const auto seconds = milliseconds / 1000;
    if (seconds < 60)
        return fmt::format("{}.{}s", seconds, milliseconds % 1000 / 100);
    if (seconds < 3600)
        return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86'400)
        return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
    return fmt::format("{}d{:02}h", seconds / 86'400, seconds % 86'400 / 3600);
}

std::string reload_text(const Json& reload)
{
    std::string text;
    if (const auto& last = reload.at("last"); !last.is_null()) {
        const auto result = last.at("result").get<std::string>();
        text += fmt::format("\nlast reload {} ago: {}",
                            uptime_text(last.at("age_ms").get<std::uint64_t>()), result);
        if (result != "done")
            text += ", " + last.at("message").get<std::string>();
    }
    if (reload.at("running").get<bool>())
        text += "\na reload is under way";
    return text;
}

std::string loss_text(const Json& lines, std::string_view where)
{
    if (!lines.is_number() || lines == 0)
        return {};
    return fmt::format("\n{} lines of workers' output lost {}", lines.get<std::uint64_t>(), where);
}

std::string counters_text(const Json& pool)
{
    if (pool.at("handed_off").is_null())
        return "its workers accept by themselves";
    return fmt::format("{} handed off, {} reclaimed", pool.at("handed_off").get<std::uint64_t>(),
                       pool.at("reclaimed").get<std::uint64_t>());
}

std::string row(const Json& worker)
{
    const auto number = [&](const char* key) -> std::string {
        if (!worker.contains(key))
            return "-";
        return worker.at(key).is_null() ? "unknown" : worker.at(key).dump();
    };
    auto text = fmt::format(
        "{:>6} {:>4} {:<12} {:>8} {:>8} {:>9} {:>7} {:>7} {:>7}", worker.at("slot").get<unsigned>(),
        worker.at("generation").get<unsigned>(), worker.at("state").get<std::string>(),
        number("pid"),
        worker.contains("uptime_ms") ? uptime_text(worker.at("uptime_ms").get<std::uint64_t>())
                                     : "-",
        number("handed_off"), number("queued"), number("open"), number("starts"));
    if (worker.contains("says"))
        text += "\n       says: " + worker.at("says").get<std::string>();
    return text;
}

} // namespace

std::string status_text(const std::string& status)
{
    const auto json = Json::parse(status);
    std::string text = fmt::format("usher {}, master pid {}{}",
                                   json.at("version").get<std::string>(), json.at("pid").get<int>(),
                                   json.at("stopping").get<bool>() ? ", stopping"
                                   : json.at("ready").get<bool>()  ? ", ready"
                                                                   : ", not ready");
    text += reload_text(json.at("reload"));
    text += loss_text(json.at("stderr_lost_lines"), "on standard error");
    for (const auto& pool : json.at("pools")) {
        text += fmt::format("\n\npool {}, {}, generation {}, {}\nlistening on",
                            pool.at("name").get<std::string>(), pool.at("state").get<std::string>(),
                            pool.at("generation").get<unsigned>(), counters_text(pool));
        for (const auto& address : pool.at("listening"))
            text += " " + address.get<std::string>();
        text += loss_text(pool.at("lost_lines"), "on their way to the file");
        text += fmt::format("\n{:>6} {:>4} {:<12} {:>8} {:>8} {:>9} {:>7} {:>7} {:>7}", "slot",
                            "gen", "state", "pid", "uptime", "handed", "queued", "open", "starts");
        for (const auto* const group : {"workers", "leaving"})
            for (const auto& worker : pool.at(group))
                text += "\n" + row(worker);
    }
    return text;
}

} // namespace usher
