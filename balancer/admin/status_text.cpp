// SPDX-License-Identifier: MIT
#include "balancer/admin/status_text.hpp"

#include "common/text/counted.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace usher {

namespace {

using namespace std::string_view_literals;
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

/// The member as people read it; `-`: there is none.
std::string text(const Json& json, const char* key)
{
    const auto member = json.find(key);
    if (member == json.end())
        return "-";
    if (member->is_null())
        return "unknown";
    return on_one_line(member->is_string() ? member->get<std::string>() : member->dump());
}

std::string reload_text(const Json& reload)
{
    std::string result;
    if (const auto& last = reload.at("last"); !last.is_null()) {
        result =
            fmt::format("\nlast reload {} ago: {}",
                        uptime_text(last.at("age_ms").get<std::uint64_t>()), text(last, "result"));
        if (last.at("result") != "done")
            result += ", " + text(last, "message");
    }
    if (reload.at("running").get<bool>())
        result += "\na reload is under way";
    return result;
}

std::string loss_text(const Json& lines, std::string_view where)
{
    if (!lines.is_number() || lines == 0)
        return {};
    return fmt::format("\n{} of workers' output lost {}",
                       counted(lines.get<std::uint64_t>(), "line"), where);
}

template <typename... Cells>
std::string row(const Cells&... cells)
{
    return fmt::format("\n{:>6} {:>4} {:<12} {:>8} {:>8} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
                       cells...);
}

/// `cell` in the colour of the state that it shows.
std::string in_colour(std::string_view state, std::string cell, Colours colours)
{
    constexpr std::array good{"ready"sv, "serving"sv};
    constexpr std::array bad{"failed"sv, "failing"sv, "terminating"sv, "killing"sv};
    constexpr auto is_one_of = [](std::string_view word, const auto& words) {
        return std::ranges::find(words, word) != words.end();
    };
    if (colours == Colours::off)
        return cell;
    const int colour = is_one_of(state, good) ? 32 : is_one_of(state, bad) ? 31 : 33;
    return fmt::format("\x1b[{}m{}\x1b[0m", colour, cell);
}

/// As many digits as people want to see.
std::string rate_text(const Json& worker, const char* key, std::string_view unit)
{
    const auto rate = worker.find(key);
    if (rate == worker.end() || !rate->is_number())
        return text(worker, key);
    return fmt::format("{:.{}f}{}", rate->get<double>(), *rate < 10 ? 1 : 0, unit);
}

std::string memory_text(const Json& worker)
{
    const auto memory = worker.find("memory");
    if (memory == worker.end() || !memory->is_number())
        return text(worker, "memory");
    const auto mib = memory->get<double>() / 1024 / 1024;
    return mib < 1'000 ? fmt::format("{:.{}f}M", mib, mib < 10 ? 1 : 0)
                       : fmt::format("{:.1f}G", mib / 1024);
}

/// Where there are no connections none is unknown either.
std::string worker_text(Json worker, bool has_connections, Colours colours)
{
    if (!has_connections)
        for (const auto* const key : {"handed_off", "connections_per_second", "queued", "open"})
            worker.erase(key);
    const auto age = worker.find("uptime_ms");
    auto result =
        row(text(worker, "slot"), text(worker, "generation"),
            in_colour(text(worker, "state"), fmt::format("{:<12}", text(worker, "state")), colours),
            text(worker, "pid"), age == worker.end() ? "-" : uptime_text(age->get<std::uint64_t>()),
            text(worker, "handed_off"), rate_text(worker, "connections_per_second", ""),
            text(worker, "queued"), text(worker, "open"), rate_text(worker, "cpu_percent", "%"),
            memory_text(worker), text(worker, "starts"));
    if (worker.contains("last_failure"))
        result += "\n       last exit: " + text(worker, "last_failure");
    if (worker.contains("says"))
        result += "\n       says: " + text(worker, "says");
    if (worker.contains("leader"))
        result += "\n       leads its pool";
    if (const auto lost = worker.value("lost_messages", std::uint64_t{0}); lost > 0)
        result += fmt::format("\n       has lost {}, which it did not read in time",
                              counted(lost, "message"));
    return result;
}

std::uint64_t waiting_clients(const Json& pool)
{
    std::uint64_t sum = 0;
    for (const auto& listener : pool.value("listeners", Json::array()))
        if (const auto& waiting = listener.at("waiting"); waiting.is_number())
            sum += waiting.get<std::uint64_t>();
    return sum;
}

std::string pool_text(const Json& pool, Colours colours)
{
    const auto state = text(pool, "state");
    auto result = fmt::format("\n\npool {}, {}, generation {}, ", text(pool, "name"),
                              in_colour(state, state, colours), text(pool, "generation"));
    const bool has_connections = pool.at("dialect") != "none";
    if (!has_connections)
        result += "without connections";
    else if (pool.at("handed_off").is_null())
        result += "its workers accept by themselves";
    else
        result += fmt::format("{} handed off, {} reclaimed", text(pool, "handed_off"),
                              text(pool, "reclaimed"));
    if (const auto moved = pool.find("moved");
        moved != pool.end() && !moved->is_null() && *moved > 0)
        result += fmt::format(", {} moved from busy workers", text(pool, "moved"));
    if (const auto& scaled = pool.at("scaled_to"); !scaled.is_null())
        result += fmt::format(", scaled to {} instead of {}",
                              counted(scaled.get<std::uint64_t>(), "worker"),
                              text(pool, "configured_workers"));
    if (has_connections)
        result += "\nlistening on";
    for (const auto& address : pool.at("listening"))
        result += " " + on_one_line(address.get<std::string>());
    if (const auto waiting = waiting_clients(pool); waiting > 0)
        result +=
            fmt::format(", where {} in the backlog",
                        waiting == 1 ? "1 client waits" : counted(waiting, "client") + " wait");
    if (has_connections && pool.at("listening").empty())
        result += pool.at("state") == "stopping" ? " nothing any more" : " not yet known";
    if (const auto share = pool.find("bus_share"); share != pool.end() && !share->is_null())
        result += "\nbus " + text(pool, "bus_share") + ", with all that share it";
    if (const auto store = pool.find("store");
        store != pool.end() && !store->is_null() && store->at("keys") > 0)
        result +=
            fmt::format("\nshares {}, {}", counted(store->at("keys").get<std::uint64_t>(), "key"),
                        counted(store->at("bytes").get<std::uint64_t>(), "byte"));
    result += loss_text(pool.at("lost_lines"), "on their way to the file");
    result += row("slot", "gen", "state", "pid", "uptime", "handed", "conn/s", "queued", "open",
                  "cpu", "memory", "starts");
    for (const auto* const group : {"workers", "leaving"})
        for (const auto& worker : pool.at(group))
            result += worker_text(worker, has_connections, colours);
    return result;
}

} // namespace

std::string status_text(const std::string& status, Colours colours)
{
    const auto json = Json::parse(status);
    auto result = fmt::format("usher {}, master pid {}{}", text(json, "version"), text(json, "pid"),
                              json.at("stopping").get<bool>() ? ", stopping"
                              : json.at("ready").get<bool>()  ? ", ready"
                                                              : ", not ready");
    result += reload_text(json.at("reload"));
    result += loss_text(json.at("stderr_lost_lines"), "on standard error");
    for (const auto& pool : json.at("pools"))
        result += pool_text(pool, colours);
    return result;
}

} // namespace usher
