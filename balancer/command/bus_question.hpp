// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/exit_code.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// What a command says on a bus, and how what it hears is shown.  Decides without I/O.
class BusQuestion {
public:
    enum class Kind { publish, subscribe, request, get, put, erase, increment, watch, dump };

    Kind kind = Kind::publish;
    std::vector<std::string> topics; ///< one, or patterns
    std::string key;                 ///< or, of watch and dump, what keys begin with
    std::string json;                ///< what is sent; empty: nothing
    std::int64_t by = 1;
    std::optional<std::chrono::milliseconds> ttl{};
    std::optional<std::uint64_t> expected{};
    std::optional<std::uint64_t> count{};     ///< of subscribe and watch: so many, then the end
    std::chrono::milliseconds timeout{5'000}; ///< of request
    std::uint64_t least = 1;                  ///< of request: so many good answers are success
    bool is_raw = false;                      ///< lines are shown as they come

    /// What is to be said: lines without their line feeds.
    [[nodiscard]] std::vector<std::string> lines() const;

    /// What is to be shown of a line of the bus, and whether that was all.
    struct Answer {
        std::string text{};      ///< for the standard output; empty: nothing
        std::string complaint{}; ///< for the standard error; empty: nothing
        std::optional<ExitCode> end{};
    };
    [[nodiscard]] Answer hear(std::string_view line);

private:
    struct Kept {
        std::uint64_t revision = 0;
        std::string line; ///< as it is to be shown
    };

    class Members;

    [[nodiscard]] Answer hear_done(const Members& members) const;
    [[nodiscard]] Answer hear_ok(const Members& members) const;
    void keep(const Members& members, std::string line);
    [[nodiscard]] bool is_news(const Members& members);
    [[nodiscard]] Answer hear_synced(const Members& members, std::string_view line);

    std::uint64_t heard_ = 0; ///< messages or changes
    std::uint64_t good_ = 0;  ///< of the answers to a request

    // Of a copy of the store.
    std::map<std::string, Kept> kept_{}; ///< of dump, whose copy is shown when it is whole
    std::set<std::uint64_t> told_{};     ///< of watch: revisions shown since its copy began anew
    std::uint64_t seen_ = 0;             ///< of watch: changes up to this revision are known
    bool had_copy_ = false;
    bool is_synced_ = false;
};

} // namespace usher
