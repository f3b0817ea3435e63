// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/exit_code.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
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
    std::uint64_t heard_ = 0; ///< messages or changes
    bool is_synced_ = false;
};

} // namespace usher
