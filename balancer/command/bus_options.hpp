// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/command.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace usher {

/// The commands that say something on the bus of a pool, or do something with its store; lives
/// while they are parsed.
class BusOptions {
public:
    /// Adds them to `app`; parsing sets `result`.
    BusOptions(CLI::App& app, std::optional<Command>& result);
    BusOptions(const BusOptions&) = delete;
    BusOptions& operator=(const BusOptions&) = delete;

private:
    void add_publish(CLI::App& app);
    void add_subscribe(CLI::App& app);
    void add_request(CLI::App& app);
    void add_store(CLI::App& app);

    CLI::App& add(CLI::App& parent, const std::string& name, BusQuestion::Kind kind,
                  const std::string& description);
    void finish(BusQuestion::Kind kind);

    void add_topic(CLI::App& part);
    void add_json(CLI::App& part, const std::string& description);
    CLI::Option& add_key_text(CLI::App& part, const char* name, const char* text);
    void add_key(CLI::App& part);
    void add_prefix(CLI::App& part);
    void add_count(CLI::App& part);
    void add_expected(CLI::App& part);
    void add_ttl(CLI::App& part);
    void add_timeout(CLI::App& part);

    std::optional<Command>& result_;
    ControlCommand asked_;
    BusQuestion question_;
};

} // namespace usher
